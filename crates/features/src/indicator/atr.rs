//! Average true range: Wilder's average of the true range, also relative to the close.

use std::ops::Range;

use super::true_range::{true_range, true_ranges};
use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// Wilder's average of the true range, in quote units; warm-up n.
#[derive(Debug, Clone)]
pub struct Atr {
    length: u64,
    decay: f64,
    rate: f64,
    seen: u64,
    last_close: f64,
    value: f64,
}

impl Atr {
    /// The average over `length` candles.
    #[must_use]
    pub fn new(length: u64) -> Self {
        let n = length as f64;
        Self { length, decay: (n - 1.0) / n, rate: 1.0 / n, seen: 0, last_close: 0.0, value: 0.0 }
    }

    /// Takes the next candle; the average, or NaN during warm-up.
    pub fn next(&mut self, bar: &Bar) -> f64 {
        let range = true_range(bar.high, bar.low, self.last_close);
        self.last_close = bar.close;
        if self.seen > self.length {
            return self.step(range);
        }
        self.seen += 1;
        if self.seen > 1 {
            self.value += range;
        }
        if self.seen <= self.length {
            return f64::NAN;
        }
        self.value /= self.length as f64;
        self.value
    }

    /// The step after warm-up.
    fn step(&mut self, range: f64) -> f64 {
        self.value = self.value * self.decay + range * self.rate;
        self.value
    }

    /// Replaces true ranges by their averages; the last of them is that of the candle
    /// that closed at `last_close`.
    fn steps(&mut self, ranges: &mut [f64], last_close: f64) {
        let mut state = self.clone();
        ranges.iter_mut().for_each(|value| *value = state.step(*value));
        *self = Self { last_close, ..state };
    }
}

impl Indicator for Atr {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.next(bar);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, self.length as usize + 1, columns);
        let out = &mut columns[0][rest.start - start..];
        true_ranges(bars, rest.clone(), out);
        if let Some(last_close) = bars.close[rest.clone()].last() {
            self.steps(out, *last_close);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.number(&mut self.last_close);
        archive.number(&mut self.value);
    }
}

/// `value` in percent of `close`.
fn percent(value: f64, close: f64) -> f64 {
    value / close * 100.0
}

/// Wilder's average of the true range, and the same in percent of the close; warm-up n.
#[derive(Debug, Clone)]
pub struct Natr(Atr);

impl Natr {
    /// The average over `length` candles.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self(Atr::new(length))
    }
}

impl Indicator for Natr {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let average = self.0.next(bar);
        row.copy_from_slice(&[average, percent(average, bar.close)]);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let [averages, percents] = columns else { unreachable!("the list says two columns") };
        self.0.fill(bars, range.clone(), &mut [&mut **averages]);
        for ((out, average), close) in percents.iter_mut().zip(&**averages).zip(&bars.close[range]) {
            *out = percent(*average, *close);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.0.archive(archive);
    }
}
