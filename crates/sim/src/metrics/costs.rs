//! Costs paid, in quote money: fees, slippage, their sum, and beside it what closing
//! the position left open would cost.

use assay_types::Money;

use super::{Metric, Series};
use crate::ledger::Fill;

fn sum(series: &Series<'_>, cost: impl Fn(&Fill) -> Money) -> f64 {
    Money(series.backtest.fills.iter().map(|fill| cost(fill).0).sum()).to_f64()
}

pub(super) fn fees_metric(series: &Series<'_>) -> Metric {
    Ok(sum(series, |fill| fill.fee))
}

pub(super) fn slippage_metric(series: &Series<'_>) -> Metric {
    Ok(sum(series, Fill::slippage))
}

pub(super) fn metric(series: &Series<'_>) -> Metric {
    Ok(sum(series, |fill| Money(fill.fee.0 + fill.slippage().0)))
}

pub(super) fn closing_metric(series: &Series<'_>) -> Metric {
    Ok(series.backtest.closing_cost.to_f64())
}
