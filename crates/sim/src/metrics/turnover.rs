//! Turnover: the value of all fills over the mean equity at the closes, per year.

use super::{Metric, Series};
use crate::ledger::money_f64;

pub(super) fn metric(series: &Series<'_>) -> Metric {
    if series.intervals() == 0 {
        return Err("it needs at least one interval");
    }
    let traded: f64 = series.backtest.fills.iter().map(|fill| money_f64(fill.value().0)).sum();
    let mean = series.equity.iter().sum::<f64>() / series.equity.len() as f64;
    if mean <= 0.0 {
        return Err("the mean equity is not above zero");
    }
    Ok(traded / mean * series.periods_per_year / series.intervals() as f64)
}
