//! Money flow index: the share of rising money flow in all flow, 0 to 100.

use super::{Indicator, is_noise};
use crate::archive::Archive;
use crate::bars::Bar;
use crate::sliding::SlidingSums;

/// Typical price × volume, counted up or down with the typical price; warm-up n. A
/// change within rounding noise counts neither way; no flow at all gives 0.
#[derive(Debug, Clone)]
pub struct Mfi {
    last: f64,
    flows: SlidingSums<2>,
}

impl Mfi {
    /// The index over `length` moves.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { last: f64::NAN, flows: SlidingSums::new(length) }
    }
}

impl Indicator for Mfi {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = f64::NAN;
        let price = bar.typical_price();
        let change = price - self.last;
        let still = is_noise(change, price + self.last);
        self.last = price;
        if change.is_nan() {
            return;
        }
        let flow = if still { 0.0 } else { price * bar.volume };
        let up = if change > 0.0 { flow } else { 0.0 };
        let down = if change < 0.0 { flow } else { 0.0 };
        if let Some([up, down]) = self.flows.next([up, down]) {
            let both = up + down;
            row[0] = if both == 0.0 { 0.0 } else { 100.0 * (up / both) };
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.number(&mut self.last);
        self.flows.archive(archive);
    }
}
