//! Population standard deviation of the last n closes.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Mean and population standard deviation of the last n values.
///
/// Values are taken relative to the last value of the block of n before them, which
/// is in the window or next to it, and summed without subtraction: flat prices have
/// the deviation 0, and large prices lose no digits.
#[derive(Debug, Clone)]
pub struct Moments {
    rate: f64,
    anchor: f64,
    /// Before the phase: values of this block. From it on: sums of distances and of
    /// their squares from there to the end of the block before.
    slots: Vec<[f64; 2]>,
    prefix: [f64; 2],
    pushed: u64,
    phase: usize,
}

impl Moments {
    /// Moments of `length` values.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self {
            rate: 1.0 / length as f64,
            anchor: 0.0,
            slots: vec![[0.0; 2]; length],
            prefix: [0.0; 2],
            pushed: 0,
            phase: 0,
        }
    }

    /// Takes the next value; mean and deviation, or NaN during warm-up.
    pub fn next(&mut self, value: f64) -> (f64, f64) {
        let length = self.slots.len();
        self.pushed += 1;
        self.slots[self.phase] = [value, 0.0];
        self.phase += 1;
        if self.phase == length {
            return self.turn(value);
        }
        let distance = value - self.anchor;
        self.prefix[0] += distance;
        self.prefix[1] += distance * distance;
        if self.pushed < length as u64 {
            return (f64::NAN, f64::NAN);
        }
        let [sum, squares] = self.slots[self.phase];
        moments(self.anchor, self.rate, [self.prefix[0] + sum, self.prefix[1] + squares])
    }

    /// The end of a block: its last value is the anchor of the next.
    fn turn(&mut self, value: f64) -> (f64, f64) {
        self.anchor = value;
        let (mut sum, mut squares) = (0.0, 0.0);
        for slot in self.slots.iter_mut().rev() {
            let distance = slot[0] - value;
            sum += distance;
            squares += distance * distance;
            *slot = [sum, squares];
        }
        self.prefix = [0.0; 2];
        self.phase = 0;
        moments(value, self.rate, [sum, squares])
    }

    /// Takes `values` in order, all after the warm-up, and writes the mean and the
    /// deviation after each.
    pub fn fill(&mut self, values: &[f64], means: &mut [f64], deviations: &mut [f64]) {
        let length = self.slots.len();
        let mut at = 0;
        while at < values.len() {
            let block = at..at + length;
            if self.phase == 0 && block.end <= values.len() {
                self.block(&values[block.clone()], &mut means[block.clone()], &mut deviations[block]);
                at += length;
            } else {
                (means[at], deviations[at]) = self.next(values[at]);
                at += 1;
            }
        }
    }

    /// A whole block from phase 0.
    fn block(&mut self, values: &[f64], means: &mut [f64], deviations: &mut [f64]) {
        let (anchor, last) = (self.anchor, values.len() - 1);
        let (mut sum, mut squares) = (0.0, 0.0);
        let suffixes = &self.slots[1..];
        let outs = means.iter_mut().zip(deviations.iter_mut());
        for (((mean, deviation), value), suffix) in outs.zip(values).zip(suffixes) {
            let distance = value - anchor;
            sum += distance;
            squares += distance * distance;
            (*mean, *deviation) = (sum + suffix[0], squares + suffix[1]);
        }
        for (mean, deviation) in means[..last].iter_mut().zip(&mut deviations[..last]) {
            (*mean, *deviation) = moments(anchor, self.rate, [*mean, *deviation]);
        }
        for (slot, value) in self.slots.iter_mut().zip(values) {
            slot[0] = *value;
        }
        self.pushed += values.len() as u64;
        (means[last], deviations[last]) = self.turn(values[last]);
    }

    /// Number of values.
    #[must_use]
    pub fn length(&self) -> usize {
        self.slots.len()
    }

    /// Writes or reads the state.
    pub fn walk(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.pushed);
        archive.number(&mut self.anchor);
        archive.numbers(self.slots.as_flattened_mut());
        archive.numbers(&mut self.prefix);
        self.phase = (self.pushed % self.slots.len() as u64) as usize;
    }
}

/// Mean and deviation of values whose distances from `anchor`, and their squares, have
/// the `sums`; `rate` is one over their number.
fn moments(anchor: f64, rate: f64, sums: [f64; 2]) -> (f64, f64) {
    let mean = sums[0] * rate;
    let variance = sums[1] * rate - mean * mean;
    let variance = if variance > 0.0 { variance } else { 0.0 };
    (anchor + mean, variance.sqrt())
}

/// Population standard deviation of closes; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct StandardDeviation {
    moments: Moments,
    means: Vec<f64>,
}

impl StandardDeviation {
    /// The deviation over `length` closes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { moments: Moments::new(length), means: Vec::new() }
    }
}

impl Indicator for StandardDeviation {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.moments.next(bar.close).1;
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.moments.length() - 1, columns);
        self.means.resize(rest.len(), 0.0);
        let out = &mut columns[0][rest.start - start..];
        self.moments.fill(&bars.close[rest], &mut self.means, out);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.moments.walk(archive);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flat_values_far_from_zero_have_no_deviation() {
        let mut moments = Moments::new(7);
        for index in 0..100 {
            let (mean, deviation) = moments.next(if index < 40 { f64::from(index) * 1e9 } else { 987_654_321.1 });
            if index >= 46 {
                assert_eq!((mean, deviation), (987_654_321.1, 0.0), "at {index}");
            }
        }
    }
}
