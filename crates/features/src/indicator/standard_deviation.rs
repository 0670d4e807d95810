//! Population standard deviation of the last n closes.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;

/// Mean and population standard deviation of the last n values.
///
/// Values are taken relative to the last value of the block of n before them, which
/// is in the window or next to it, and summed without subtraction: flat prices have
/// the deviation 0, and large prices lose no digits.
#[derive(Debug, Clone)]
pub struct Moments {
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
        Self { anchor: 0.0, slots: vec![[0.0; 2]; length], prefix: [0.0; 2], pushed: 0, phase: 0 }
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
        self.moments(self.prefix[0] + sum, self.prefix[1] + squares)
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
        self.moments(sum, squares)
    }

    fn moments(&self, sum: f64, squares: f64) -> (f64, f64) {
        let length = self.slots.len() as f64;
        let mean = sum / length;
        let variance = squares / length - mean * mean;
        (self.anchor + mean, if variance > 0.0 { variance.sqrt() } else { 0.0 })
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

/// Population standard deviation of closes; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct StandardDeviation(Moments);

impl StandardDeviation {
    /// The deviation over `length` closes.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self(Moments::new(length))
    }
}

impl Indicator for StandardDeviation {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.0.next(bar.close).1;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.0.walk(archive);
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
