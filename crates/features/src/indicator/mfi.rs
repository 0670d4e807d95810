//! Money flow index: the share of rising money flow in all flow, 0 to 100.

use super::Indicator;
use crate::archive::Archive;
use crate::bars::Bar;
use crate::window::Window;

/// Typical price × volume, counted up or down with the typical price; warm-up n. A
/// total flow below one quote unit gives 0, as in TA-Lib.
#[derive(Debug, Clone)]
pub struct Mfi {
    /// Flows of the last n candles: positive up, negative down.
    flows: Window,
    last: f64,
    up: f64,
    down: f64,
}

impl Mfi {
    /// The index over `length` moves.
    #[must_use]
    pub fn new(length: usize) -> Self {
        Self { flows: Window::new(length), last: f64::NAN, up: 0.0, down: 0.0 }
    }
}

impl Indicator for Mfi {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = f64::NAN;
        let price = bar.typical_price();
        let change = price - self.last;
        self.last = price;
        if change.is_nan() {
            return;
        }
        if self.flows.is_full() {
            let leaving = self.flows.oldest();
            self.up -= if leaving > 0.0 { leaving } else { 0.0 };
            self.down -= if leaving < 0.0 { -leaving } else { 0.0 };
        }
        let flow = price * bar.volume;
        let (up, down) = (if change > 0.0 { flow } else { 0.0 }, if change < 0.0 { flow } else { 0.0 });
        self.up += up;
        self.down += down;
        self.flows.push(up - down);
        if self.flows.is_full() {
            let both = self.up + self.down;
            row[0] = if both < 1.0 { 0.0 } else { 100.0 * (self.up / both) };
        }
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.flows.archive(archive);
        for value in [&mut self.last, &mut self.up, &mut self.down] {
            archive.number(value);
        }
    }
}
