//! `(E' − E) / E − 0.001 · fills`: the return, minus a tenth of a percent for each
//! execution on top of its real costs. A reversal is two executions.

use super::{Outcome, return_minus_cost};

/// Price of one execution, as a return.
const PRICE_PER_FILL: f64 = 0.001;

#[inline]
pub(super) fn reward(outcome: &Outcome<'_>) -> f64 {
    return_minus_cost::reward(outcome) - PRICE_PER_FILL * f64::from(outcome.fills.count())
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;
    use crate::ledger::{Account, Quote};
    use crate::rules::Rules;
    use assay_types::Target;

    #[test]
    fn each_execution_has_its_price() {
        let rules = Rules::new("0.01".parse().unwrap());
        let mut account = Account::new(&rules);
        let quote = Quote { time_ms: 0, price: "100".parse().unwrap() };
        let opening = account.change(Target::Long, quote, &rules).unwrap();
        let reversal = account.change(Target::Short, quote, &rules).unwrap();
        assert_eq!(reward(&change(1_000, 1_010)), 0.01);
        assert_eq!(reward(&Outcome { fills: &opening, ..change(1_000, 1_010) }), 0.01 - 0.001);
        assert_eq!(reward(&Outcome { fills: &reversal, ..change(1_000, 1_010) }), 0.01 - 0.002);
    }
}
