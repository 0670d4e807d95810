//! What holding a position costs: borrowing for a short, funding for both sides.
//!
//! Both accrue when the position is marked (and once more just before a fill at a
//! next open), on its value at that price, for the time since they last accrued.

use crate::ledger::amount::Amount;
use crate::rules::Rules;

/// Basis points times milliseconds in a day: the divisor of a daily rate.
const BPS_MS_PER_DAY: i128 = 10_000 * 86_400_000;

/// What is taken from the cash of an account holding the signed `quantity` from
/// `from_ms` (exclusive) to `to_ms` (inclusive), valued at `price`; negative when
/// funding pays it. Payments are rounded up, receipts down; `None` beyond 128 bits.
pub(crate) fn holding_cost(rules: &Rules, quantity: i128, price: i128, from_ms: i64, to_ms: i64) -> Option<i128> {
    if quantity == 0 || to_ms <= from_ms {
        return Some(0);
    }
    let value = Amount::new(quantity.abs(), price)?;
    let mut cost = 0_i128;
    if quantity < 0 && rules.borrow_bps_per_day > 0 {
        let daily = value.ceil().checked_mul(i128::from(rules.borrow_bps_per_day))?;
        let dividend = daily.checked_mul(i128::from(to_ms) - i128::from(from_ms))?;
        cost = dividend / BPS_MS_PER_DAY + i128::from(dividend % BPS_MS_PER_DAY != 0);
    }
    let first = rules.funding.partition_point(|funding| funding.time_ms <= from_ms);
    for funding in rules.funding[first..].iter().take_while(|funding| funding.time_ms <= to_ms) {
        let rate = i128::from(funding.rate_ppm) * quantity.signum();
        let paid = if rate > 0 {
            let dividend = value.ceil().checked_mul(rate)?;
            dividend / 1_000_000 + i128::from(dividend % 1_000_000 != 0)
        } else {
            -(value.floor.checked_mul(-rate)? / 1_000_000)
        };
        cost = cost.checked_add(paid)?;
    }
    Some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Funding;
    use assay_types::Price;

    const ONE: i128 = 10_i128.pow(12);
    const DAY_MS: i64 = 86_400_000;

    #[test]
    fn a_short_pays_for_the_time_it_is_held() {
        let rules = Rules { borrow_bps_per_day: 10, ..Rules::new(Price(1)) };
        // 10 bps of 1,000 a day is 1.
        assert_eq!(holding_cost(&rules, -10 * ONE, 100 * ONE, 0, DAY_MS), Some(100_000_000));
        assert_eq!(holding_cost(&rules, -10 * ONE, 100 * ONE, 0, DAY_MS / 4), Some(25_000_000));
        assert_eq!(holding_cost(&rules, 10 * ONE, 100 * ONE, 0, DAY_MS), Some(0));
        assert_eq!(holding_cost(&rules, -1, 1, 0, 1), Some(1), "the smallest debt still rounds up");
    }

    #[test]
    fn funding_settles_once_and_against_the_trader() {
        let funding = vec![Funding { time_ms: 10, rate_ppm: 100 }, Funding { time_ms: 20, rate_ppm: -300 }];
        let rules = Rules { funding, ..Rules::new(Price(1)) };
        assert_eq!(holding_cost(&rules, 10 * ONE, 100 * ONE, 0, 10), Some(10_000_000));
        assert_eq!(holding_cost(&rules, 10 * ONE, 100 * ONE, 10, 19), Some(0));
        assert_eq!(holding_cost(&rules, 10 * ONE, 100 * ONE, 10, 20), Some(-30_000_000));
        assert_eq!(holding_cost(&rules, -10 * ONE, 100 * ONE, 0, 20), Some(20_000_000));
        assert_eq!(holding_cost(&rules, 1, ONE, 0, 10), Some(1));
        assert_eq!(holding_cost(&rules, -1, ONE, 0, 10), Some(0));
    }
}
