//! Exponential moving average, seeded with the mean of its first n values.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Exponential moving average of closes with factor 2 / (n + 1); warm-up n − 1.
#[derive(Debug, Clone)]
pub struct Ema {
    length: u64,
    factor: f64,
    seen: u64,
    /// The sum of the first values during warm-up, the average afterwards.
    value: f64,
}

impl Ema {
    /// The average over `length` values.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self { length, factor: 2.0 / (length as f64 + 1.0), seen: 0, value: 0.0 }
    }

    /// Takes the next value; the average, or NaN during warm-up.
    pub fn next(&mut self, value: f64) -> f64 {
        if self.seen >= self.length {
            return self.step(value);
        }
        self.seen += 1;
        self.value += value;
        if self.seen < self.length {
            return f64::NAN;
        }
        self.value /= self.length as f64;
        self.value
    }

    /// The step after warm-up.
    pub fn step(&mut self, value: f64) -> f64 {
        self.value += (value - self.value) * self.factor;
        self.value
    }

    /// Writes or reads the state.
    pub fn walk(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.number(&mut self.value);
    }
}

/// Averages of different lengths side by side; warm-up n − 1 each. Their steps do not
/// wait for one another, so that three cost little more than one.
#[derive(Debug, Clone)]
pub struct Emas<const N: usize>([Ema; N]);

impl<const N: usize> Emas<N> {
    /// The averages over each of `lengths`.
    #[must_use]
    pub fn new(lengths: [u64; N]) -> Self {
        Self(lengths.map(Ema::new))
    }
}

impl<const N: usize> Indicator for Emas<N> {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        for (value, average) in row.iter_mut().zip(&mut self.0) {
            *value = average.next(bar.close);
        }
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let longest = self.0.iter().map(|average| average.length).max().unwrap_or(0);
        let rest = warm_up(self, bars, range, longest as usize, columns);
        let mut averages = self.0.clone();
        let columns: &mut [&mut [f64]; N] = columns.try_into().expect("the list says as many columns as averages");
        let columns = columns.each_mut().map(|column| &mut column[rest.start - start..][..rest.len()]);
        for (at, close) in bars.close[rest].iter().enumerate() {
            for index in 0..N {
                columns[index][at] = averages[index].step(*close);
            }
        }
        self.0 = averages;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.0.iter_mut().for_each(|average| average.walk(archive));
    }
}
