//! How much an account can open.

use crate::ledger::amount::{Amount, fee};

/// No position is larger, so that the search below stays within 128 bits.
const LARGEST: i128 = 1 << 120;

/// What opening `quantity` at `price` takes: `ceil(value) + fee`; `None` beyond 128
/// bits.
pub(crate) fn cost(quantity: i128, price: i128, fee_ppm: u32) -> Option<i128> {
    let amount = Amount::new(quantity, price)?;
    amount.ceil().checked_add(fee(amount, fee_ppm)?)
}

/// The largest multiple of `step` whose [`cost`] at `price` is at most `equity`;
/// zero when not even one step fits, `None` when it is beyond [`LARGEST`].
///
/// The cost never falls when the quantity grows, so a floating-point estimate only
/// chooses where an exact search starts.
pub(crate) fn largest_quantity(equity: i128, price: i128, step: i128, fee_ppm: u32) -> Option<i128> {
    if equity <= 0 {
        return Some(0);
    }
    let fits = |steps: i128| {
        let quantity = steps.checked_mul(step).filter(|&quantity| quantity <= LARGEST);
        quantity.and_then(|quantity| cost(quantity, price, fee_ppm)).is_some_and(|cost| cost <= equity)
    };
    let estimate = equity as f64 * 1e22 / (price as f64 * (1e6 + f64::from(fee_ppm)));
    let start = (estimate / step as f64) as i128;
    // `low` fits and `high` does not; widen from the estimate until both hold.
    let (mut low, mut high) = (0, i128::MAX);
    let mut width = 1;
    let mut probe = start;
    if fits(start) {
        while high == i128::MAX {
            low = probe;
            probe = probe.saturating_add(width);
            width = width.saturating_mul(2);
            if !fits(probe) {
                high = probe;
            }
        }
    } else {
        while probe > 0 && !fits(probe) {
            high = probe;
            probe -= width.min(probe);
            width = width.saturating_mul(2);
        }
        low = probe;
        high = high.max(low + 1);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.checked_mul(step).filter(|&beyond| beyond <= LARGEST).map(|_| low * step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn one_more_step_would_not_fit(
            equity in 1..10_i128.pow(18),
            price in 1..10_i128.pow(20),
            step in prop_oneof![Just(1), Just(10_i128.pow(7)), 1..10_i128.pow(13)],
            fee_ppm in 0..=500_000_u32,
        ) {
            let quantity = largest_quantity(equity, price, step, fee_ppm).unwrap();
            prop_assert_eq!(quantity % step, 0);
            prop_assert!(cost(quantity, price, fee_ppm).unwrap() <= equity);
            prop_assert!(cost(quantity + step, price, fee_ppm).unwrap() > equity);
        }
    }

    #[test]
    fn nothing_opens_without_equity() {
        assert_eq!(largest_quantity(0, 1, 1, 0), Some(0));
        assert_eq!(largest_quantity(-5, 1, 1, 0), Some(0));
        assert_eq!(largest_quantity(1, 10_i128.pow(27), 1, 1_000), Some(0));
    }

    #[test]
    fn the_extremes_end_too() {
        assert_eq!(largest_quantity(i128::MAX / 4, 1, 1, 1_000), None);
        let large = 10_i128.pow(27);
        for (equity, step) in [(large, 1), (i128::MAX / 4, large)] {
            let quantity = largest_quantity(equity, large, step, 1_000).unwrap();
            assert!(cost(quantity, large, 1_000).unwrap() <= equity);
            assert!(cost(quantity + step, large, 1_000).is_none_or(|cost| cost > equity));
        }
    }
}
