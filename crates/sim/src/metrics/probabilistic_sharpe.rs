//! Probabilistic Sharpe ratio (Bailey and López de Prado, 2012): the probability that
//! the true ratio is above a benchmark, given the sample's length, skewness and
//! kurtosis:
//!
//! `Φ((SR − SR*) · √(T − 1) / √(1 − skew · SR + (kurt − 1) / 4 · SR²))`
//!
//! SR is per interval, not annualised. As a metric the benchmark SR* is zero.

use super::{Metric, Moments, Series, normal};

/// The probability, in 0 … 1, that the ratio per interval is above `benchmark`.
///
/// # Errors
/// The reason, when the returns do not vary or the variance of the estimate is not
/// above zero.
pub fn probabilistic_sharpe(moments: &Moments, benchmark: f64) -> Metric {
    if moments.count < 2 {
        return Err("it needs at least two returns");
    }
    let ratio = moments.sharpe().ok_or("the returns do not vary")?;
    let error = estimate_variance(moments, ratio);
    if error <= 0.0 {
        return Err("the variance of the estimated ratio is not above zero");
    }
    Ok(normal::probability((ratio - benchmark) / error.sqrt()))
}

/// Variance of the estimated ratio per interval.
pub(super) fn estimate_variance(moments: &Moments, ratio: f64) -> f64 {
    let Moments { skewness, kurtosis, count, .. } = *moments;
    (1.0 - skewness * ratio + (kurtosis - 1.0) / 4.0 * ratio * ratio) / (count as f64 - 1.0)
}

pub(super) fn metric(series: &Series<'_>) -> Metric {
    probabilistic_sharpe(&series.moments, 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_normal_sample_follows_the_formula() {
        let moments = Moments { count: 101, mean: 0.01, deviation: 0.1, downside: 0.07, skewness: 0.0, kurtosis: 3.0 };
        // z = 0.1 · 10 / √1.005 = 0.997509…; Φ(z) from the error function.
        let z = 1.0 / 1.005_f64.sqrt();
        assert_eq!(probabilistic_sharpe(&moments, 0.0), Ok(normal::probability(z)));
        assert!((probabilistic_sharpe(&moments, 0.1).unwrap() - 0.5).abs() < 1e-12);
        let strange = Moments { skewness: 40.0, ..moments };
        assert!(probabilistic_sharpe(&strange, 0.0).is_err());
    }
}
