//! Momentum: the close's change over n candles, in quote units.

use std::ops::Range;

use super::{Indicator, warm_up};
use crate::archive::Archive;
use crate::bars::{Bar, Bars};
use crate::window::Window;

/// close − close n candles ago; warm-up n.
#[derive(Debug, Clone)]
pub struct Momentum {
    closes: Window,
}

impl Momentum {
    /// The change over `length` candles.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { closes: Window::new(length) }
    }
}

impl Indicator for Momentum {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = if self.closes.is_full() { bar.close - self.closes.oldest() } else { f64::NAN };
        self.closes.push(bar.close);
    }

    fn fill(&mut self, bars: &Bars, range: Range<usize>, columns: &mut [&mut [f64]]) {
        let length = self.closes.slots().len();
        let start = range.start;
        let rest = warm_up(self, bars, range, length, columns);
        let before = &bars.close[rest.start.saturating_sub(length)..];
        let pairs = bars.close[rest.clone()].iter().zip(before);
        for (out, (close, before)) in columns[0][rest.start - start..].iter_mut().zip(pairs) {
            *out = close - before;
        }
        self.closes.catch_up(rest.end, &bars.close[..rest.end]);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.closes.archive(archive);
    }
}
