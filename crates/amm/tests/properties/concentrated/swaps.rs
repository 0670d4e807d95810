//! What every swap owes its trader and its pool.

use assay_amm::concentrated::{Amount, Core, Swapped};
use assay_amm::{AmmError, Context, Fee, Pool, U256};
use proptest::prelude::*;

use super::pools::{any_ask, any_bits, any_spec, core};
use crate::cases;

const AT: Context = Context { timestamp: 0, fee: Fee::Pool };

/// Asks up to a limit; `None` where the contract reverts for want of bits or of a price.
fn limited(pool: &Pool, token_in: usize, amount: Amount, limit: U256) -> Result<Option<Swapped>, TestCaseError> {
    answered(pool.quote_limited(token_in, 1 - token_in, amount, limit, &AT))
}

fn answered(swapped: Result<Swapped, AmmError>) -> Result<Option<Swapped>, TestCaseError> {
    match swapped {
        Ok(swapped) => Ok(Some(swapped)),
        Err(AmmError::Overflow { .. } | AmmError::PriceLimit { .. } | AmmError::FeeRange { .. }) => Ok(None),
        Err(error) => Err(TestCaseError::fail(error.to_string())),
    }
}

/// A swap without a price limit.
fn free(pool: &Pool, token_in: usize, amount: Amount) -> Result<Option<Swapped>, TestCaseError> {
    limited(pool, token_in, amount, Core::furthest_limit(token_in == 0))
}

/// A swap without a price limit that moves the state.
fn moved(pool: &mut Pool, token_in: usize, amount: Amount) -> Result<Option<Swapped>, TestCaseError> {
    let limit = Core::furthest_limit(token_in == 0);
    answered(pool.swap_limited(token_in, 1 - token_in, amount, limit, &AT))
}

