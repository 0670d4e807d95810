//! Weighted pools against a big-integer oracle, and their properties.
//!
//! Stated slack. The contract widens every power by 10^−14 of itself plus one unit of the
//! 18th decimal, always against the trader, so round trips and the invariant need no slack.
//! The widening is what an exact output may cost more than the input that bought it
//! ([`inverse_slack`]), and neighbouring powers may be out of order by 20 units of the 18th
//! decimal ([`order_slack`]).

use crate::big_integers::{big, ln, pow, widen};
use assay_amm::kind::BalancerWeighted;
use assay_amm::kind::balancer::fixed_point::{ONE, PowVersion, pow_down, pow_up};
use assay_amm::kind::balancer_weighted::{MAX_RATIO, scaling_factor};
use assay_amm::{AmmError, Context, U256};
use num_bigint::BigInt;
use proptest::prelude::*;

const AT: Context = Context { timestamp: 0, fee: assay_amm::Fee::Pool };

fn units(value: u128) -> U256 {
    U256::from(value)
}

/// Pools of two to eight tokens: weights from 1 %, decimals 6 to 18, any fee below 10 %.
fn any_pool() -> impl Strategy<Value = BalancerWeighted> {
    let balance = (1_000_000_u128..10_000_000, 6_u32..=21).prop_map(|(digits, zeros)| digits * 10_u128.pow(zeros));
    let token = (1_u64..100, 6_u8..=18, balance);
    (proptest::collection::vec(token, 2..=8), 0_u64..100_000_000_000_000_000, any::<bool>()).prop_map(
        |(tokens, fee, shortcuts)| {
            let floor = 10_000_000_000_000_000_u64;
            let free = 1_000_000_000_000_000_000 - floor * tokens.len() as u64;
            let parts: u64 = tokens.iter().map(|(part, ..)| part).sum();
            let mut weights: Vec<u64> = tokens.iter().map(|(part, ..)| floor + free / parts * part).collect();
            weights[0] += 1_000_000_000_000_000_000 - weights.iter().sum::<u64>();
            let decimals: Vec<u8> = tokens.iter().map(|(_, decimals, _)| *decimals).collect();
            let balances =
                tokens.iter().map(|(_, decimals, balance)| (balance / 10_u128.pow(18 - u32::from(*decimals))).max(1));
            let version = if shortcuts { PowVersion::Shortcuts } else { PowVersion::LogExp };
            let weights = weights.into_iter().map(U256::from).collect();
            BalancerWeighted::new(balances.collect(), weights, &decimals, U256::from(fee), version).unwrap()
        },
    )
}

/// An input of the pool: a part of the largest, by orders of magnitude.
fn part_of(most: U256, part: u64) -> U256 {
    ((most >> (part % 24) as usize) * U256::from(part) / U256::from(u64::MAX)).max(U256::ONE)
}

/// The largest input, where the pool takes one unit at all.
fn largest(pool: &BalancerWeighted, token_in: usize, token_out: usize) -> Result<U256, TestCaseError> {
    let most = pool.max_in(token_in, token_out, &AT).unwrap();
    if most.is_zero() { Err(TestCaseError::reject("too small to trade")) } else { Ok(most) }
}

/// `Σ wᵢ · ln(bᵢ)` in 60 decimals.
fn log_invariant(pool: &BalancerWeighted) -> BigInt {
    let logarithm =
        |(balance, weight): (&u128, &U256)| ln(&(*balance).into(), &1_u8.into()) * BigInt::from(big(*weight));
    pool.balances().iter().zip(pool.weights()).map(logarithm).sum()
}

/// What the widened powers of both directions may add to an input, in token units.
fn inverse_slack(pool: &BalancerWeighted, token_in: usize, token_out: usize) -> U256 {
    let balance = units(pool.balances()[token_in]);
    let steepness = pool.weights()[token_out] / pool.weights()[token_in] + U256::from(2);
    balance * steepness * U256::from(8) / units(100_000_000_000_000) + U256::from(2)
}

/// How far neighbouring outputs may be out of order, in token units.
fn order_slack(pool: &BalancerWeighted, token_out: usize) -> U256 {
    units(pool.balances()[token_out]) * U256::from(20) / ONE + U256::ONE
}

