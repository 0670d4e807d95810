//! +1 when the decision closes a position with a profit after all its costs, −1 when
//! it closes one with a loss, 0 otherwise and when the profit is exactly zero. An
//! account that loses everything gets −1; a position left open at the end gets 0.

use super::Outcome;
use crate::simulation::End;

#[inline]
pub(super) fn reward(outcome: &Outcome<'_>) -> f64 {
    if outcome.end == Some(End::Terminated) {
        return -1.0;
    }
    let profit = outcome.fills.closing.and_then(|fill| fill.profit);
    profit.map_or(0.0, |profit| profit.0.signum() as f64)
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;
    use crate::ledger::{Account, Quote};
    use crate::rules::Rules;
    use assay_types::Target;

    #[test]
    fn only_closed_trades_and_ruin_count() {
        let rules = Rules::new("0.01".parse().unwrap());
        let quote = |price: &str| Quote { time_ms: 0, price: price.parse().unwrap() };
        for (exit, expected) in [("110", 1.0), ("100", -1.0), ("90", -1.0)] {
            let mut account = Account::new(&rules);
            let opening = account.change(Target::Long, quote("100"), &rules).unwrap();
            assert_eq!(reward(&Outcome { fills: &opening, ..change(1_000, 900) }), 0.0);
            let closing = account.change(Target::Flat, quote(exit), &rules).unwrap();
            assert_eq!(reward(&Outcome { fills: &closing, ..change(1_000, 900) }), expected, "{exit}");
        }
        assert_eq!(reward(&change(1_000, 0)), -1.0);
        assert_eq!(reward(&change(1_000, 2_000)), 0.0);
    }
}
