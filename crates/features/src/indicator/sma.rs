//! Simple moving average: the mean of the last n closes, from a running sum.

use std::ops::Range;

use super::Indicator;
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
        let length = self.length as usize;
        let (out, start) = (&mut *columns[0], range.start);
        let fast = range.start.max(length - 1).min(range.end);
        for index in range.start..fast {
            out[index - start] = self.next(bars.close[index]);
        }
        if fast == range.end {
            return;
        }
        let mut state = Self { window: Window::new(1), ..*self };
        let entering = &bars.close[fast..range.end];
        let leaving = &bars.close[fast + 1 - length..];
        for ((out, value), leaving) in out[fast - start..].iter_mut().zip(entering).zip(leaving) {
            *out = state.step(*value, *leaving);
        }
        self.sum = state.sum;
        self.window.catch_up(&bars.close[..range.end]);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.walk(archive);
    }
}
