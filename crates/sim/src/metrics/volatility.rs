//! Volatility: standard deviation (ddof 1) of the returns times √P.

use super::{Metric, Series};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    if series.moments.count < 2 {
        return Err("it needs at least two returns");
    }
    Ok(series.moments.deviation * series.periods_per_year.sqrt())
}
