//! Sharpe ratio of daily returns: the last equity of each UTC day that has a candle,
//! annualised by √365. It assumes less about the independence of neighbouring
//! candles than the ratio by candle. A candle belongs to the day it opens in.

use assay_types::time::DAY_MS;

use super::{Metric, Moments, Series, returns, sharpe};

const DAYS_PER_YEAR: f64 = 365.0;

pub(super) fn metric(series: &Series<'_>) -> Metric {
    let times = &series.backtest.time_ms;
    // Close times are exclusive ends: the last instant of a candle is just before.
    let mut next_day_ms = i64::MIN;
    let mut days: Vec<f64> = Vec::new();
    for (&time_ms, &equity) in times.iter().zip(&series.equity) {
        let instant = time_ms - 1;
        if instant >= next_day_ms {
            next_day_ms = (instant.div_euclid(DAY_MS) + 1) * DAY_MS;
            days.push(equity);
        } else if let Some(last) = days.last_mut() {
            *last = equity;
        }
    }
    if days.len() < 3 {
        return Err("it needs at least three days");
    }
    sharpe::annualised(&Moments::of(&returns(&days)), DAYS_PER_YEAR)
}
