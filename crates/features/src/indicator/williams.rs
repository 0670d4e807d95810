//! Williams %R: how far the close lies below the highest of the last n candles.

use std::ops::Range;

use super::{Indicator, is_noise, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::window::{Extremes, Window, highest, lowest};

/// −100 (at the low) to 0 (at the high); warm-up n − 1. A range of rounding noise
/// gives 0.
#[derive(Debug, Clone)]
pub struct WilliamsR {
    high: Window,
    low: Window,
    extremes: Extremes,
}

impl WilliamsR {
    /// The oscillator over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { high: Window::new(length), low: Window::new(length), extremes: Extremes::default() }
    }
}

/// The close's place in a range, −100 to 0; 0 when the range is rounding noise.
fn place(highest: f64, lowest: f64, close: f64) -> f64 {
    let range = highest - lowest;
    let place = (highest - close) / range * -100.0;
    if is_noise(range, highest + lowest) { 0.0 } else { place }
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

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let length = self.high.slots().len();
        let start = range.start;
        let rest = warm_up(self, bars, range, length - 1, columns);
        if rest.is_empty() {
            return;
        }
        let (high, low) = self.extremes.of(bars, rest.clone(), length);
        let prices = high.iter().zip(low).zip(&bars.close[rest.clone()]);
        for (out, ((high, low), close)) in columns[0][rest.start - start..].iter_mut().zip(prices) {
            *out = place(*high, *low, *close);
        }
        self.high.catch_up(rest.end, &bars.high[..rest.end]);
        self.low.catch_up(rest.end, &bars.low[..rest.end]);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.high.archive(archive);
        self.low.archive(archive);
    }
}
