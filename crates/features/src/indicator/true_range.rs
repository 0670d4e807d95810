//! True range: the widest of high − low and the reaches from the last close.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};

/// True range of a candle after `last_close`.
#[must_use]
pub fn true_range(high: f64, low: f64, last_close: f64) -> f64 {
    let range = high - low;
    let above = (high - last_close).abs();
    let below = (low - last_close).abs();
    let range = if above > range { above } else { range };
    if below > range { below } else { range }
}

/// Writes the true ranges of the candles of `range`, which does not hold the first.
pub fn true_ranges(bars: &Bars, range: Range<usize>, out: &mut [f64]) {
    let closes = &bars.close[range.start.saturating_sub(1)..];
    let candles = bars.high[range.clone()].iter().zip(&bars.low[range]).zip(closes);
    for (out, ((high, low), last_close)) in out.iter_mut().zip(candles) {
        *out = true_range(*high, *low, *last_close);
    }
}

/// True range of each candle; warm-up 1.
#[derive(Debug, Clone)]
pub struct TrueRange {
    last_close: f64,
}

impl TrueRange {
    /// The range before any candle.
    #[must_use]
    pub fn new() -> Self {
        Self { last_close: f64::NAN }
    }
}

impl Default for TrueRange {
    fn default() -> Self {
        Self::new()
    }
}

impl Indicator for TrueRange {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = if self.last_close.is_nan() { f64::NAN } else { true_range(bar.high, bar.low, self.last_close) };
        self.last_close = bar.close;
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, 1, columns);
        true_ranges(bars, rest.clone(), &mut columns[0][rest.start - start..]);
        self.last_close = bars.close[..rest.end].last().copied().unwrap_or(f64::NAN);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last_close);
    }
}
