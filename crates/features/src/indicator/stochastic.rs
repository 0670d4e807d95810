//! Stochastic oscillator: where the close lies in the range of the last n candles.

use super::{Indicator, is_noise};
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::{Window, highest, lowest};

/// Slow %K and slow %D, 0 to 100; warm-up n + k + d − 3. A range of
/// rounding noise gives 0.
#[derive(Debug, Clone)]
pub struct Stochastic {
    high: Window,
    low: Window,
    fast: Window,
    slow: Window,
}

impl Stochastic {
    /// The oscillator over `length` candles, smoothed by simple means of `k` and `d`.
    #[must_use]
    pub fn new(length: usize, k: usize, d: usize) -> Self {
        Self { high: Window::new(length), low: Window::new(length), fast: Window::new(k), slow: Window::new(d) }
    }
}

/// The close's place in a range, 0 to 100; 0 when the range is empty.
fn place(highest: f64, lowest: f64, close: f64) -> f64 {
    let unit = (highest - lowest) / 100.0;
    if is_noise(highest - lowest, highest + lowest) { 0.0 } else { (close - lowest) / unit }
}

fn mean(window: &Window) -> f64 {
    window.iter().fold(0.0, |sum, value| sum + value) / window.slots().len() as f64
}

impl Indicator for Stochastic {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row.fill(f64::NAN);
        self.high.push(bar.high);
        self.low.push(bar.low);
        if !self.high.is_full() {
            return;
        }
        self.fast.push(place(highest(self.high.slots()), lowest(self.low.slots()), bar.close));
        if !self.fast.is_full() {
            return;
        }
        let slow = mean(&self.fast);
        self.slow.push(slow);
        if self.slow.is_full() {
            row.copy_from_slice(&[slow, mean(&self.slow)]);
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        for window in [&mut self.high, &mut self.low, &mut self.fast, &mut self.slow] {
            window.archive(archive);
        }
    }
}
