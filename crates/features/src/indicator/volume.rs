//! Volume in standard deviations from its own recent mean.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::Window;

/// (volume − mean) / population deviation over the last n candles, this one among
/// them; warm-up n − 1. Constant volume gives 0.
#[derive(Debug, Clone)]
pub struct VolumeZScore {
    volume: Window,
}

impl VolumeZScore {
    /// The score over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { volume: Window::new(length) }
    }
}

impl Indicator for VolumeZScore {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        self.volume.push(bar.volume);
        row[0] = f64::NAN;
        if !self.volume.is_full() {
            return;
        }
        let length = self.volume.slots().len() as f64;
        let first = self.volume.oldest();
        let mean = self.volume.iter().sum::<f64>() / length;
        let variance = self.volume.iter().map(|volume| (volume - mean) * (volume - mean)).sum::<f64>() / length;
        let constant = self.volume.iter().all(|volume| volume == first);
        row[0] = if constant || variance == 0.0 { 0.0 } else { (bar.volume - mean) / variance.sqrt() };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.volume.archive(archive);
    }
}
