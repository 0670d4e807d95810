//! Profit factor: the sum of profits of closed trades over the sum of their losses.
//! Undefined while no trade closed with a loss.

use super::{Metric, Series};
use crate::ledger::money_f64;

pub(super) fn metric(series: &Series<'_>) -> Metric {
    let (mut profits, mut losses, mut closed) = (0.0, 0.0, false);
    for profit in series.backtest.fills.iter().filter_map(|fill| fill.profit) {
        closed = true;
        let amount = money_f64(profit.0);
        if amount > 0.0 {
            profits += amount;
        } else {
            losses -= amount;
        }
    }
    match (closed, losses > 0.0) {
        (false, _) => Err("no trade closed"),
        (true, false) => Err("no trade closed with a loss"),
        (true, true) => Ok(profits / losses),
    }
}
