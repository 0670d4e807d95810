//! Calmar ratio: growth rate over the size of the largest drawdown, both of the whole
//! range. Undefined when the equity was lost or never fell.

use super::{Metric, Series, cagr, drawdown};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    let rate = cagr::metric(series)?;
    let depth = drawdown::metric(series)?;
    if depth == 0.0 { Err("the equity never fell") } else { Ok(rate / -depth) }
}
