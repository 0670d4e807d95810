//! Compound annual growth rate by count: `(E_N / E_0)^(P / N) − 1` over N intervals.
//! Undefined without an interval and when the equity was lost.

use super::{Metric, Series};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    let intervals = series.intervals();
    if intervals == 0 {
        return Err("it needs at least one interval");
    }
    let growth = series.growth();
    if growth <= 0.0 {
        return Err("the equity was lost");
    }
    let rate = libm::pow(growth, series.periods_per_year / intervals as f64) - 1.0;
    if rate.is_finite() { Ok(rate) } else { Err("the range is too short to extrapolate its growth to a year") }
}
