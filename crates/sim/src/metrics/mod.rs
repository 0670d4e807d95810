//! Metrics: what a back-test is worth. One file each, one line in [`METRICS`].
//!
//! A metric that is undefined says why and is never zero, infinite or NaN instead.
//! Statistics are on the simple returns between closes; the interval from the first
//! open to the first close, in which no position can exist, is left out. Everything
//! is summed in one fixed order, so that the same back-test has the same metrics to
//! the bit.

mod buy_and_hold;
mod cagr;
mod calmar;
mod costs;
mod deflated_sharpe;
mod drawdown;
mod exposure;
mod moments;
mod months;
mod normal;
mod probabilistic_sharpe;
mod profit_factor;
mod sharpe;
mod sharpe_daily;
mod sortino;
mod total_return;
mod turnover;
mod volatility;
mod win_rate;

use assay_types::Candles;
use serde::ser::{Serialize, SerializeMap, Serializer};

use crate::backtest::Backtest;
use crate::error::SimError;
use crate::ledger::money_f64;
use crate::rules::Rules;
pub use deflated_sharpe::{Trials, deflated_sharpe};
pub use drawdown::{Drawdown, worst_drawdowns};
pub use moments::Moments;
pub use months::{MonthReturn, month_returns};
pub use probabilistic_sharpe::probabilistic_sharpe;
pub use sharpe::sharpe;
pub use sortino::sortino;

/// A metric's value, or the reason why it has none.
pub type Metric = Result<f64, &'static str>;

/// Computes one metric.
pub type MetricFunction = fn(&Series<'_>) -> Metric;

/// Every metric, by its name in reports. Ratios and returns are fractions (0.1 is
/// 10 %), amounts are in quote money, durations in days.
pub const METRICS: &[(&str, MetricFunction)] = &[
    ("total_return", total_return::metric),
    ("buy_and_hold_return", buy_and_hold::metric),
    ("excess_return", buy_and_hold::excess_metric),
    ("cagr", cagr::metric),
    ("volatility", volatility::metric),
    ("sharpe", sharpe::metric),
    ("sharpe_daily", sharpe_daily::metric),
    ("sortino", sortino::metric),
    ("calmar", calmar::metric),
    ("max_drawdown", drawdown::metric),
    ("max_drawdown_duration_days", drawdown::duration_metric),
    ("probabilistic_sharpe", probabilistic_sharpe::metric),
    ("deflated_sharpe", deflated_sharpe::metric),
    ("exposure", exposure::metric),
    ("turnover", turnover::metric),
    ("trades", win_rate::count_metric),
    ("win_rate", win_rate::metric),
    ("profit_factor", profit_factor::metric),
    ("fees", costs::fees_metric),
    ("slippage", costs::slippage_metric),
    ("costs", costs::metric),
    ("closing_cost", costs::closing_metric),
];

/// How many drawdowns a report lists.
pub const WORST_DRAWDOWNS: usize = 5;

/// What metrics are computed from: a back-test and what several of them share.
#[derive(Debug)]
pub struct Series<'a> {
    backtest: &'a Backtest,
    periods_per_year: f64,
    /// Equity at each close, in units of 1e-8.
    equity: Vec<f64>,
    /// Simple return of each interval between closes.
    moments: Moments,
    worst_drawdowns: Vec<Drawdown>,
    buy_and_hold_return: f64,
    trials: Trials,
}

impl Series<'_> {
    /// Number of intervals between closes.
    fn intervals(&self) -> usize {
        self.equity.len() - 1
    }

    /// Equity at the last close over the initial cash.
    fn growth(&self) -> f64 {
        self.equity[self.equity.len() - 1] / self.equity[0]
    }
}

/// The values of [`METRICS`], in that order. Serialises as one object with a number
/// or `null` for each name and, under `reasons`, why the `null`s are.
#[derive(Debug, Clone, PartialEq)]
pub struct Metrics(Vec<(&'static str, Metric)>);

impl Metrics {
    /// The value of `name`; `None` when it is undefined or no metric.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        self.iter().find(|metric| metric.0 == name)?.1.ok()
    }

    /// Why `name` is undefined; `None` when it is not.
    #[must_use]
    pub fn reason(&self, name: &str) -> Option<&'static str> {
        self.iter().find(|metric| metric.0 == name)?.1.err()
    }

    /// Every metric with its value or reason.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, Metric)> + '_ {
        self.0.iter().copied()
    }
}

impl Serialize for Metrics {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len() + 1))?;
        for (name, metric) in self.iter() {
            map.serialize_entry(name, &metric.ok())?;
        }
        let reasons: std::collections::BTreeMap<_, _> =
            self.iter().filter_map(|(name, metric)| Some((name, metric.err()?))).collect();
        map.serialize_entry("reasons", &reasons)?;
        map.end()
    }
}

/// Everything a report says about a back-test.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Performance {
    /// The scalar metrics.
    pub metrics: Metrics,
    /// The worst drawdowns, deepest first, at most [`WORST_DRAWDOWNS`].
    pub worst_drawdowns: Vec<Drawdown>,
    /// Return of each calendar month (UTC) in the range.
    pub months: Vec<MonthReturn>,
    /// Mean, deviation, skewness and kurtosis of the returns, not annualised; what a
    /// record of trials keeps.
    pub moments: Moments,
}

