//! Trades ("ticks"): single executions on an exchange.

use crate::fixed::{Price, Qty};

/// Which side took liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TakerSide {
    /// The taker bought.
    Buy,
    /// The taker sold.
    Sell,
}

/// One trade, or one aggregate of trades that one taker order made at one price.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trade {
    /// The exchange's own, ascending number.
    pub id: u64,
    /// Time of execution, milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Price in quote units.
    pub price: Price,
    /// Quantity in base units.
    pub quantity: Qty,
    /// Who took liquidity.
    pub taker: TakerSide,
}
