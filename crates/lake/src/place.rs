//! What a dataset is called and where it lies.

use std::fmt;
use std::str::FromStr;

use assay_types::{Dataset, Market, MarketError};
use object_store::path::Path as ObjectPath;
use serde::Serialize;

/// Which trades a dataset holds; their ids count different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TradeKind {
    /// Single executions.
    Single,
    /// Aggregates: what one taker order filled at one price.
    Aggregate,
}

impl TradeKind {
    /// The last part of a trade dataset's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "trades",
            Self::Aggregate => "aggregate-trades",
        }
    }
}

/// The name of a trade dataset: `binance/XRP-ETH/aggregate-trades`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TradeSet {
    /// The market.
    pub market: Market,
    /// What one row is.
    pub kind: TradeKind,
}

impl fmt::Display for TradeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.market, self.kind.name())
    }
}

impl FromStr for TradeSet {
    type Err = MarketError;
    fn from_str(text: &str) -> Result<Self, MarketError> {
        let parts: Vec<&str> = text.split('/').collect();
        let [exchange, symbol, kind] = parts[..] else { return Err(MarketError::Dataset(text.to_owned())) };
        let kind = [TradeKind::Single, TradeKind::Aggregate].into_iter().find(|known| known.name() == kind);
        let kind = kind.ok_or_else(|| MarketError::Dataset(text.to_owned()))?;
        Ok(Self { market: Market::new(exchange, symbol)?, kind })
    }
}

impl Serialize for TradeSet {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The folder of a dataset inside the store, and what a row of it spans.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Name for people.
    pub name: String,
    /// Folder for objects.
    pub folder: ObjectPath,
    /// Distance of neighbouring rows; `None` for trades, which have none.
    pub step_ms: Option<i64>,
}

impl Place {
    /// Where candles lie.
    pub(crate) fn of_candles(dataset: &Dataset) -> Self {
        let Market { exchange, symbol } = &dataset.market;
        Self {
            name: dataset.to_string(),
            folder: ObjectPath::from(format!("candles/{exchange}/{symbol}/{}", dataset.timeframe)),
            step_ms: Some(dataset.timeframe.ms()),
        }
    }

    /// Where trades lie.
    pub(crate) fn of_trades(set: &TradeSet) -> Self {
        let Market { exchange, symbol } = &set.market;
        Self {
            name: set.to_string(),
            folder: ObjectPath::from(format!("trades/{exchange}/{symbol}/{}", set.kind.name())),
            step_ms: None,
        }
    }

    /// An object beside the manifest.
    pub(crate) fn object(&self, file: &str) -> ObjectPath {
        self.folder.clone().join(file)
    }
}
