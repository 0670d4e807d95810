//! Volume in standard deviations from its own recent mean.

use super::Indicator;
use super::standard_deviation::Moments;
use crate::archive::Archive;
use crate::bars::Bar;

/// (volume − mean) / population deviation over the last n candles, this one among
/// them; warm-up n − 1. Constant volume gives 0.
#[derive(Debug, Clone)]
pub struct VolumeZScore {
    volume: Moments,
}

impl VolumeZScore {
    /// The score over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { volume: Moments::new(length) }
    }
}

impl Indicator for VolumeZScore {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let (mean, deviation) = self.volume.next(bar.volume);
        row[0] = if deviation == 0.0 { 0.0 } else { (bar.volume - mean) / deviation };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.volume.walk(archive);
    }
}
