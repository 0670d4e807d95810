//! The normal distribution, from the error function of libm.

/// Probability that a standard normal value is at most `x`.
pub(super) fn probability(x: f64) -> f64 {
    0.5 * libm::erfc(-x / std::f64::consts::SQRT_2)
}

/// The value that a standard normal one is below with probability `p`, in (0, 1);
/// by bisection, to the last bits of the probability.
pub(super) fn quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-40.0, 40.0);
    for _ in 0..128 {
        let middle = f64::midpoint(low, high);
        if probability(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_values() {
        // Table 26.1 of Abramowitz and Stegun, and the usual 97.5 % point.
        assert!((probability(1.0) - 0.841_344_746_068_543).abs() < 1e-14);
        assert!((quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-13);
        assert!((quantile(0.5)).abs() < 1e-15);
        for p in [1e-12, 0.01, 0.3, 0.9, 0.999_999] {
            assert!((probability(quantile(p)) / p - 1.0).abs() < 1e-13, "{p}");
        }
    }
}
