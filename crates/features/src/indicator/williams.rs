//! Williams %R: how far the close lies below the highest of the last n candles.

use super::{Indicator, is_noise};
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::{Window, highest, lowest};

/// −100 (at the low) to 0 (at the high); warm-up n − 1. A range of
/// rounding noise gives 0.
#[derive(Debug, Clone)]
pub struct WilliamsR {
    high: Window,
    low: Window,
}

impl WilliamsR {
    /// The oscillator over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { high: Window::new(length), low: Window::new(length) }
    }
}

/// The close's place in a range, −100 to 0; 0 when the range is empty.
fn place(highest: f64, lowest: f64, close: f64) -> f64 {
    let unit = (highest - lowest) / -100.0;
    if is_noise(highest - lowest, highest + lowest) { 0.0 } else { (highest - close) / unit }
}

impl Indicator for WilliamsR {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        self.high.push(bar.high);
        self.low.push(bar.low);
        row[0] = if self.high.is_full() {
            place(highest(self.high.slots()), lowest(self.low.slots()), bar.close)
        } else {
            f64::NAN
        };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.high.archive(archive);
        self.low.archive(archive);
    }
}
