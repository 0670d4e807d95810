//! On-balance volume, and its slope.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::sliding::SlidingSums;

/// The running sum of volume, signed by the close's move; it starts with the first
/// volume. No warm-up.
#[derive(Debug, Clone)]
pub struct Obv {
    last_close: f64,
    value: f64,
}

impl Obv {
    /// The sum before any candle.
    #[must_use]
    pub fn new() -> Self {
        Self { last_close: f64::NEG_INFINITY, value: 0.0 }
    }
}

impl Default for Obv {
    fn default() -> Self {
        Self::new()
    }
}

/// `volume` with the sign of the close's move.
fn signed(volume: f64, close: f64, last_close: f64) -> f64 {
    let up = if close > last_close { volume } else { 0.0 };
    if close < last_close { -volume } else { up }
}

impl Indicator for Obv {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        self.value += signed(bar.volume, bar.close, self.last_close);
        self.last_close = bar.close;
        row[0] = self.value;
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let start = range.start;
        let rest = warm_up(self, bars, range, 1, columns);
        let mut value = self.value;
        let closes = &bars.close[rest.start.saturating_sub(1)..rest.end];
        let pairs = closes.windows(2).zip(&bars.volume[rest.clone()]);
        for (out, (pair, volume)) in columns[0][rest.start - start..].iter_mut().zip(pairs) {
            value += signed(*volume, pair[1], pair[0]);
            *out = value;
        }
        self.value = value;
        self.last_close = closes.last().copied().unwrap_or(self.last_close);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last_close);
        archive.number(&mut self.value);
    }
}

/// The change of on-balance volume over the last n candles, per volume traded in
/// them: −1 (all falling) to 1 (all rising); warm-up n. No volume gives 0.
#[derive(Debug, Clone)]
pub struct ObvSlope {
    last_close: f64,
    /// Signed and unsigned volume.
    sums: SlidingSums<2>,
}

impl ObvSlope {
    /// The slope over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { last_close: f64::NAN, sums: SlidingSums::new(length) }
    }
}

impl Indicator for ObvSlope {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = f64::NAN;
        let last_close = std::mem::replace(&mut self.last_close, bar.close);
        if last_close.is_nan() {
            return;
        }
        if let Some([change, volume]) = self.sums.next([signed(bar.volume, bar.close, last_close), bar.volume]) {
            row[0] = if volume == 0.0 { 0.0 } else { change / volume };
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last_close);
        self.sums.archive(archive);
    }
}