/// Measures a back-test of `candles` under `rules`; `trials` says how many
/// evaluations this one is the best of (R3).
///
/// # Errors
/// [`SimError`] when the back-test does not belong to these candles.
pub fn measure(
    candles: &Candles,
    rules: &Rules,
    backtest: &Backtest,
    trials: &Trials,
) -> Result<Performance, SimError> {
    let equity: Vec<f64> = backtest.equity.iter().map(|equity| money_f64(equity.0)).collect();
    let series = Series {
        backtest,
        periods_per_year: candles.timeframe.periods_per_year(),
        moments: Moments::of(&returns(&equity)),
        worst_drawdowns: worst_drawdowns(&equity, &backtest.time_ms, WORST_DRAWDOWNS),
        buy_and_hold_return: buy_and_hold::total_return(candles, rules, backtest.range.clone())?,
        trials: trials.clone(),
        equity,
    };
    let finite =
        |metric: Metric| metric.and_then(|value| value.is_finite().then_some(value).ok_or("it is not a finite number"));
    let metrics = Metrics(METRICS.iter().map(|(name, metric)| (*name, finite(metric(&series)))).collect());
    let months = month_returns(&series.equity, &candles.open_time_ms[backtest.range.clone()]);
    Ok(Performance { metrics, worst_drawdowns: series.worst_drawdowns, months, moments: series.moments })
}

/// Simple returns between neighbouring values.
#[must_use]
pub fn returns(equity: &[f64]) -> Vec<f64> {
    equity.windows(2).map(|pair| (pair[1] - pair[0]) / pair[0]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backtest::{backtest, replay};
    use crate::testing::{hourly, rules};
    use assay_types::Target;

    /// Within a relative 1e-12.
    pub(super) fn assert_close(actual: f64, expected: f64) {
        assert!((actual - expected).abs() <= 1e-12 * expected.abs().max(1e-300), "{actual} is not {expected}");
    }

    /// The returns of the tiny golden set.
    pub(super) const TINY: [f64; 6] = [0.01, -0.02, 0.015, 0.0, -0.005, 0.03];

    #[test]
    fn a_flat_policy_has_reasons_where_it_has_no_values() {
        let candles = hourly(&["100", "110", "121", "90"]);
        let result = backtest(&candles, &rules(), 0..4, |_| Target::Flat).unwrap();
        let performance = measure(&candles, &rules(), &result, &Trials::default()).unwrap();
        let json = serde_json::to_value(&performance.metrics).unwrap();
        for name in ["sharpe", "sortino", "calmar", "win_rate", "profit_factor", "probabilistic_sharpe"] {
            assert!(json[name].is_null(), "{name}");
            assert!(json["reasons"][name].is_string(), "{name}");
        }
        for name in ["total_return", "cagr", "volatility", "max_drawdown", "exposure", "turnover", "costs", "trades"] {
            assert_eq!(json[name], 0.0, "{name}");
        }
        assert!(performance.metrics.get("buy_and_hold_return").unwrap() < -0.1);
        assert_eq!(json.as_object().unwrap().len(), METRICS.len() + 1);
    }

    #[test]
    fn ruin_leaves_no_growth_rate() {
        let candles = hourly(&["100", "300", "100"]);
        let result = backtest(&candles, &rules(), 0..3, |_| Target::Short).unwrap();
        let metrics = measure(&candles, &rules(), &result, &Trials::default()).unwrap().metrics;
        assert_eq!(metrics.reason("cagr"), Some("the equity was lost"));
        assert_eq!(metrics.reason("calmar"), Some("the equity was lost"));
        assert!(metrics.get("max_drawdown").unwrap() <= -1.0);
    }

    #[test]
    fn one_candle_has_no_statistics_but_no_error_either() {
        let candles = hourly(&["100"]);
        let result = backtest(&candles, &rules(), 0..1, |_| Target::Long).unwrap();
        let metrics = measure(&candles, &rules(), &result, &Trials::default()).unwrap().metrics;
        assert_eq!(metrics.get("total_return"), Some(0.0));
        for name in ["sharpe", "cagr", "volatility", "exposure", "turnover"] {
            assert!(metrics.reason(name).is_some(), "{name}");
        }
    }

    #[test]
    fn trade_metrics_follow_the_round_trips() {
        let candles = hourly(&["100", "110", "105", "95", "99", "120"]);
        let targets = [Target::Long, Target::Short, Target::Short, Target::Long, Target::Flat];
        let result = replay(&candles, &rules(), 0..6, &targets).unwrap();
        let metrics = measure(&candles, &rules(), &result, &Trials::default()).unwrap().metrics;
        assert_eq!(metrics.get("trades"), Some(3.0));
        assert_eq!(metrics.get("win_rate"), Some(1.0));
        assert_eq!(metrics.reason("profit_factor"), Some("no trade closed with a loss"));
        assert_eq!(metrics.get("exposure"), Some(0.8));
        assert_eq!(metrics.get("closing_cost"), Some(0.0));
        let costs = metrics.get("fees").unwrap() + metrics.get("slippage").unwrap();
        assert_close(metrics.get("costs").unwrap(), costs);
        let difference = metrics.get("total_return").unwrap() - metrics.get("buy_and_hold_return").unwrap();
        assert_close(metrics.get("excess_return").unwrap(), difference);
    }
}
