//! Candles as binary floats: the form in which indicators read them.

use std::ops::Range;

use assay_types::{Candle, Candles};

/// One candle in quote and base units.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// Open time, milliseconds since 1970 UTC.
    pub open_time_ms: i64,
    /// First trade.
    pub open: f64,
    /// Highest trade.
    pub high: f64,
    /// Lowest trade.
    pub low: f64,
    /// Last trade.
    pub close: f64,
    /// Base volume.
    pub volume: f64,
}

impl Bar {
    /// The typical price, (high + low + close) / 3.
    #[must_use]
    pub fn typical_price(&self) -> f64 {
        typical_price(self.high, self.low, self.close)
    }
}

fn typical_price(high: f64, low: f64, close: f64) -> f64 {
    (high + low + close) / 3.0
}

impl From<&Candle> for Bar {
    fn from(candle: &Candle) -> Self {
        Self {
            open_time_ms: candle.open_time_ms,
            open: candle.open.to_f64(),
            high: candle.high.to_f64(),
            low: candle.low.to_f64(),
            close: candle.close.to_f64(),
            volume: candle.volume.to_f64(),
        }
    }
}

/// Candles column by column; every column has the same length.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Bars {
    /// Open times, milliseconds since 1970 UTC, ascending.
    pub open_time_ms: Vec<i64>,
    /// First trades.
    pub open: Vec<f64>,
    /// Highest trades.
    pub high: Vec<f64>,
    /// Lowest trades.
    pub low: Vec<f64>,
    /// Last trades.
    pub close: Vec<f64>,
    /// Base volumes.
    pub volume: Vec<f64>,
}

impl Bars {
    /// Number of candles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time_ms.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time_ms.is_empty()
    }

    /// Appends a candle; the caller keeps the order.
    pub fn push(&mut self, bar: Bar) {
        self.open_time_ms.push(bar.open_time_ms);
        self.open.push(bar.open);
        self.high.push(bar.high);
        self.low.push(bar.low);
        self.close.push(bar.close);
        self.volume.push(bar.volume);
    }

    /// The candle at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Bars::len`].
    #[must_use]
    pub fn get(&self, index: usize) -> Bar {
        Bar {
            open_time_ms: self.open_time_ms[index],
            open: self.open[index],
            high: self.high[index],
            low: self.low[index],
            close: self.close[index],
            volume: self.volume[index],
        }
    }

    /// Replaces `prices` by the typical prices of the candles of `range`.
    ///
    /// # Panics
    /// When the range reaches past the end.
    pub fn typical_prices(&self, range: Range<usize>, prices: &mut Vec<f64>) {
        prices.resize(range.len(), 0.0);
        let candles = self.high[range.clone()].iter().zip(&self.low[range.clone()]).zip(&self.close[range]);
        for (price, ((high, low), close)) in prices.iter_mut().zip(candles) {
            *price = typical_price(*high, *low, *close);
        }
    }
}

impl From<&Candles> for Bars {
    fn from(candles: &Candles) -> Self {
        Self {
            open_time_ms: candles.open_time_ms.clone(),
            open: candles.open.iter().map(|price| price.to_f64()).collect(),
            high: candles.high.iter().map(|price| price.to_f64()).collect(),
            low: candles.low.iter().map(|price| price.to_f64()).collect(),
            close: candles.close.iter().map(|price| price.to_f64()).collect(),
            volume: candles.volume.iter().map(|quantity| quantity.to_f64()).collect(),
        }
    }
}
