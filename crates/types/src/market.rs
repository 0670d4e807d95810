//! Markets and the rules of their instruments.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::fixed::{Price, Qty};
use crate::timeframe::Timeframe;

/// Why a market or dataset name is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarketError {
    /// An exchange name with other characters than a–z, 0–9, `-` and `_`.
    #[error("`{0}` is not an exchange name: use lower-case letters, digits, `-` and `_`, at most 32")]
    Exchange(String),
    /// A symbol that is not BASE-QUOTE.
    #[error("`{0}` is not a symbol: write it as BASE-QUOTE, such as BTC-USDT")]
    Symbol(String),
    /// A dataset name that is not exchange/symbol/timeframe.
    #[error("`{0}` is not a dataset: write it as exchange/SYMBOL/timeframe, such as binance/BTC-USDT/1h")]
    Dataset(String),
}

/// A symbol on an exchange.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Market {
    /// Lower-case name of the exchange, such as `binance`.
    pub exchange: String,
    /// Normalised symbol, such as `BTC-USDT`; a suffix such as `-PERP` may follow.
    pub symbol: String,
}

impl Market {
    /// Checks both names.
    ///
    /// # Errors
    /// [`MarketError`] naming what is wrong.
    pub fn new(exchange: &str, symbol: &str) -> Result<Self, MarketError> {
        let exchange_ok = (1..=32).contains(&exchange.len())
            && exchange.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
        if !exchange_ok {
            return Err(MarketError::Exchange(exchange.to_owned()));
        }
        let parts: Vec<&str> = symbol.split('-').collect();
        let part_ok = |part: &&str| {
            (1..=16).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        };
        if !(2..=3).contains(&parts.len()) || !parts.iter().all(part_ok) {
            return Err(MarketError::Symbol(symbol.to_owned()));
        }
        Ok(Self { exchange: exchange.to_owned(), symbol: symbol.to_owned() })
    }
}

impl fmt::Display for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.exchange, self.symbol)
    }
}

/// The name of a candle dataset: `exchange/SYMBOL/timeframe`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Dataset {
    /// The market.
    pub market: Market,
    /// The length of its candles.
    pub timeframe: Timeframe,
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.market, self.timeframe)
    }
}

impl FromStr for Dataset {
    type Err = MarketError;
    fn from_str(text: &str) -> Result<Self, MarketError> {
        let error = || MarketError::Dataset(text.chars().take(80).collect());
        let parts: Vec<&str> = text.split('/').collect();
        let [exchange, symbol, timeframe] = parts[..] else { return Err(error()) };
        let timeframe = timeframe.parse().map_err(|_| error())?;
        Ok(Self { market: Market::new(exchange, symbol)?, timeframe })
    }
}

impl Serialize for Dataset {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Dataset {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What an exchange fixes about a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Instrument {
    /// Smallest price change.
    pub tick: Price,
    /// Smallest quantity.
    pub step: Qty,
    /// Taker fee per side in parts per million (1,000 = 0.10 %).
    pub fee_ppm: u32,
}

/// Price ticks and quantity steps of common symbols: exchange, symbol, tick, step.
/// One line per instrument; an unknown symbol needs an explicit tick.
const INSTRUMENTS: &[(&str, &str, &str, &str)] = &[
    ("binance", "BTC-USDT", "0.01", "0.00001"),
    ("binance", "ETH-USDT", "0.01", "0.0001"),
    ("binance", "BNB-USDT", "0.01", "0.001"),
    ("binance", "SOL-USDT", "0.01", "0.001"),
    ("binance", "XRP-USDT", "0.0001", "0.1"),
    ("binance", "DOGE-USDT", "0.00001", "1"),
    ("binance", "ADA-USDT", "0.0001", "0.1"),
    ("binance", "LTC-USDT", "0.01", "0.001"),
    ("binance", "ETH-BTC", "0.00001", "0.0001"),
    ("binance", "XRP-ETH", "0.00000001", "1"),
    ("coinbase", "BTC-USD", "0.01", "0.00000001"),
    ("coinbase", "ETH-USD", "0.01", "0.00000001"),
    ("coinbase", "SOL-USD", "0.01", "0.00000001"),
    ("bybit", "BTC-USDT", "0.01", "0.000001"),
    ("bybit", "ETH-USDT", "0.01", "0.00001"),
    ("bybit", "BTC-USDT-PERP", "0.1", "0.001"),
    ("bybit", "ETH-USDT-PERP", "0.01", "0.01"),
    ("kucoin", "BTC-USDT", "0.1", "0.00000001"),
    ("kucoin", "ETH-USDT", "0.01", "0.0000001"),
    ("synthetic", "BTC-USD", "0.01", "0.00001"),
];

/// The taker fee of every listed spot exchange's first tier: 0.10 % per side.
pub const DEFAULT_FEE_PPM: u32 = 1_000;

/// The rules of `market`, when its symbol is in the shipped table.
#[must_use]
pub fn instrument(market: &Market) -> Option<Instrument> {
    let row = INSTRUMENTS.iter().find(|row| row.0 == market.exchange && row.1 == market.symbol)?;
    Some(Instrument {
        tick: row.2.parse().expect("the table holds decimal text"),
        step: row.3.parse().expect("the table holds decimal text"),
        fee_ppm: DEFAULT_FEE_PPM,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_instrument_of_the_table_reads() {
        for (exchange, symbol, tick, step) in INSTRUMENTS {
            let rules = instrument(&Market::new(exchange, symbol).unwrap()).unwrap();
            assert_eq!(rules.tick.to_string(), *tick);
            assert_eq!(rules.step.to_string(), *step);
        }
        assert!(instrument(&Market::new("binance", "NO-SUCH").unwrap()).is_none());
    }

    #[test]
    fn names_are_checked() {
        for (exchange, symbol) in [("Binance", "BTC-USDT"), ("", "BTC-USDT"), ("a/b", "BTC-USDT"), ("..", "A-B")] {
            assert!(matches!(Market::new(exchange, symbol), Err(MarketError::Exchange(_))), "{exchange}");
        }
        for symbol in ["BTCUSDT", "btc-usdt", "BTC-", "BTC/USDT", "A-B-C-D"] {
            assert!(matches!(Market::new("binance", symbol), Err(MarketError::Symbol(_))), "{symbol}");
        }
        let dataset: Dataset = "binance/BTC-USDT/60m".parse().unwrap();
        assert_eq!(dataset.to_string(), "binance/BTC-USDT/1h");
        assert!("binance/BTC-USDT".parse::<Dataset>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn a_name_that_is_taken_reads_back(text in "[a-z]{1,9}/[A-Z0-9-]{1,12}/[0-9]{1,2}[mhd]", other in ".{0,60}") {
            for text in [text, other] {
                if let Ok(dataset) = text.parse::<Dataset>() {
                    proptest::prop_assert_eq!(dataset.to_string().parse(), Ok(dataset));
                }
            }
        }
    }
}
