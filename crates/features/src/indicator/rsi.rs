//! Relative strength index: the share of gains in all moves, 0 to 100.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Wilder's index of closes; warm-up n. When nothing moved it is 0.
#[derive(Debug, Clone)]
pub struct Rsi {
    length: u64,
    decay: f64,
    rate: f64,
    seen: u64,
    last: f64,
    gain: f64,
    loss: f64,
}

impl Rsi {
    /// The index over `length` moves.
    #[must_use]
    pub fn new(length: u64) -> Self {
        let n = length as f64;
        Self { length, decay: (n - 1.0) / n, rate: 1.0 / n, seen: 0, last: 0.0, gain: 0.0, loss: 0.0 }
    }

    fn step(&mut self, close: f64) -> f64 {
        let (up, down) = moves(close - self.last);
        self.last = close;
        self.gain = self.gain * self.decay + up * self.rate;
        self.loss = self.loss * self.decay + down * self.rate;
        let both = self.gain + self.loss;
        if both == 0.0 { 0.0 } else { 100.0 * (self.gain / both) }
    }

    fn warm(&mut self, close: f64) -> f64 {
        self.seen += 1;
        if self.seen > 1 {
            let (up, down) = moves(close - self.last);
            self.gain += up;
            self.loss += down;
        }
        self.last = close;
        if self.seen <= self.length {
            return f64::NAN;
        }
        self.gain /= self.length as f64;
        self.loss /= self.length as f64;
        let both = self.gain + self.loss;
        if both == 0.0 { 0.0 } else { 100.0 * (self.gain / both) }
    }
}

/// The rise and the fall of a move, both not negative.
fn moves(change: f64) -> (f64, f64) {
    (if change > 0.0 { change } else { 0.0 }, if change < 0.0 { -change } else { 0.0 })
}

impl Indicator for Rsi {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = if self.seen > self.length { self.step(bar.close) } else { self.warm(bar.close) };
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.length as usize + 1, columns);
        let mut state = self.clone();
        for (out, close) in columns[0][rest.start - start..].iter_mut().zip(&bars.close[rest]) {
            *out = state.step(*close);
        }
        *self = state;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.number(&mut self.last);
        archive.number(&mut self.gain);
        archive.number(&mut self.loss);
    }
}
