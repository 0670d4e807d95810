//! Realised volatility: the root mean square of recent log returns, per candle.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::sliding::SlidingSums;

/// sqrt(Σ ln(close / last close)² / n) over the last n returns, not annualised;
/// warm-up n.
#[derive(Debug, Clone)]
pub struct RealisedVolatility {
    last_close: f64,
    squares: SlidingSums<1>,
}

impl RealisedVolatility {
    /// The volatility over `length` returns.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { last_close: f64::NAN, squares: SlidingSums::new(length) }
    }
}

impl Indicator for RealisedVolatility {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = f64::NAN;
        let last_close = std::mem::replace(&mut self.last_close, bar.close);
        if last_close.is_nan() {
            return;
        }
        let change = libm::log(bar.close / last_close);
        if let Some([sum]) = self.squares.next([change * change]) {
            row[0] = (sum / self.squares.length()).sqrt();
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last_close);
        self.squares.archive(archive);
    }
}
