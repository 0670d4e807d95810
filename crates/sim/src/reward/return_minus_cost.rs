//! The default: `(E' − E) / E`, where E and E' are the equities at the close of the
//! decision and at the next close. Fees and slippage are in E', so nothing more is
//! subtracted. Losing everything gives −1 or less.

use super::Outcome;
use crate::ledger::money_f64;

#[inline]
pub(super) fn reward(outcome: &Outcome<'_>) -> f64 {
    money_f64(outcome.after.0.saturating_sub(outcome.before.0)) / money_f64(outcome.before.0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;

    #[test]
    fn it_is_the_return_of_equity() {
        assert_eq!(reward(&change(1_000, 1_010)), 0.01);
        assert_eq!(reward(&change(1_000, -500)), -1.5);
        assert_eq!(reward(&change(1_000, 1_000)), 0.0);
    }
}
