//! Mean, deviation, skewness and kurtosis of returns, and their downside.

use serde::{Deserialize, Serialize};

/// Sums kept apart and added at the end: shorter chains for the processor and
/// smaller rounding errors. The order is fixed, so the bits are.
const LANES: usize = 8;

/// Moments of a sample of returns.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// Number of returns.
    pub count: usize,
    /// Mean; 0 without returns.
    pub mean: f64,
    /// Standard deviation with ddof 1; 0 for fewer than two returns.
    pub deviation: f64,
    /// Root mean square of min(r, 0) over all returns.
    pub downside: f64,
    /// Skewness from population moments; 0 when the returns do not vary.
    pub skewness: f64,
    /// Kurtosis from population moments, 3 for a normal sample; 3 when the returns
    /// do not vary.
    pub kurtosis: f64,
}

impl Moments {
    /// The moments of `returns`.
    #[must_use]
    pub fn of(returns: &[f64]) -> Self {
        let count = returns.len();
        if count == 0 {
            return Self { count, mean: 0.0, deviation: 0.0, downside: 0.0, skewness: 0.0, kurtosis: 3.0 };
        }
        let n = count as f64;
        let [sum, downside] = sums(returns, |value| {
            let loss = value.min(0.0);
            [value, loss * loss]
        });
        let mean = sum / n;
        let [square, cube, fourth] = sums(returns, |value| {
            let difference = value - mean;
            let square = difference * difference;
            [square, square * difference, square * square]
        });
        let deviation = if count < 2 { 0.0 } else { (square / (n - 1.0)).sqrt() };
        // Equal returns leave a deviation of rounding errors behind; it is none.
        let varies = deviation > 1e-14 * mean.abs();
        let variance = square / n;
        Self {
            count,
            mean,
            deviation: if varies { deviation } else { 0.0 },
            downside: (downside / n).sqrt(),
            skewness: if varies { cube / n / (variance * variance.sqrt()) } else { 0.0 },
            kurtosis: if varies { fourth / n / (variance * variance) } else { 3.0 },
        }
    }

    /// Mean over deviation of one interval, not annualised; `None` when the returns
    /// do not vary.
    #[must_use]
    pub fn sharpe(&self) -> Option<f64> {
        (self.deviation > 0.0).then(|| self.mean / self.deviation)
    }
}

/// Sums `terms` of every value, in one fixed order.
#[inline]
fn sums<const N: usize>(values: &[f64], terms: impl Fn(f64) -> [f64; N]) -> [f64; N] {
    let mut lanes = [[0.0; LANES]; N];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for lane in 0..LANES {
            for (sums, term) in lanes.iter_mut().zip(terms(chunk[lane])) {
                sums[lane] += term;
            }
        }
    }
    for (lane, &value) in rest.iter().enumerate() {
        for (sums, term) in lanes.iter_mut().zip(terms(value)) {
            sums[lane] += term;
        }
    }
    lanes.map(|lanes| lanes.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{TINY, assert_close};
    use super::*;

    #[test]
    fn moments_follow_their_definitions() {
        let moments = Moments::of(&TINY);
        let n = TINY.len() as f64;
        let mean = TINY.iter().sum::<f64>() / n;
        let central = |power| TINY.iter().map(|value| (value - mean).powi(power)).sum::<f64>() / n;
        assert_close(moments.mean, 0.005);
        assert_close(moments.deviation, (central(2) * n / (n - 1.0)).sqrt());
        assert_close(moments.skewness, central(3) / (central(2) * central(2).sqrt()));
        assert_close(moments.kurtosis, central(4) / central(2).powi(2));
        assert_close(moments.downside, (0.000_425_f64 / 6.0).sqrt());
    }

    #[test]
    fn equal_returns_do_not_vary() {
        assert_eq!(Moments::of(&[0.01; 1000]).sharpe(), None);
        assert_eq!(Moments::of(&[0.0; 9]).sharpe(), None);
        assert_eq!(Moments::of(&[0.3]).sharpe(), None);
        assert_eq!(Moments::of(&[]).count, 0);
    }
}