proptest! {
    #![proptest_config(crate::cases(150))]

    #[test]
    fn powers_enclose_the_true_power(base in 700_000_000_000_000_000_u64..1_430_000_000_000_000_000,
                                     exponent in 10_000_000_000_000_000_u128..100_000_000_000_000_000_000) {
        let (base, exponent) = (U256::from(base), units(exponent));
        let exact = pow(&big(base), &big(ONE), &big(exponent), &big(ONE));
        for version in [PowVersion::LogExp, PowVersion::Shortcuts] {
            prop_assert!(widen(pow_up(base, exponent, version).unwrap()) >= exact);
            prop_assert!(widen(pow_down(base, exponent, version).unwrap()) <= exact);
        }
    }

    #[test]
    fn round_trips_never_gain(pool in any_pool(), part in any::<u64>()) {
        let before = pool.clone();
        let amount = part_of(largest(&pool, 0, 1)?, part);
        let mut pool = pool;
        let bought = pool.swap_exact_in(0, 1, amount, &AT).unwrap().amount_out;
        prop_assert!(log_invariant(&pool) >= log_invariant(&before));
        if bought.is_zero() {
            return Ok(());
        }
        let back = pool.swap_exact_in(1, 0, bought, &AT);
        if let Ok(back) = back {
            prop_assert!(back.amount_out <= amount);
            prop_assert!(log_invariant(&pool) >= log_invariant(&before));
        }
    }

    #[test]
    fn exact_outputs_keep_the_invariant(pool in any_pool(), part in 0..u64::MAX / 10 * 3) {
        let before = pool.clone();
        let amount = part_of(units(pool.balances()[1]), part);
        let mut pool = pool;
        // A pool of a single unit has nothing below its 30 %.
        if let Ok(quote) = pool.swap_exact_out(0, 1, amount, &AT) {
            prop_assert!(log_invariant(&pool) >= log_invariant(&before));
            prop_assert_eq!(units(pool.balances()[0]), units(before.balances()[0]) + quote.amount_in);
            prop_assert_eq!(units(pool.balances()[1]), units(before.balances()[1]) - amount);
        }
    }

    #[test]
    fn more_in_buys_no_less(pool in any_pool(), part in any::<u64>(), more in any::<u64>()) {
        let most = largest(&pool, 1, 0)?;
        let (one, other) = (part_of(most, part), part_of(most, more));
        let (less, more) = (one.min(other), one.max(other));
        let untouched = pool.clone();
        let small = pool.quote_exact_in(1, 0, less, &AT).unwrap().amount_out;
        let large = pool.quote_exact_in(1, 0, more, &AT).unwrap().amount_out;
        prop_assert!(small <= large + order_slack(&pool, 0));
        let next = pool.quote_exact_in(1, 0, (less + U256::ONE).min(most), &AT).unwrap().amount_out;
        prop_assert!(small <= next + order_slack(&pool, 0));
        prop_assert_eq!(pool, untouched);
    }

    #[test]
    fn an_exact_output_costs_what_bought_it(pool in any_pool(), part in any::<u64>()) {
        let amount = part_of(largest(&pool, 0, 1)?, part);
        let bought = pool.quote_exact_in(0, 1, amount, &AT).unwrap().amount_out;
        // The output may be above 30 % where the input's weight is the larger.
        if let Ok(quote) = pool.quote_exact_out(0, 1, bought, &AT) {
            let slack = inverse_slack(&pool, 0, 1);
            prop_assert!(quote.amount_in <= amount + slack, "{} for {amount}, slack {slack}", quote.amount_in);
        }
    }

    #[test]
    fn the_largest_input_is_at_the_contracts_bound(pool in any_pool()) {
        let most = pool.max_in(0, 1, &AT).unwrap();
        if !most.is_zero() {
            prop_assert!(pool.quote_exact_in(0, 1, most, &AT).is_ok());
        }
        prop_assert!(pool.quote_exact_in(0, 1, most + U256::ONE, &AT).is_err());
    }

    #[test]
    fn small_swaps_trade_at_the_marginal_price(pool in any_pool()) {
        let price = pool.marginal_price(0, 1, &AT).unwrap();
        let amount = units(pool.balances()[0] / 100_000);
        let Ok(quote) = pool.quote_exact_in(0, 1, amount, &AT) else { return Ok(()) };
        if quote.amount_out > units(1_000_000) && amount > units(1_000_000) {
            let rate = assay_amm::integer::to_f64(quote.amount_out) / assay_amm::integer::to_f64(amount);
            prop_assert!((rate / price.with_fee - 1.0).abs() < 2e-3, "{rate} {}", price.with_fee);
        }
    }
}

