//! Volume-weighted average price of the last n candles, and the close's distance.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::sliding::SlidingSums;

/// close / VWAP − 1, with VWAP = Σ typical price · volume / Σ volume over the last n
/// candles; warm-up n − 1. No volume gives 0.
#[derive(Debug, Clone)]
pub struct VwapDistance {
    /// Money flow and volume.
    sums: SlidingSums<2>,
}

impl VwapDistance {
    /// The distance from the average over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { sums: SlidingSums::new(length) }
    }
}

impl Indicator for VwapDistance {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = match self.sums.next([bar.typical_price() * bar.volume, bar.volume]) {
            None => f64::NAN,
            Some([flow, volume]) if flow == 0.0 || volume == 0.0 => 0.0,
            Some([flow, volume]) => bar.close / (flow / volume) - 1.0,
        };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.sums.archive(archive);
    }
}
