//! Deflated Sharpe ratio (Bailey and López de Prado, 2014): the probabilistic ratio
//! against the best ratio that K worthless trials would show by luck,
//!
//! `SR* = √V · ((1 − γ) · Φ⁻¹(1 − 1/K) + γ · Φ⁻¹(1 − 1/(K·e)))`
//!
//! with Euler's constant γ and the variance V of the trials' ratios per interval.
//! One trial has nothing to deflate: SR* is 0 (R3).

use serde::{Deserialize, Serialize};

use super::probabilistic_sharpe::estimate_variance;
use super::{Metric, Moments, Series, normal, probabilistic_sharpe};

/// Euler's constant.
const GAMMA: f64 = 0.577_215_664_901_532_9;

/// The evaluations that a result is one of (R3): on the same dataset and test period,
/// this one included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trials {
    /// How many there were, at least 1.
    pub count: u64,
    /// Sharpe ratios per interval of those that were recorded; with fewer than two
    /// the variance of this sample's own estimate stands in for V.
    pub ratios: Vec<f64>,
}

impl Default for Trials {
    fn default() -> Self {
        Self { count: 1, ratios: Vec::new() }
    }
}

/// The probability, in 0 … 1, that the ratio is above the luck of `trials`.
///
/// # Errors
/// The reason, as [`probabilistic_sharpe`].
pub fn deflated_sharpe(moments: &Moments, trials: &Trials) -> Metric {
    if trials.count <= 1 {
        return probabilistic_sharpe(moments, 0.0);
    }
    let variance = if trials.ratios.len() >= 2 {
        let deviation = Moments::of(&trials.ratios).deviation;
        deviation * deviation
    } else {
        let ratio = moments.sharpe().ok_or("the returns do not vary")?;
        estimate_variance(moments, ratio)
    };
    if variance < 0.0 {
        return Err("the variance of the estimated ratio is not above zero");
    }
    let count = trials.count as f64;
    let luck = (1.0 - GAMMA) * normal::quantile(1.0 - 1.0 / count)
        + GAMMA * normal::quantile(1.0 - 1.0 / (count * std::f64::consts::E));
    probabilistic_sharpe(moments, variance.sqrt() * luck)
}

pub(super) fn metric(series: &Series<'_>) -> Metric {
    deflated_sharpe(&series.moments, &series.trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments() -> Moments {
        Moments { count: 1250, mean: 0.000_1, deviation: 0.001, downside: 0.0007, skewness: -3.0, kurtosis: 10.0 }
    }

    #[test]
    fn more_trials_deflate_more() {
        let with = |count| deflated_sharpe(&moments(), &Trials { count, ratios: vec![] }).unwrap();
        assert_eq!(with(1), probabilistic_sharpe(&moments(), 0.0).unwrap());
        assert!(with(1) > with(2) && with(2) > with(10) && with(10) > with(1_000_000));
    }

    #[test]
    fn the_worked_example_of_the_paper() {
        // Annual ratio 2.5 over 1,250 days, 100 trials with an annual variance of
        // 1/2: SR0 is about 0.1132 a day and the deflated ratio about 0.9004.
        let ratio = 2.5 / 250_f64.sqrt();
        let moments = Moments { mean: ratio * 0.001, ..moments() };
        let deviation = (0.5_f64 / 250.0).sqrt();
        let spread = deviation / std::f64::consts::SQRT_2;
        let trials = Trials { count: 100, ratios: vec![-spread, spread] };
        let value = deflated_sharpe(&moments, &trials).unwrap();
        assert!((value - 0.900_4).abs() < 1e-4, "{value}");
    }
}
