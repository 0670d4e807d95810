//! One figure for the slippage of several hops.

/// What the whole path keeps back: `1 − ∏(1 − sᵢ)` of the fractions lost at each hop.
///
/// Exact but for the rounding of each step, a relative error of at most 2^-52 per hop of
/// the part that is kept.
#[must_use]
pub fn compound(slippages: &[f64]) -> f64 {
    1.0 - slippages.iter().map(|slippage| 1.0 - slippage).product::<f64>()
}

/// The plain sum of the fractions: above [`compound`] wherever two hops lose, and printed
/// beside it for readers who compare with tools that add.
#[must_use]
pub fn sum(slippages: &[f64]) -> f64 {
    slippages.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compound_is_below_the_sum() {
        assert!((compound(&[0.1, 0.2]) - 0.28).abs() < 1e-15);
        assert!((sum(&[0.1, 0.2]) - 0.3).abs() < 1e-15);
        assert!((compound(&[0.25]) - 0.25).abs() < f64::EPSILON);
        assert!(compound(&[]).abs() < f64::EPSILON);
    }
}
