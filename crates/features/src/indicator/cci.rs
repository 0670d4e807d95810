//! Commodity channel index: the typical price's distance from its mean, in mean
//! absolute deviations.

use super::{Indicator, is_noise};
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::Window;

/// Lambert's index with his constant 0.015; warm-up n − 1. Flat prices, and a
/// price within rounding noise of the mean, give 0.
#[derive(Debug, Clone)]
pub struct Cci {
    prices: Window,
}

impl Cci {
    /// The index over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { prices: Window::new(length) }
    }
}

impl Indicator for Cci {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        let price = bar.typical_price();
        self.prices.push(price);
        row[0] = f64::NAN;
        if !self.prices.is_full() {
            return;
        }
        let prices = self.prices.slots();
        let length = prices.len() as f64;
        // Summed by slot, not by age: the order that TA-Lib adds in.
        let mean = prices.iter().fold(0.0, |sum, other| sum + other) / length;
        let deviation = prices.iter().fold(0.0, |sum, other| sum + (other - mean).abs());
        let distance = price - mean;
        let still = is_noise(distance, price) || is_noise(deviation, price * length);
        row[0] = if still { 0.0 } else { distance / (0.015 * (deviation / length)) };
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.prices.archive(archive);
    }
}
