//! Sharpe ratio: `mean(r) / std(r, ddof 1) · √P`, with P intervals a year of a market
//! that never closes and a risk-free rate of zero. Undefined when the returns do not
//! vary.

use super::{Metric, Moments, Series};

/// The annualised Sharpe ratio of `returns`.
///
/// # Errors
/// The reason, for fewer than two returns or returns that do not vary.
pub fn sharpe(returns: &[f64], periods_per_year: f64) -> Metric {
    annualised(&Moments::of(returns), periods_per_year)
}

pub(super) fn annualised(moments: &Moments, periods_per_year: f64) -> Metric {
    if moments.count < 2 {
        return Err("it needs at least two returns");
    }
    Ok(moments.sharpe().ok_or("the returns do not vary")? * periods_per_year.sqrt())
}

pub(super) fn metric(series: &Series<'_>) -> Metric {
    annualised(&series.moments, series.periods_per_year)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TINY, assert_close};
    use super::*;

    #[test]
    fn the_tiny_golden_value() {
        assert_close(sharpe(&TINY, 8_760.0).unwrap(), 27.018_512_172_212_592);
        assert!(sharpe(&[0.1], 8_760.0).is_err());
        assert!(sharpe(&[0.1, 0.1], 8_760.0).is_err());
    }
}
