//! Average directional index: the strength of a trend, 0 to 100.

use super::Indicator;
use super::true_range::true_range;
use crate::archive::Archive;
use crate::bars::Bar;

/// Wilder's index; warm-up 2 n − 1. When nothing moved it keeps its value (0 at the
/// start).
#[derive(Debug, Clone)]
pub struct Adx {
    length: u64,
    decay: f64,
    rate: f64,
    seen: u64,
    last: [f64; 3],
    plus: f64,
    minus: f64,
    range: f64,
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
            last: [0.0; 3],
            plus: 0.0,
            minus: 0.0,
            range: 0.0,
            value: 0.0,
        }
    }

    /// Directional moves up and down, and the true range, since the last candle.
    fn moves(&mut self, high: f64, low: f64, close: f64) -> [f64; 3] {
        let [last_high, last_low, last_close] = self.last;
        self.last = [high, low, close];
        let (up, down) = (high - last_high, last_low - low);
        let plus = if up > 0.0 && up > down { up } else { 0.0 };
        let minus = if down > 0.0 && up < down { down } else { 0.0 };
        [plus, minus, true_range(high, low, last_close)]
    }

    fn smooth(&mut self, [plus, minus, range]: [f64; 3]) {
        self.plus = self.plus * self.decay + plus;
        self.minus = self.minus * self.decay + minus;
        self.range = self.range * self.decay + range;
    }

    /// The directional index, `None` when nothing moved.
    fn directional_index(&self) -> Option<f64> {
        if self.range == 0.0 {
            return None;
        }
        let minus = 100.0 * (self.minus / self.range);
        let plus = 100.0 * (self.plus / self.range);
        let both = minus + plus;
        if both == 0.0 { None } else { Some(100.0 * ((minus - plus).abs() / both)) }
    }

    fn step(&mut self, high: f64, low: f64, close: f64) -> f64 {
        let moves = self.moves(high, low, close);
        self.smooth(moves);
        if let Some(index) = self.directional_index() {
            self.value = self.value * self.decay + index * self.rate;
        }
        self.value
    }

    fn warm(&mut self, bar: &Bar) -> f64 {
        self.seen += 1;
        let moves = self.moves(bar.high, bar.low, bar.close);
        if self.seen == 1 {
            return f64::NAN;
        }
        if self.seen <= self.length {
            self.plus += moves[0];
            self.minus += moves[1];
            self.range += moves[2];
            return f64::NAN;
        }
        self.smooth(moves);
        self.value += self.directional_index().unwrap_or(0.0);
        if self.seen < 2 * self.length {
            return f64::NAN;
        }
        self.value /= self.length as f64;
        self.value
    }
}

impl Indicator for Adx {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = if self.seen >= 2 * self.length { self.step(bar.high, bar.low, bar.close) } else { self.warm(bar) };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.numbers(&mut self.last);
        for value in [&mut self.plus, &mut self.minus, &mut self.range, &mut self.value] {
            archive.number(value);
        }
    }
}
