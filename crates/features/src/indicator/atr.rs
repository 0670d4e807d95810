//! Average true range: Wilder's average of the true range, also relative to the close.

use super::Indicator;
use super::true_range::true_range;
use crate::archive::Archive;
use crate::bars::Bar;

/// Wilder's average of the true range, in quote units; warm-up n.
#[derive(Debug, Clone)]
pub struct Atr {
    length: u64,
    decay: f64,
    rate: f64,
    seen: u64,
    last_close: f64,
    value: f64,
}

impl Atr {
    /// The average over `length` candles.
    #[must_use]
    pub fn new(length: u64) -> Self {
        let n = length as f64;
        Self { length, decay: (n - 1.0) / n, rate: 1.0 / n, seen: 0, last_close: 0.0, value: 0.0 }
    }

    /// Takes the next candle; the average, or NaN during warm-up.
    pub fn next(&mut self, bar: &Bar) -> f64 {
        let range = true_range(bar.high, bar.low, self.last_close);
        self.last_close = bar.close;
        if self.seen > self.length {
            self.value = self.value * self.decay + range * self.rate;
            return self.value;
        }
        self.seen += 1;
        if self.seen > 1 {
            self.value += range;
        }
        if self.seen <= self.length {
            return f64::NAN;
        }
        self.value /= self.length as f64;
        self.value
    }
}

impl Indicator for Atr {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.next(bar);
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        archive.count(&mut self.seen);
        archive.number(&mut self.last_close);
        archive.number(&mut self.value);
    }
}

/// Average true range in percent of the close; warm-up n.
#[derive(Debug, Clone)]
pub struct Natr(Atr);

impl Natr {
    /// The average over `length` candles.
    #[must_use]
    pub fn new(length: u64) -> Self {
        Self(Atr::new(length))
    }
}

impl Indicator for Natr {
    fn update(&mut self, bar: &Bar, row: &mut [f64]) {
        row[0] = self.0.next(bar) / bar.close * 100.0;
    }

    fn archive(&mut self, archive: &mut Archive<'_>) {
        self.0.archive(archive);
    }
}
