//! Solidly pools, volatile and stable: properties and an independent root.
//!
//! Stated slack. None for round trips, the invariant and the least input. The stable solver
//! may answer neighbouring inputs out of order by [`STEP`] units of the 18th decimal.

use crate::big_integers::{big, stable_balance};
use assay_amm::kind::Solidly;
use assay_amm::kind::solidly::{Curve, Solver};
use assay_amm::{AmmError, Context, U256};
use num_bigint::BigUint;
use proptest::prelude::*;

const AT: Context = Context { timestamp: 0, fee: assay_amm::Fee::Pool };
const ONE: u128 = 1_000_000_000_000_000_000;

/// Units of the 18th decimal.
const STEP: u64 = 2;

fn units(value: u128) -> U256 {
    U256::from(value)
}

/// Reserves of ten to a billion tokens, within a factor of ten of each other if stable.
fn any_pool() -> impl Strategy<Value = Solidly> {
    let decimals = prop_oneof![Just(6_u8), Just(8), Just(18)];
    let digits = 1_000_000_u128..10_000_000;
    (digits.clone(), digits, 13_u32..=20, [decimals.clone(), decimals], 0_u32..=300, 0..3_u8).prop_map(
        |(digits0, digits1, zeros, decimals, fee, kind)| {
            let reserve =
                |digits: u128, decimals: u8| units(digits * 10_u128.pow(zeros) / 10_u128.pow(18 - u32::from(decimals)));
            let reserves = [reserve(digits0, decimals[0]), reserve(digits1, decimals[1])];
            match kind {
                0 => Solidly::volatile(reserves, fee).unwrap(),
                1 => Solidly::stable(reserves, fee, decimals, Solver::Solidly).unwrap(),
                _ => Solidly::stable(reserves, fee, decimals, Solver::VelodromeV2).unwrap(),
            }
        },
    )
}

/// Reserves whose invariant is near the end of 256 bits.
fn any_full_pool() -> impl Strategy<Value = Solidly> {
    (any::<u64>(), 0_u32..=16, 0_u32..=300, 0..3_u8).prop_map(|(digits, lean, fee, kind)| {
        let digits = U256::from(digits | 1 << 63);
        match kind {
            // Products of 2^252 to 2^254.
            0 => Solidly::volatile([digits << (63 + lean) as usize, digits << (63 - lean) as usize], fee).unwrap(),
            // Up to 2^93: with 2^94 each the product of the pair's product and squares overflows.
            solver => {
                let reserves = [digits << 29, digits << (29 - lean / 8) as usize];
                let solver = if solver == 1 { Solver::Solidly } else { Solver::VelodromeV2 };
                Solidly::stable(reserves, fee, [18, 18], solver).unwrap()
            }
        }
    })
}

fn part_of(most: U256, part: u64) -> U256 {
    ((most >> (part % 32) as usize) * U256::from(part) / U256::from(u64::MAX)).max(U256::ONE)
}

/// Refusals that the contract has for sane pools: a step that the solver of two tokens of
/// few decimals overflows in, and an invariant that its rounding would lower.
fn refused(error: &AmmError) -> bool {
    use AmmError::{Limit, Overflow, Underflow, ZeroAmount};
    matches!(error, Overflow { .. } | Underflow { .. } | Limit { .. } | ZeroAmount)
}

