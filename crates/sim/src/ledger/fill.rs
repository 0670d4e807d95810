//! One execution, and the pair that a change of target can make.

use assay_types::{Money, Price, Qty};
use serde::{Deserialize, Serialize};

use crate::ledger::amount::Amount;

/// Which way an execution goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Base is bought: a long opens or a short closes.
    Buy,
    /// Base is sold: a short opens or a long closes.
    Sell,
}

impl Side {
    /// `buy` or `sell`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Sell => "sell",
        }
    }
}

/// One execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fill {
    /// When it executes: a close time, or an open time under the `next_open` rule.
    /// Milliseconds since 1970 UTC.
    pub time_ms: i64,
    /// Which way.
    pub side: Side,
    /// Price after slippage.
    pub price: Price,
    /// Price before slippage: the close, or the next open.
    pub reference: Price,
    /// Quantity, above zero.
    pub quantity: Qty,
    /// Fee paid.
    pub fee: Money,
    /// Cash just after.
    pub cash_after: Money,
    /// For a fill that closes a position: cash after it minus cash before the
    /// position was opened, all costs included. `None` for a fill that opens one.
    pub profit: Option<Money>,
}

impl Fill {
    /// What slippage cost: quantity times the distance from the reference price,
    /// rounded down.
    ///
    /// # Panics
    /// For a fill that no account made: a negative quantity, or beyond 128 bits.
    #[must_use]
    pub fn slippage(&self) -> Money {
        let distance = (self.price.0 - self.reference.0).abs();
        let amount = Amount::new(self.quantity.0, distance).expect("a part of a value that fitted fits");
        Money(amount.floor)
    }

    /// Quantity times price, rounded down.
    ///
    /// # Panics
    /// For a fill that no account made: a negative quantity, or beyond 128 bits.
    #[must_use]
    pub fn value(&self) -> Money {
        Money(Amount::new(self.quantity.0, self.price.0).expect("the value fitted when the fill was made").floor)
    }
}

/// The executions of one change of target: the old position's closing one first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fills {
    /// Closes the old position.
    pub closing: Option<Fill>,
    /// Opens the new one.
    pub opening: Option<Fill>,
}

impl Fills {
    /// No execution.
    pub const NONE: Self = Self { closing: None, opening: None };

    /// The executions in order.
    pub fn iter(&self) -> impl Iterator<Item = &Fill> {
        self.closing.iter().chain(&self.opening)
    }

    /// How many there are, 0 to 2.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::from(self.closing.is_some()) + u32::from(self.opening.is_some())
    }
}
