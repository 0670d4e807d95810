//! Round trips: a position from its opening fill to its closing one.

use assay_types::{Money, Price, Qty, Target};
use serde::{Deserialize, Serialize};

use crate::ledger::{Fill, Side};

/// A position, from the fill that opened it to the one that closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundTrip {
    /// Long or short.
    pub side: Target,
    /// When it was opened, milliseconds since 1970 UTC.
    pub opened_at_ms: i64,
    /// When it was closed; `None` while it is open.
    pub closed_at_ms: Option<i64>,
    /// Price of the opening fill.
    pub entry_price: Price,
    /// Price of the closing fill; `None` while it is open.
    pub exit_price: Option<Price>,
    /// Quantity held, above zero.
    pub quantity: Qty,
    /// Fees of both fills.
    pub fees: Money,
    /// Slippage of both fills, rounded down.
    pub slippage: Money,
    /// Cash after the closing fill minus cash before the opening one, all costs
    /// included; `None` while it is open.
    pub profit: Option<Money>,
}

/// Pairs fills that alternate between opening and closing, as every account makes
/// them.
#[must_use]
pub fn round_trips(fills: &[Fill]) -> Vec<RoundTrip> {
    let mut trips: Vec<RoundTrip> = Vec::with_capacity(fills.len().div_ceil(2));
    for fill in fills {
        match (fill.profit, trips.last_mut()) {
            (Some(profit), Some(trip)) => {
                trip.closed_at_ms = Some(fill.time_ms);
                trip.exit_price = Some(fill.price);
                trip.fees.0 += fill.fee.0;
                trip.slippage.0 += fill.slippage().0;
                trip.profit = Some(profit);
            }
            _ => trips.push(RoundTrip {
                side: if fill.side == Side::Buy { Target::Long } else { Target::Short },
                opened_at_ms: fill.time_ms,
                closed_at_ms: None,
                entry_price: fill.price,
                exit_price: None,
                quantity: fill.quantity,
                fees: fill.fee,
                slippage: fill.slippage(),
                profit: None,
            }),
        }
    }
    trips
}

#[cfg(test)]
mod tests {
    use crate::backtest::replay;
    use crate::testing::{hourly, rules};
    use assay_types::{Money, Target};

    #[test]
    fn profits_of_the_trips_add_up_to_the_change_of_cash() {
        let candles = hourly(&["100", "110", "105", "95", "99", "120"]);
        let targets = [Target::Long, Target::Short, Target::Short, Target::Flat, Target::Long];
        let result = replay(&candles, &rules(), 0..6, &targets).unwrap();
        let trips = result.round_trips();
        let sides: Vec<Target> = trips.iter().map(|trip| trip.side).collect();
        assert_eq!(sides, [Target::Long, Target::Short, Target::Long]);
        assert_eq!(trips[2].profit, None);
        let profit: i128 = trips.iter().filter_map(|trip| trip.profit).map(|profit| profit.0).sum();
        assert_eq!(Some(Money(result.cash.0 + profit)), result.account.basis());
        let fees: i128 = result.fills.iter().map(|fill| fill.fee.0).sum();
        assert_eq!(trips.iter().map(|trip| trip.fees.0).sum::<i128>(), fees);
        assert_eq!(trips[0].closed_at_ms, Some(trips[1].opened_at_ms));
    }
}