/// Reserves in 18 decimals.
fn scaled(pool: &Solidly) -> [BigUint; 2] {
    let units = match pool.curve() {
        Curve::Volatile => [units(ONE); 2],
        Curve::Stable { units, .. } => units,
    };
    [0, 1].map(|token| big(pool.reserves()[token]) * ONE / big(units[token]))
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn round_trips_never_gain_and_the_invariant_never_falls(pool in any_pool(), part in any::<u64>()) {
        let mut after = pool.clone();
        let amount = part_of(pool.reserves()[0], part);
        let there = match after.swap_exact_in(0, 1, amount, &AT) {
            Ok(there) => there,
            Err(error) => { prop_assert!(refused(&error), "{error}"); return Ok(()) }
        };
        let kept = amount - amount * U256::from(pool.fee()) / U256::from(10_000);
        prop_assert_eq!(after.reserves(), [pool.reserves()[0] + kept, pool.reserves()[1] - there.amount_out]);
        prop_assert!(after.invariant().unwrap() >= pool.invariant().unwrap());
        match after.swap_exact_in(1, 0, there.amount_out, &AT) {
            Ok(back) => prop_assert!(back.amount_out <= amount, "{} back for {amount}", back.amount_out),
            Err(error) => prop_assert!(refused(&error), "{error}"),
        }
        prop_assert!(after.invariant().unwrap() >= pool.invariant().unwrap());
    }

    #[test]
    fn the_solver_finds_the_root(pool in any_pool(), part in any::<u64>()) {
        let Curve::Stable { units: token_units, .. } = pool.curve() else { return Ok(()) };
        let amount = part_of(pool.reserves()[0], part);
        let Ok(quote) = pool.quote_exact_in(0, 1, amount, &AT) else { return Ok(()) };
        let [x, y] = scaled(&pool);
        let value = &x * &x * &x * &y + &y * &y * &y * &x;
        let kept = big(amount - amount * U256::from(pool.fee()) / U256::from(10_000)) * ONE / big(token_units[0]);
        let left = stable_balance(&(x + kept), &value);
        let out = (&y - &left) * big(token_units[1]) / ONE;
        // The contract's roundings of the invariant leave a unit of either token open.
        let unit = (big(token_units[1]) / ONE).max(BigUint::from(1_u8));
        let ours = big(quote.amount_out);
        let apart = if ours > out { &ours - &out } else { &out - &ours };
        prop_assert!(apart <= unit * 3_u8, "{ours} against {out}");
    }

    #[test]
    fn an_exact_output_asks_the_least(pool in any_pool(), part in any::<u64>()) {
        let amount_out = part_of(pool.reserves()[1] >> 1, part);
        let untouched = pool.clone();
        let quote = match pool.quote_exact_out(0, 1, amount_out, &AT) {
            Ok(quote) => quote,
            Err(error) => { prop_assert!(matches!(error, AmmError::LiquidityExhausted { .. }), "{error}"); return Ok(()) }
        };
        prop_assert_eq!(&pool, &untouched);
        prop_assert!(pool.quote_exact_in(0, 1, quote.amount_in, &AT).unwrap().amount_out >= amount_out);
        for below in 1..=4_u64 {
            let Some(less) = quote.amount_in.checked_sub(U256::from(below)) else { break };
            let reaches = pool.quote_exact_in(0, 1, less, &AT).is_ok_and(|other| other.amount_out >= amount_out);
            prop_assert!(!reaches, "{less} reaches {amount_out} too");
        }
        let mut after = pool.clone();
        prop_assert_eq!(after.swap_exact_out(0, 1, amount_out, &AT).unwrap(), quote);
        prop_assert_eq!(after.reserves()[1], pool.reserves()[1] - amount_out);
        prop_assert!(after.invariant().unwrap() >= pool.invariant().unwrap());
    }

    #[test]
    fn an_exact_output_costs_what_bought_it_or_less(pool in any_pool(), part in any::<u64>()) {
        let amount = part_of(pool.reserves()[1], part);
        let Ok(bought) = pool.quote_exact_in(1, 0, amount, &AT) else { return Ok(()) };
        if bought.amount_out.is_zero() { return Ok(()) }
        let cost = pool.quote_exact_out(1, 0, bought.amount_out, &AT).unwrap();
        prop_assert!(cost.amount_in <= amount);
    }

    #[test]
    fn an_exact_output_is_found_where_inputs_above_overflow(pool in any_full_pool(), part in any::<u64>(), way in 0..2_usize) {
        let most = pool.max_in(way, 1 - way, &AT).unwrap();
        for amount in [most, most - U256::ONE, most >> 1, part_of(most, part)] {
            let Ok(bought) = pool.quote_exact_in(way, 1 - way, amount, &AT) else { continue };
            if bought.amount_out.is_zero() { continue }
            let cost = pool.quote_exact_out(way, 1 - way, bought.amount_out, &AT);
            prop_assert!(cost.as_ref().is_ok_and(|cost| cost.amount_in <= amount), "{cost:?} for what {amount} buys");
        }
    }

    #[test]
    fn more_in_buys_no_less(pool in any_pool(), one in any::<u64>(), other in any::<u64>()) {
        let most = pool.reserves()[0];
        let (one, other) = (part_of(most, one), part_of(most, other));
        let out = |amount: U256| pool.quote_exact_in(0, 1, amount, &AT).map(|quote| quote.amount_out);
        for (less, more) in [(one.min(other), one.max(other)), (one, one + U256::ONE)] {
            if let (Ok(less), Ok(more)) = (out(less), out(more)) {
                prop_assert!(less <= more + U256::from(STEP));
            }
        }
    }

    #[test]
    fn small_swaps_trade_at_the_marginal_price(pool in any_pool()) {
        let amount = pool.reserves()[0] / units(1_000_000);
        let price = pool.marginal_price(0, 1, &AT).unwrap();
        if let Ok(quote) = pool.quote_exact_in(0, 1, amount, &AT) && quote.amount_out > units(100_000) && amount > units(100_000) {
            let rate = assay_amm::integer::to_f64(quote.amount_out) / assay_amm::integer::to_f64(amount);
            prop_assert!((rate / price.with_fee - 1.0).abs() < 1e-4, "{rate} {}", price.with_fee);
        }
    }
}

