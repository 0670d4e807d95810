//! Sortino ratio: `mean(r) / √(mean(min(r, 0)²)) · √P`, the mean in the denominator
//! over all intervals. Undefined when no interval loses.

use super::{Metric, Moments, Series};

/// The annualised Sortino ratio of `returns`.
///
/// # Errors
/// The reason, without returns or without a loss.
pub fn sortino(returns: &[f64], periods_per_year: f64) -> Metric {
    annualised(&Moments::of(returns), periods_per_year)
}

fn annualised(moments: &Moments, periods_per_year: f64) -> Metric {
    if moments.count == 0 {
        return Err("it needs at least one return");
    }
    if moments.downside == 0.0 {
        return Err("no interval lost");
    }
    Ok(moments.mean / moments.downside * periods_per_year.sqrt())
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
        assert_close(sortino(&TINY, 8_760.0).unwrap(), 55.603_639_322_281_35);
        assert_eq!(sortino(&[0.1, 0.0], 8_760.0), Err("no interval lost"));
        assert!(sortino(&[], 8_760.0).is_err());
    }
}
