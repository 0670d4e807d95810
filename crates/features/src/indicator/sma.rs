//! Simple moving average: the mean of the last n closes, from a running sum.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::window::Window;

/// The mean of the last n closes; warm-up n − 1.
#[derive(Debug, Clone)]
pub struct Sma {
    length: f64,
    window: Window,
    /// Sum of the last n − 1 values (all of them during warm-up).
    sum: f64,
}

impl Sma {
    /// The average over `length` values.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { length: length as f64, window: Window::new(length), sum: 0.0 }
    }

    /// Takes the next value; the mean, or NaN during warm-up.
    pub fn next(&mut self, value: f64) -> f64 {
        self.window.push(value);
        if !self.window.is_full() {
            self.sum += value;
            return f64::NAN;
        }
        self.step(value, self.window.oldest())
    }

    fn step(&mut self, value: f64, leaving: f64) -> f64 {
        let sum = self.sum + value;
        self.sum = sum - leaving;
        sum / self.length
    }

    /// Writes or reads the state.
    pub fn walk(&mut self, archive: &mut Archive<'_>) {
        self.window.archive(archive);
        archive.number(&mut self.sum);
    }
}

impl Indicator for Sma {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.next(bar.close);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let length = self.window.slots().len();
        let start = range.start;
        let rest = warm_up(self, bars, range, length - 1, columns);
        let (mut sum, scale) = (self.sum, self.length);
        let leaving = &bars.close[(rest.start + 1).saturating_sub(length)..];
        let pairs = bars.close[rest.clone()].iter().zip(leaving);
        for (out, (value, leaving)) in columns[0][rest.start - start..].iter_mut().zip(pairs) {
            let total = sum + value;
            sum = total - leaving;
            *out = total / scale;
        }
        self.sum = sum;
        self.window.catch_up(rest.end, &bars.close[..rest.end]);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.walk(archive);
    }
}