proptest! {
    #![proptest_config(cases(1500))]

    /// There and back again never gains, however both ways are asked for.
    #[test]
    fn round_trips_never_gain(spec in any_spec(), token_in in 0_usize..2, amount in any_bits(120), exact_in in any::<bool>()) {
        let mut pool = spec.build();
        let amount = if exact_in { Amount::In(U256::from(amount)) } else { Amount::Out(U256::from(amount)) };
        let there = moved(&mut pool, token_in, amount)?;
        prop_assume!(there.is_some_and(|there| !there.amount_out.is_zero()));
        let there = there.unwrap();
        if let Some(back) = free(&pool, 1 - token_in, Amount::In(there.amount_out))? {
            prop_assert!(back.amount_out <= there.amount_in, "paid {}, got back {}", there.amount_in, back.amount_out);
        }
        if let Some(back) = free(&pool, 1 - token_in, Amount::Out(there.amount_in))? {
            prop_assert!(!back.remaining.is_zero() || back.amount_in >= there.amount_out);
        }
    }

    /// More in, not less out; more out, not less in.
    #[test]
    fn more_buys_more(spec in any_spec(), token_in in 0_usize..2, amount in any_bits(120), more in any_bits(110)) {
        let pool = spec.build();
        let (small, large) = (U256::from(amount), U256::from(amount) + U256::from(more));
        let bought = (free(&pool, token_in, Amount::In(small))?, free(&pool, token_in, Amount::In(large))?);
        let paid = (free(&pool, token_in, Amount::Out(small))?, free(&pool, token_in, Amount::Out(large))?);
        prop_assume!(bought.0.is_some() || paid.0.is_some());
        if let (Some(small), Some(large)) = bought {
            prop_assert!(small.amount_out <= large.amount_out && small.amount_in <= large.amount_in);
        }
        if let (Some(small), Some(large)) = paid {
            prop_assert!(small.amount_in <= large.amount_in && small.amount_out <= large.amount_out);
        }
    }

    /// Asking for what an input buys costs at most that input. One exception is the
    /// contract's: an output that reaches the whole units up to the end of a step moves to
    /// that end and pays for it, fractions of a unit included.
    #[test]
    fn buying_the_same_costs_no_more(spec in any_spec(), token_in in 0_usize..2, amount in any_bits(120)) {
        let pool = spec.build();
        let bought = free(&pool, token_in, Amount::In(U256::from(amount)))?;
        prop_assume!(bought.is_some_and(|bought| !bought.amount_out.is_zero()));
        let bought = bought.unwrap();
        let Some(same) = free(&pool, token_in, Amount::Out(bought.amount_out))? else { return Ok(()) };
        prop_assert_eq!((same.amount_out, same.remaining), (bought.amount_out, U256::ZERO));
        if same.amount_in > bought.amount_in {
            let further = if token_in == 0 {
                same.sqrt_price_x96 < bought.sqrt_price_x96
            } else {
                same.sqrt_price_x96 > bought.sqrt_price_x96
            };
            prop_assert!(further, "{} instead of {}", same.amount_in, bought.amount_in);
            let all = Amount::In((U256::ONE << 255) - U256::ONE);
            let to_there = limited(&pool, token_in, all, same.sqrt_price_x96)?.unwrap();
            prop_assert_eq!(to_there.amount_out, bought.amount_out, "only a step's end costs more");
        }
    }

    /// Two swaps in a row give no more than one of both inputs.
    #[test]
    fn splitting_never_gains(spec in any_spec(), token_in in 0_usize..2, first in any_bits(118), second in any_bits(118)) {
        let mut pool = spec.build();
        let whole = free(&pool, token_in, Amount::In(U256::from(first) + U256::from(second)))?;
        prop_assume!(whole.is_some_and(|whole| !whole.amount_out.is_zero()));
        let one = moved(&mut pool, token_in, Amount::In(U256::from(first)))?;
        let Some(one) = one else { return Ok(()) };
        let other = free(&pool, token_in, Amount::In(U256::from(second)))?;
        let Some(other) = other else { return Ok(()) };
        prop_assert!(one.amount_out + other.amount_out <= whole.unwrap().amount_out);
    }

    /// The price stays within its limit, stops there when something is left, and a swap ends
    /// as it was quoted; a quote leaves no trace.
    #[test]
    fn limits_hold_and_swaps_keep_their_quotes(spec in any_spec(), asks in prop::collection::vec(any_ask(126), 1..5)) {
        let mut pool = spec.build();
        for ask in asks {
            let Some(limit) = ask.limit(core(&pool)) else { continue };
            let before = pool.clone();
            let token_in = ask.token_in();
            let quoted = pool.quote_limited(token_in, 1 - token_in, ask.amount, limit, &AT);
            prop_assert_eq!(&pool, &before, "a quote leaves no trace");
            let swapped = pool.swap_limited(token_in, 1 - token_in, ask.amount, limit, &AT);
            prop_assert_eq!(&quoted, &swapped);
            let Some(swapped) = answered(swapped)? else {
                prop_assert_eq!(&pool, &before, "what is refused moves nothing");
                continue;
            };
            let after = core(&pool);
            prop_assert_eq!(after.sqrt_price_x96, swapped.sqrt_price_x96);
            prop_assert_eq!((after.tick, after.liquidity), (swapped.tick(), swapped.liquidity));
            let within = if ask.zero_for_one { after.sqrt_price_x96 >= limit } else { after.sqrt_price_x96 <= limit };
            prop_assert!(within);
            prop_assert!(swapped.remaining.is_zero() || after.sqrt_price_x96 == limit);
            let fixed = if matches!(ask.amount, Amount::In(_)) { swapped.amount_in } else { swapped.amount_out };
            prop_assert_eq!(fixed + swapped.remaining, ask.amount.value());
        }
    }

    /// Whole swaps are those of the limited ones, or refused with the pool unmoved.
    #[test]
    fn whole_swaps_use_up_their_amount(spec in any_spec(), token_in in 0_usize..2, amount in any_bits(120)) {
        let pool = spec.build();
        let amount = U256::from(amount);
        let mut after = pool.clone();
        match (free(&pool, token_in, Amount::In(amount))?, after.swap_exact_in(token_in, 1 - token_in, amount, &AT)) {
            (Some(limited), Ok(quote)) => {
                prop_assert!(limited.remaining.is_zero());
                prop_assert_eq!(limited.quote(), quote);
            }
            (Some(limited), Err(AmmError::LiquidityExhausted { remaining, .. })) => {
                prop_assert_eq!(limited.remaining, remaining);
                prop_assert_eq!(&after, &pool);
            }
            (None, Err(_)) => prop_assert_eq!(&after, &pool),
            (limited, whole) => prop_assert!(false, "{:?} beside {:?}", limited, whole),
        }
        // All that can be sold is sold whole, and one unit more is not.
        if let Ok(most) = pool.max_in(token_in, 1 - token_in, &AT) && !most.is_zero() {
            prop_assert!(pool.quote_exact_in(token_in, 1 - token_in, most, &AT).is_ok());
            let beyond = pool.quote_exact_in(token_in, 1 - token_in, most + U256::ONE, &AT);
            prop_assert!(matches!(beyond, Err(AmmError::LiquidityExhausted { .. })), "{:?}", beyond);
        }
    }
}