fn pool(balances: [u128; 2], fee: u64) -> BalancerWeighted {
    let weights = vec![units(800_000_000_000_000_000), units(200_000_000_000_000_000)];
    BalancerWeighted::new(balances.into(), weights, &[18, 6], U256::from(fee), PowVersion::LogExp).unwrap()
}

#[test]
fn bad_states_are_refused() {
    let half = ONE / U256::from(2);
    let build = |balances: &[u128], weights: &[U256], decimals: &[u8], fee: U256| {
        BalancerWeighted::new(balances.into(), weights.into(), decimals, fee, PowVersion::LogExp)
    };
    assert!(build(&[1, 1], &[half, half], &[18, 18], U256::ZERO).is_ok());
    assert!(build(&[1, 1], &[half, half - U256::ONE], &[18, 18], U256::ZERO).is_err());
    assert!(build(&[1, 1], &[ONE - U256::ONE, U256::ONE], &[18, 18], U256::ZERO).is_err());
    assert!(build(&[1, 1], &[U256::MAX, U256::MAX], &[18, 18], U256::ZERO).is_err());
    assert!(build(&[1, 1], &[half, half], &[18, 19], U256::ZERO).is_err());
    assert!(build(&[1, 1], &[half, half], &[18], U256::ZERO).is_err());
    assert!(build(&[1, 1], &[half, half], &[18, 18], ONE).is_err());
    assert!(build(&[1], &[ONE], &[18], U256::ZERO).is_err());
    assert!(build(&[1 << 112, 1], &[half, half], &[18, 18], U256::ZERO).is_err());
    assert!(scaling_factor(0).unwrap() == ONE * ONE);
}

#[test]
fn bad_swaps_are_refused() {
    let pool = pool([1_000_000_000_000_000_000_000, 5_000_000_000], 0);
    assert_eq!(pool.quote_exact_in(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
    assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
    assert!(matches!(pool.quote_exact_in(0, 0, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
    assert!(matches!(pool.quote_exact_in(0, 2, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
    for amount in [U256::MAX, U256::MAX / ONE] {
        assert!(pool.quote_exact_in(0, 1, amount, &AT).is_err());
        assert!(pool.quote_exact_out(0, 1, amount, &AT).is_err());
    }
    let most = units(1_000_000_000_000_000_000_000) * MAX_RATIO / ONE;
    assert!(pool.quote_exact_in(0, 1, most, &AT).is_ok());
    assert!(matches!(pool.quote_exact_in(0, 1, most + U256::ONE, &AT), Err(AmmError::Limit { .. })));
    assert!(pool.quote_exact_out(0, 1, units(1_500_000_000), &AT).is_ok());
    assert!(matches!(pool.quote_exact_out(0, 1, units(1_500_000_001), &AT), Err(AmmError::Limit { .. })));
}

#[test]
fn drained_and_brimful_pools_are_refused() {
    let drained = pool([0, 5_000_000_000], 0);
    assert!(matches!(drained.marginal_price(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
    assert!(matches!(drained.max_in(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
    assert!(drained.quote_exact_in(0, 1, U256::ONE, &AT).is_err());
    let mut brimful = pool([(1 << 112) - 1, 5_000_000_000], 0);
    let before = brimful.clone();
    assert!(matches!(brimful.swap_exact_in(0, 1, units(1 << 80), &AT), Err(AmmError::ReserveOverflow { .. })));
    assert_eq!(brimful, before);
    assert_eq!(brimful.max_in(0, 1, &AT), Ok(U256::ZERO));
}
