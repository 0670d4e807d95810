//! Exposure: the share of intervals between closes at whose end a position was held.

use super::{Metric, Series};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    if series.intervals() == 0 {
        return Err("it needs at least one interval");
    }
    Ok(series.backtest.exposed as f64 / series.intervals() as f64)
}
