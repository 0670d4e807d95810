//! Buy-and-hold over the same candles with the same costs, and the return in excess
//! of it. Both hold until the back-test's last close.

use std::ops::Range;

use assay_types::{Candles, Target};

use super::{Metric, Series, total_return};
use crate::error::SimError;
use crate::ledger::money_f64;
use crate::rules::Rules;
use crate::simulation::Simulation;

pub(super) fn metric(series: &Series<'_>) -> Metric {
    Ok(series.buy_and_hold_return)
}

pub(super) fn excess_metric(series: &Series<'_>) -> Metric {
    Ok(total_return::metric(series)? - series.buy_and_hold_return)
}

/// Total return of buying at the first close and holding to the last. Without a
/// holding cost only the first step changes the account, so the closes between need
/// no visit.
pub(super) fn total_return(candles: &Candles, rules: &Rules, range: Range<usize>) -> Result<f64, SimError> {
    let last = range.end.saturating_sub(1);
    let mut simulation = Simulation::new(candles, rules, range)?;
    while simulation.end().is_none() {
        simulation.step(Target::Long)?;
        if !rules.has_holding_cost() {
            break;
        }
    }
    let mut equity = simulation.equity();
    if simulation.end().is_none() {
        let overflow = SimError::Overflow { time_ms: candles.close_time_ms(last) };
        equity = simulation.account().equity(candles.close[last]).ok_or(overflow)?;
    }
    Ok(money_f64(equity.0 - rules.cash.0) / money_f64(rules.cash.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strategy::Strategy;
    use crate::testing::{hourly, rules};

    #[test]
    fn the_short_cut_equals_the_back_test() {
        let candles = hourly(&["100", "90", "80", "120", "110"]);
        let borrowing = Rules { borrow_bps_per_day: 1, ..rules() };
        for rules in [rules(), borrowing] {
            let mut decider = Strategy::Long.decider();
            let result = crate::backtest(&candles, &rules, 0..5, |view| decider.decide(view)).unwrap();
            let expected = (result.last_equity().0 - rules.cash.0) as f64 / rules.cash.0 as f64;
            assert_eq!(total_return(&candles, &rules, 0..5), Ok(expected));
        }
    }
}
