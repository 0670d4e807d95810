//! Total return: last equity over initial cash, minus one. The position left open is
//! marked, not closed.

use super::{Metric, Series};

pub(super) fn metric(series: &Series<'_>) -> Metric {
    Ok((series.equity[series.equity.len() - 1] - series.equity[0]) / series.equity[0])
}
