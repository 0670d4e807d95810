//! Candles: one timeframe of one symbol, column by column.

use std::ops::Range;

use serde::Serialize;

use crate::fixed::{Price, Qty};
use crate::hash::{Hash, Hasher};
use crate::market::{Dataset, Market};
use crate::time::format_utc;
use crate::timeframe::Timeframe;

/// One candle, identified by its open time and closed at open time + timeframe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candle {
    /// Open time, milliseconds since 1970 UTC.
    pub open_time_ms: i64,
    /// First trade.
    pub open: Price,
    /// Highest trade.
    pub high: Price,
    /// Lowest trade.
    pub low: Price,
    /// Last trade.
    pub close: Price,
    /// Base volume.
    pub volume: Qty,
}

/// Why a candle is not one that a market can print.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CandleError {
    /// A price that is zero or negative.
    #[error("candle {time}: {field} {value} is not above zero", time = format_utc(*.open_time_ms))]
    NotPositive {
        /// Open time of the candle.
        open_time_ms: i64,
        /// Which of the four prices.
        field: &'static str,
        /// Its value.
        value: Price,
    },
    /// A low above, or a high below, another price of the candle.
    #[error("candle {time}: high {high} and low {low} do not enclose open {open} and close {close}", time = format_utc(*.open_time_ms))]
    NotEnclosed {
        /// Open time of the candle.
        open_time_ms: i64,
        /// First trade.
        open: Price,
        /// Highest trade.
        high: Price,
        /// Lowest trade.
        low: Price,
        /// Last trade.
        close: Price,
    },
    /// A negative volume.
    #[error("candle {time}: volume {volume} is negative", time = format_utc(*.open_time_ms))]
    NegativeVolume {
        /// Open time of the candle.
        open_time_ms: i64,
        /// Its volume.
        volume: Qty,
    },
    /// A price or volume above what the exact ledger can multiply without overflow.
    #[error("candle {time}: {field} is above 1e15", time = format_utc(*.open_time_ms))]
    TooLarge {
        /// Open time of the candle.
        open_time_ms: i64,
        /// Which field.
        field: &'static str,
    },
    /// An open time that is not a multiple of the timeframe.
    #[error("candle {time}: the open time is not on the {timeframe} grid", time = format_utc(*.open_time_ms))]
    OffGrid {
        /// Open time of the candle.
        open_time_ms: i64,
        /// The grid it should be on.
        timeframe: Timeframe,
    },
}

/// The largest price or volume accepted: 1e15 units at 1e-12.
pub const MAX_PRICE: i128 = 1_000_000_000_000_000 * 10_i128.pow(Price::SCALE);

impl Candle {
    /// Checks what every real candle satisfies: positive prices that high and low
    /// enclose, no negative volume, an open time on the timeframe's grid.
    ///
    /// # Errors
    /// [`CandleError`] naming the first thing that is wrong.
    pub fn check(&self, timeframe: Timeframe) -> Result<(), CandleError> {
        let open_time_ms = self.open_time_ms;
        for (field, value) in [("open", self.open), ("high", self.high), ("low", self.low), ("close", self.close)] {
            if value <= Price::ZERO {
                return Err(CandleError::NotPositive { open_time_ms, field, value });
            }
            if value.0 > MAX_PRICE {
                return Err(CandleError::TooLarge { open_time_ms, field });
            }
        }
        let Self { open, high, low, close, volume, .. } = *self;
        if high < open.max(close) || low > open.min(close) {
            return Err(CandleError::NotEnclosed { open_time_ms, open, high, low, close });
        }
        if volume < Qty::ZERO {
            return Err(CandleError::NegativeVolume { open_time_ms, volume });
        }
        if volume.0 > MAX_PRICE {
            return Err(CandleError::TooLarge { open_time_ms, field: "volume" });
        }
        if open_time_ms.rem_euclid(timeframe.ms()) != 0 {
            return Err(CandleError::OffGrid { open_time_ms, timeframe });
        }
        Ok(())
    }
}