fn every_kind(reserves: [U256; 2], fee: u32) -> [Solidly; 3] {
    [
        Solidly::volatile(reserves, fee).unwrap(),
        Solidly::stable(reserves, fee, [18, 18], Solver::Solidly).unwrap(),
        Solidly::stable(reserves, fee, [18, 18], Solver::VelodromeV2).unwrap(),
    ]
}

#[test]
fn bad_states_are_refused() {
    let reserves = [units(ONE); 2];
    assert!(matches!(Solidly::volatile(reserves, 10_000), Err(AmmError::FeeRange { .. })));
    assert!(Solidly::stable(reserves, u32::MAX, [18, 18], Solver::Solidly).is_err());
    assert!(Solidly::stable(reserves, 1, [18, 78], Solver::Solidly).is_err());
    assert!(Solidly::stable(reserves, 1, [0, 77], Solver::Solidly).is_ok());
}

#[test]
fn bad_swaps_are_refused() {
    for mut pool in every_kind([units(1_000 * ONE), units(2_000 * ONE)], 30) {
        assert_eq!(pool.quote_exact_in(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
        assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
        assert!(matches!(pool.quote_exact_in(0, 2, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
        let all = pool.quote_exact_out(0, 1, units(2_000 * ONE), &AT);
        assert!(matches!(all, Err(AmmError::InsufficientReserve { token: 1, .. })));
        assert!(pool.quote_exact_out(0, 1, U256::MAX, &AT).is_err());
        let most = pool.max_in(0, 1, &AT).unwrap();
        assert!(pool.quote_exact_in(0, 1, most, &AT).is_ok());
        assert!(pool.quote_exact_in(0, 1, most + U256::ONE, &AT).is_err());
        let before = pool.clone();
        assert!(pool.swap_exact_in(0, 1, U256::MAX, &AT).is_err());
        assert_eq!(pool, before);
    }
}

#[test]
fn drained_pools_are_refused() {
    for reserves in [[U256::ZERO; 2], [U256::ZERO, units(ONE)], [units(ONE), U256::ZERO]] {
        for pool in every_kind(reserves, 30) {
            assert!(matches!(pool.quote_exact_in(0, 1, U256::ONE, &AT), Err(AmmError::NoLiquidity(_))));
            assert!(matches!(pool.quote_exact_out(0, 1, U256::ONE, &AT), Err(AmmError::NoLiquidity(_))));
            assert!(matches!(pool.marginal_price(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
            assert!(matches!(pool.max_in(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
        }
    }
}
