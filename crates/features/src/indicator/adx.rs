//! Average directional index: the strength of a trend, 0 to 100.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Wilder's index; warm-up 2 n − 1. When nothing moved it keeps its value (0 at the
/// start).
///
/// Both directional indicators are shares of the same true range, which cancels in
/// the index: |plus − minus| / (plus + minus).
#[derive(Debug, Clone)]
pub struct Adx {
    length: u64,
    decay: f64,
    rate: f64,
    seen: u64,
    last_high: f64,
    last_low: f64,
    plus: f64,
    minus: f64,
    /// The sum of directional indices during warm-up, their average afterwards.
    value: f64,
}

impl Adx {
    /// The index over `length` candles.
    #[must_use]
    pub fn new(length: u64) -> Self {
        let n = length as f64;
        Self {
            length,
            decay: (n - 1.0) / n,
            rate: 1.0 / n,
            seen: 0,
            last_high: 0.0,
            last_low: 0.0,
            plus: 0.0,
            minus: 0.0,
            value: 0.0,
        }
    }

    /// Directional moves up and down since the last candle.
    fn moves(&mut self, high: f64, low: f64) -> (f64, f64) {
        let (up, down) = (high - self.last_high, self.last_low - low);
        (self.last_high, self.last_low) = (high, low);
        let plus = if (up > 0.0) & (up > down) { up } else { 0.0 };
        let minus = if (down > 0.0) & (up < down) { down } else { 0.0 };
        (plus, minus)
    }

    fn smooth(&mut self, (plus, minus): (f64, f64)) {
        self.plus = self.plus * self.decay + plus;
        self.minus = self.minus * self.decay + minus;
    }

    /// Distance and sum of the two directions; the sum is zero when nothing moved.
    fn distance_and_sum(&self) -> (f64, f64) {
        ((self.minus - self.plus).abs(), self.minus + self.plus)
    }

    fn step(&mut self, high: f64, low: f64) -> f64 {
        let moves = self.moves(high, low);
        self.smooth(moves);
        let (distance, sum) = self.distance_and_sum();
        let next = self.value * self.decay + (100.0 * (distance / sum)) * self.rate;
        self.value = if sum == 0.0 { self.value } else { next };
        self.value
    }

    fn warm(&mut self, bar: &Bar) -> f64 {
        self.seen += 1;
        let moves = self.moves(bar.high, bar.low);
        if self.seen == 1 {
            return f64::NAN;
        }
        if self.seen <= self.length {
            self.plus += moves.0;
            self.minus += moves.1;
            return f64::NAN;
        }
        self.smooth(moves);
        let (distance, sum) = self.distance_and_sum();
        if sum != 0.0 {
            self.value += 100.0 * (distance / sum);
        }
        if self.seen < 2 * self.length {
            return f64::NAN;
        }
        self.value /= self.length as f64;
        self.value
    }
}

impl Indicator for Adx {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = if self.seen >= 2 * self.length { self.step(bar.high, bar.low) } else { self.warm(bar) };
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, 2 * self.length as usize, columns);
        let mut state = self.clone();
        let pairs = bars.high[rest.clone()].iter().zip(&bars.low[rest.clone()]);
        for (out, (high, low)) in columns[0][rest.start - start..].iter_mut().zip(pairs) {
            *out = state.step(*high, *low);
        }
        *self = state;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        for value in [&mut self.last_high, &mut self.last_low, &mut self.plus, &mut self.minus, &mut self.value] {
            archive.number(value);
        }
    }
}