/// A hole between two neighbouring candles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// Open time of the first missing candle.
    pub from_ms: i64,
    /// Open time of the candle that ends the gap.
    pub to_ms: i64,
    /// How many candles are missing.
    pub missing: u64,
}

/// Candles of one market and timeframe in ascending open time, without duplicates,
/// one column per field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candles {
    /// Where the candles come from.
    pub market: Market,
    /// Length of each candle.
    pub timeframe: Timeframe,
    /// Open times, milliseconds since 1970 UTC, strictly ascending.
    pub open_time_ms: Vec<i64>,
    /// First trades.
    pub open: Vec<Price>,
    /// Highest trades.
    pub high: Vec<Price>,
    /// Lowest trades.
    pub low: Vec<Price>,
    /// Last trades.
    pub close: Vec<Price>,
    /// Base volumes.
    pub volume: Vec<Qty>,
}

impl Candles {
    /// No candles yet.
    #[must_use]
    pub fn new(market: Market, timeframe: Timeframe) -> Self {
        Self {
            market,
            timeframe,
            open_time_ms: Vec::new(),
            open: Vec::new(),
            high: Vec::new(),
            low: Vec::new(),
            close: Vec::new(),
            volume: Vec::new(),
        }
    }

    /// The dataset that these candles belong to.
    #[must_use]
    pub fn dataset(&self) -> Dataset {
        Dataset { market: self.market.clone(), timeframe: self.timeframe }
    }

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
    pub fn push(&mut self, candle: Candle) {
        self.open_time_ms.push(candle.open_time_ms);
        self.open.push(candle.open);
        self.high.push(candle.high);
        self.low.push(candle.low);
        self.close.push(candle.close);
        self.volume.push(candle.volume);
    }

    /// The candle at `index`.
    ///
    /// # Panics
    /// When `index` is not below [`Candles::len`].
    #[must_use]
    pub fn get(&self, index: usize) -> Candle {
        Candle {
            open_time_ms: self.open_time_ms[index],
            open: self.open[index],
            high: self.high[index],
            low: self.low[index],
            close: self.close[index],
            volume: self.volume[index],
        }
    }

