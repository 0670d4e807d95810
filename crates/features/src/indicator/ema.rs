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

impl Indicator for Ema {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.next(bar.close);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.length as usize, columns);
        let mut state = self.clone();
        for (out, close) in columns[0][rest.start - start..].iter_mut().zip(&bars.close[rest]) {
            *out = state.step(*close);
        }
        *self = state;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.walk(archive);
    }
}
