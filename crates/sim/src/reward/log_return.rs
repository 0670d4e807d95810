//! `ln(E' / E)`. The ratio is held at or above 1e-4, so that an account which lost
//! everything, where the logarithm does not exist, gets ln(1e-4) ≈ −9.21.

use super::Outcome;
use crate::ledger::money_f64;

/// The smallest ratio of equities that is told apart.
const LEAST_RATIO: f64 = 1e-4;

#[inline]
pub(super) fn reward(outcome: &Outcome<'_>) -> f64 {
    let ratio = money_f64(outcome.after.0) / money_f64(outcome.before.0);
    libm::log(ratio.max(LEAST_RATIO))
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;

    #[test]
    fn it_is_the_logarithm_of_the_ratio() {
        // ln 2 and ln 1e-4, from a table.
        assert!((reward(&change(1_000, 2_000)) - std::f64::consts::LN_2).abs() < 1e-15);
        assert!((reward(&change(1_000, -1)) + 9.210_340_371_976_182).abs() < 1e-14);
        assert_eq!(reward(&change(1_000, 1_000)), 0.0);
    }
}
