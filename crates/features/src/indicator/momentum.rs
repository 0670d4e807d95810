//! Momentum: the close's change over n candles, in quote units.

use std::ops::Range;

use super::Indicator;
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
        let (out, start) = (&mut *columns[0], range.start);
        let fast = range.start.max(length).min(range.end);
        out[..fast - start].fill(f64::NAN);
        if fast < range.end {
            let pairs = bars.close[fast..range.end].iter().zip(&bars.close[fast - length..]);
            for (out, (close, before)) in out[fast - start..].iter_mut().zip(pairs) {
                *out = close - before;
            }
        }
        self.closes.catch_up(&bars.close[..range.end]);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.closes.archive(archive);
    }
}
