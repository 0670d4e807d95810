//! Volume-weighted average price of the last n candles, and the close's distance.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::Window;

/// close / VWAP − 1, with VWAP = Σ typical price · volume / Σ volume over the last n
/// candles; warm-up n − 1. No volume gives 0.
#[derive(Debug, Clone)]
pub struct VwapDistance {
    flow: Window,
    volume: Window,
}

impl VwapDistance {
    /// The distance from the average over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { flow: Window::new(length), volume: Window::new(length) }
    }
}

impl Indicator for VwapDistance {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        self.flow.push(bar.typical_price() * bar.volume);
        self.volume.push(bar.volume);
        row[0] = f64::NAN;
        if self.flow.is_full() {
            let flow: f64 = self.flow.iter().sum();
            let volume: f64 = self.volume.iter().sum();
            row[0] = if flow == 0.0 { 0.0 } else { bar.close / (flow / volume) - 1.0 };
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.flow.archive(archive);
        self.volume.archive(archive);
    }
}