    /// Every candle in order.
    pub fn iter(&self) -> impl Iterator<Item = Candle> + '_ {
        (0..self.len()).map(|index| self.get(index))
    }

    /// When the candle at `index` closes: its open time plus the timeframe.
    ///
    /// # Panics
    /// When `index` is not below [`Candles::len`].
    #[must_use]
    pub fn close_time_ms(&self, index: usize) -> i64 {
        self.open_time_ms[index] + self.timeframe.ms()
    }

    /// The indices of candles that open in `[from_ms, to_ms)`.
    #[must_use]
    pub fn range(&self, from_ms: i64, to_ms: i64) -> Range<usize> {
        let start = self.open_time_ms.partition_point(|&time| time < from_ms);
        let end = self.open_time_ms.partition_point(|&time| time < to_ms);
        start..end.max(start)
    }

    /// A copy of the candles at `range`.
    ///
    /// # Panics
    /// When `range` reaches past the end.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        Self {
            market: self.market.clone(),
            timeframe: self.timeframe,
            open_time_ms: self.open_time_ms[range.clone()].to_vec(),
            open: self.open[range.clone()].to_vec(),
            high: self.high[range.clone()].to_vec(),
            low: self.low[range.clone()].to_vec(),
            close: self.close[range.clone()].to_vec(),
            volume: self.volume[range].to_vec(),
        }
    }

    /// Every hole between neighbouring candles, in order.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let step = self.timeframe.ms();
        let pairs = self.open_time_ms.windows(2);
        pairs
            .filter(|pair| pair[1] - pair[0] > step)
            .map(|pair| Gap {
                from_ms: pair[0] + step,
                to_ms: pair[1],
                missing: ((pair[1] - pair[0]) / step - 1) as u64,
            })
            .collect()
    }

    /// `data_hash` of R1: what identifies these candles whatever file they came from.
    #[must_use]
    pub fn data_hash(&self) -> Hash {
        const ROW: usize = 8 + 5 * 16;
        let Market { exchange, symbol } = &self.market;
        let mut hasher = Hasher::with_prefix(&format!("assay/candles/1\n{exchange}\n{symbol}\n{}\n", self.timeframe));
        let mut block = Vec::with_capacity(ROW * 256);
        for candle in self.iter() {
            block.extend_from_slice(&candle.open_time_ms.to_le_bytes());
            for value in [candle.open.0, candle.high.0, candle.low.0, candle.close.0, candle.volume.0] {
                block.extend_from_slice(&value.to_le_bytes());
            }
            if block.len() == ROW * 256 {
                hasher.update(&block);
                block.clear();
            }
        }
        hasher.update(&block);
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candle(open_time_ms: i64) -> Candle {
        let price = |text: &str| text.parse().unwrap();
        Candle {
            open_time_ms,
            open: price("10"),
            high: price("12"),
            low: price("9.5"),
            close: price("11"),
            volume: "3.25".parse().unwrap(),
        }
    }

    fn hourly(hours: &[i64]) -> Candles {
        let mut candles = Candles::new(Market::new("binance", "BTC-USDT").unwrap(), Timeframe::H1);
        hours.iter().for_each(|hour| candles.push(candle(hour * Timeframe::H1.ms())));
        candles
    }

    #[test]
    fn impossible_candles_are_refused() {
        let good = candle(0);
        assert_eq!(good.check(Timeframe::H1), Ok(()));
        let zero = Candle { low: Price::ZERO, ..good };
        assert!(matches!(zero.check(Timeframe::H1), Err(CandleError::NotPositive { field: "low", .. })));
        let inverted = Candle { high: good.low, low: good.high, ..good };
        assert!(matches!(inverted.check(Timeframe::H1), Err(CandleError::NotEnclosed { .. })));
        let negative = Candle { volume: Qty(-1), ..good };
        assert!(matches!(negative.check(Timeframe::H1), Err(CandleError::NegativeVolume { .. })));
        let shifted = Candle { open_time_ms: 1, ..good };
        assert!(matches!(shifted.check(Timeframe::H1), Err(CandleError::OffGrid { .. })));
        let huge = Candle { high: Price(MAX_PRICE + 1), ..good };
        assert!(matches!(huge.check(Timeframe::H1), Err(CandleError::TooLarge { .. })));
    }

    #[test]
    fn gaps_are_counted_in_missing_candles() {
        let candles = hourly(&[0, 1, 4, 5, 7]);
        let hour = Timeframe::H1.ms();
        let expected = [
            Gap { from_ms: 2 * hour, to_ms: 4 * hour, missing: 2 },
            Gap { from_ms: 6 * hour, to_ms: 7 * hour, missing: 1 },
        ];
        assert_eq!(candles.gaps(), expected);
        assert_eq!(candles.range(hour, 5 * hour), 1..3);
        assert_eq!(candles.range(5 * hour, hour), 3..3);
    }

    #[test]
    fn the_data_hash_is_over_the_documented_bytes() {
        let candles = hourly(&[0]);
        let mut bytes = b"assay/candles/1\nbinance\nBTC-USDT\n1h\n".to_vec();
        bytes.extend_from_slice(&0_i64.to_le_bytes());
        for value in
            [10_000_000_000_000_i128, 12_000_000_000_000, 9_500_000_000_000, 11_000_000_000_000, 3_250_000_000_000]
        {
            bytes.extend_from_slice(&value.to_le_bytes());
        }
        assert_eq!(candles.data_hash(), Hash::of(&bytes));
    }
}
