//! Win rate: closed trades with a profit after all their costs, over closed trades.
//! Undefined while no trade has closed. A trade is a position from its opening fill
//! to its closing one; the one left open does not count.

use super::{Metric, Series};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    let closed = count_metric(series)?;
    if closed == 0.0 {
        return Err("no trade closed");
    }
    let won = series.backtest.fills.iter().filter(|fill| fill.profit.is_some_and(|profit| profit.0 > 0)).count();
    Ok(won as f64 / closed)
}

/// Closed trades.
pub(super) fn count_metric(series: &Series<'_>) -> Metric {
    Ok(series.backtest.fills.iter().filter(|fill| fill.profit.is_some()).count() as f64)
}
