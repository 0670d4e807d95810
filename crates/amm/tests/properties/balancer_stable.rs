//! Properties of the stable pools, meta-stable and composable.
//!
//! Stated slack. Every swap is rounded against the trader by one unit of the 18th decimal,
//! which covers the solver's own last step: round trips need no slack, neighbouring outputs
//! may be out of order by [`STEP`] units, and the invariant, itself known to one or two
//! units only, may read [`INVARIANT_STEP`] units lower. The contract truncates the linear
//! term of the curve to a multiple of 1,000 units, against the trader: an exact output may
//! cost [`TERM`] units per direction more than the input that bought it.

use assay_amm::kind::BalancerStable;
use assay_amm::kind::balancer::fixed_point::ONE;
use assay_amm::kind::balancer::pool_token::{PoolTokenState, TokenRate};
use assay_amm::kind::balancer::stable_math::{Balances, Curve, InvariantVersion};
use assay_amm::kind::balancer_stable::{Amplification, PoolToken};
use assay_amm::{AmmError, Context, U256};
use proptest::prelude::*;

const AT: Context = Context { timestamp: 0, fee: assay_amm::Fee::Pool };

/// Units of the 18th decimal that the solver's answers of neighbouring amounts differ by
/// in the wrong direction at most.
const STEP: u64 = 2;

/// Units of the 18th decimal that the invariant may read lower after a swap.
const INVARIANT_STEP: u64 = 4;

/// Units of the 18th decimal that the truncated term of the curve withholds.
const TERM: u64 = 1_000;

fn units(value: u128) -> U256 {
    U256::from(value)
}

/// Balances within a factor of fifty of each other, two to five tokens, rates up to two.
#[derive(Debug, Clone)]
struct Shape {
    balances: Vec<u128>,
    factors: Vec<U256>,
    amplification: u64,
    fee: u64,
    version: InvariantVersion,
}

fn any_shape() -> impl Strategy<Value = Shape> {
    let token = (1_000_000_u128..50_000_000, 1_000_000_000_000_000_000_u64..2_000_000_000_000_000_000);
    (
        proptest::collection::vec(token, 2..=5),
        9_u32..=20,
        1_000_u64..=5_000_000,
        0_u64..50_000_000_000_000_000,
        any::<bool>(),
    )
        .prop_map(|(tokens, zeros, amplification, fee, rounding_up)| Shape {
            balances: tokens.iter().map(|(digits, _)| digits * 10_u128.pow(zeros)).collect(),
            factors: tokens.iter().map(|(_, rate)| U256::from(*rate)).collect(),
            amplification,
            fee,
            version: if rounding_up { InvariantVersion::RoundingUp } else { InvariantVersion::Truncating },
        })
}

impl Shape {
    fn pool(&self) -> BalancerStable {
        let amplification = Amplification::steady(self.amplification);
        let (balances, factors) = (self.balances.clone(), self.factors.clone());
        BalancerStable::new(balances, factors, amplification, U256::from(self.fee), self.version).unwrap()
    }

    /// The same pool with its own token first, after a join at today's rates.
    fn composable(&self, protocol_fee: u64) -> BalancerStable {
        let invariant = self.invariant(&self.balances);
        let held = 1_u128 << 111;
        let state = PoolTokenState {
            total_supply: units(held) + invariant,
            last_amplification: self.amplification,
            last_invariant: invariant,
            protocol_swap_fee: U256::from(protocol_fee),
            protocol_yield_fee: U256::from(protocol_fee),
            rates: self.factors.iter().map(|rate| TokenRate { current: *rate, old: *rate, exempt: false }).collect(),
        };
        let balances = [vec![held], self.balances.clone()].concat();
        let factors = [vec![ONE], self.factors.clone()].concat();
        let amplification = Amplification::steady(self.amplification);
        let own = PoolToken { index: 0, state: Some(state) };
        let version = InvariantVersion::Truncating;
        BalancerStable::composable(balances, factors, amplification, U256::from(self.fee), version, own).unwrap()
    }

    fn invariant(&self, balances: &[u128]) -> U256 {
        let mut scaled = Balances::new();
        for (balance, factor) in balances.iter().zip(&self.factors) {
            scaled.push(units(*balance) * *factor / ONE).unwrap();
        }
        let amplification = U256::from(self.amplification);
        Curve { amplification, version: InvariantVersion::Truncating }.invariant(&scaled).unwrap()
    }
}

fn part_of(most: u128, part: u64) -> U256 {
    ((units(most) >> (part % 32) as usize) * U256::from(part) / U256::from(u64::MAX)).max(U256::ONE)
}

/// Whether the refusal is the contract's for amounts below what the curve resolves.
fn too_small(error: &AmmError) -> bool {
    matches!(error, AmmError::Underflow { .. } | AmmError::ZeroAmount)
}

/// Whether the refusal is one the contract has for pools far out of balance, where the
/// iteration that rounds up may step around its root.
fn refused(error: &AmmError) -> bool {
    too_small(error) || matches!(error, AmmError::NoConvergence { .. })
}

proptest! {
    #![proptest_config(crate::cases(1_000))]

    #[test]
    fn round_trips_never_gain(shape in any_shape(), part in any::<u64>()) {
        let mut pool = shape.pool();
        let amount = part_of(shape.balances[0] * 2, part);
        let bought = match pool.swap_exact_in(0, 1, amount, &AT) {
            Ok(quote) => quote.amount_out,
            Err(error) => { prop_assert!(refused(&error), "{error}"); return Ok(()) }
        };
        let floor = shape.invariant(&shape.balances).saturating_sub(U256::from(INVARIANT_STEP));
        prop_assert!(shape.invariant(pool.balances()) >= floor);
        match pool.swap_exact_in(1, 0, bought, &AT) {
            Ok(back) => prop_assert!(back.amount_out <= amount, "{} back for {amount}", back.amount_out),
            Err(error) => prop_assert!(refused(&error), "{error}"),
        }
        prop_assert!(shape.invariant(pool.balances()) >= floor);
    }

    #[test]
    fn exact_outputs_keep_the_invariant(shape in any_shape(), part in any::<u64>()) {
        let mut pool = shape.pool();
        let amount = part_of(shape.balances[1] - 1, part);
        match pool.swap_exact_out(0, 1, amount, &AT) {
            Ok(quote) => {
                let floor = shape.invariant(&shape.balances).saturating_sub(U256::from(INVARIANT_STEP));
                prop_assert!(shape.invariant(pool.balances()) >= floor);
                prop_assert_eq!(units(pool.balances()[0]), units(shape.balances[0]) + quote.amount_in);
                prop_assert_eq!(units(pool.balances()[1]), units(shape.balances[1]) - amount);
            }
            Err(error) => prop_assert!(refused(&error), "{error}"),
        }
    }

    #[test]
    fn more_in_buys_no_less(shape in any_shape(), part in any::<u64>(), more in any::<u64>()) {
        let pool = shape.pool();
        let most = shape.balances[1];
        let (a, b) = (part_of(most, part), part_of(most, more));
        let (less, more) = (a.min(b), a.max(b));
        let out = |amount| pool.quote_exact_in(1, 0, amount, &AT).map_or(U256::ZERO, |quote| quote.amount_out);
        prop_assert!(out(less) <= out(more) + U256::from(STEP));
        prop_assert!(out(less) <= out(less + U256::ONE) + U256::from(STEP));
        prop_assert_eq!(pool, shape.pool());
    }

    #[test]
    fn an_exact_output_costs_what_bought_it(shape in any_shape(), part in any::<u64>()) {
        let pool = shape.pool();
        let amount = part_of(shape.balances[0], part);
        let Ok(quote) = pool.quote_exact_in(0, 1, amount, &AT) else { return Ok(()) };
        if quote.amount_out.is_zero() { return Ok(()) }
        let cost = pool.quote_exact_out(0, 1, quote.amount_out, &AT).unwrap().amount_in;
        // Each direction withholds a unit of the curve, worth the price of the pair.
        let price = pool.marginal_price(1, 0, &AT).unwrap().without_fee.max(1.0).ceil();
        let slack = U256::from((TERM + 4) * (1 + price as u64));
        prop_assert!(cost <= amount + slack, "{cost} for what {amount} bought, slack {slack}");
    }

    #[test]
    fn small_swaps_trade_at_the_marginal_price(shape in any_shape()) {
        let pool = shape.pool();
        let amount = units(shape.balances[0] / 1_000_000);
        let price = match pool.marginal_price(0, 1, &AT) {
            Ok(price) => price,
            Err(error) => { prop_assert!(refused(&error), "{error}"); return Ok(()) }
        };
        let out = pool.quote_exact_in(0, 1, amount, &AT).unwrap().amount_out;
        let rate = assay_amm::integer::to_f64(out) / assay_amm::integer::to_f64(amount);
        prop_assert!((rate / price.with_fee - 1.0).abs() < 1e-4, "{rate} {}", price.with_fee);
    }

    #[test]
    fn joins_and_exits_never_gain(shape in any_shape(), part in any::<u64>(), protocol_fee in 0..500_000_000_000_000_000_u64) {
        let mut pool = shape.composable(protocol_fee);
        let untouched = pool.clone();
        let amount = part_of(shape.balances[0] * 2, part).max(units(1_000_000));
        let joined = match pool.swap_exact_in(1, 0, amount, &AT) {
            Ok(joined) => joined,
            Err(error) => { prop_assert!(refused(&error), "{error}"); return Ok(()) }
        };
        prop_assert_eq!(joined.amount_out, untouched.quote_exact_in(1, 0, amount, &AT).unwrap().amount_out);
        if joined.amount_out.is_zero() { return Ok(()) }
        let state = pool.pool_token().unwrap().state.clone().unwrap();
        // The contract scales the balance and the amount apart: a unit of a scarce token each.
        prop_assert!(state.last_invariant.abs_diff(shape.invariant(&pool.balances()[1..])) <= units(64));
        for token in [1, 2] {
            let mut pool = pool.clone();
            if let Ok(exit) = pool.swap_exact_in(0, token, joined.amount_out, &AT) && token == 1 {
                prop_assert!(exit.amount_out <= amount, "{} back for {amount}", exit.amount_out);
            }
        }
        // The other side of both: the same join and exit by their results.
        if let Ok(quote) = untouched.quote_exact_out(1, 0, joined.amount_out, &AT) {
            // The contract taxes what exceeds the token's share by two formulas, apart by the fee.
            let near = amount * U256::from(shape.fee) / ONE + amount / units(1_000_000_000_000) + U256::from(2 * TERM + 10);
            prop_assert!(quote.amount_in <= amount + near, "{} for what {amount} minted", quote.amount_in);
        }
    }

    #[test]
    fn pool_tokens_are_priced_at_the_margin(shape in any_shape()) {
        let pool = shape.composable(0);
        let amount = units(shape.balances[0] / 1_000_000);
        for (token_in, token_out) in [(1, 0), (0, 1)] {
            let price = pool.marginal_price(token_in, token_out, &AT).unwrap();
            let out = pool.quote_exact_in(token_in, token_out, amount, &AT).unwrap().amount_out;
            let rate = assay_amm::integer::to_f64(out) / assay_amm::integer::to_f64(amount);
            prop_assert!((rate / price.with_fee - 1.0).abs() < 1e-3, "{token_in}: {rate} {}", price.with_fee);
        }
    }
}

fn pair(version: InvariantVersion) -> BalancerStable {
    let balances = vec![1_000_000_000_000_000_000_000; 2];
    BalancerStable::new(balances, vec![ONE; 2], Amplification::steady(200_000), U256::ZERO, version).unwrap()
}

#[test]
fn bad_states_are_refused() {
    let version = InvariantVersion::Truncating;
    let steady = Amplification::steady(200_000);
    let build = |balances: &[u128], factors: &[U256], amplification, fee| {
        BalancerStable::new(balances.into(), factors.into(), amplification, fee, version)
    };
    assert!(build(&[1; 2], &[ONE; 2], steady, U256::ZERO).is_ok());
    assert!(build(&[1; 6], &[ONE; 6], steady, U256::ZERO).is_err());
    assert!(build(&[1], &[ONE], steady, U256::ZERO).is_err());
    assert!(build(&[], &[], steady, U256::ZERO).is_err());
    assert!(build(&[1; 2], &[ONE; 3], steady, U256::ZERO).is_err());
    assert!(build(&[1; 2], &[ONE, U256::ZERO], steady, U256::ZERO).is_err());
    assert!(build(&[1; 2], &[ONE; 2], Amplification::steady(999), U256::ZERO).is_err());
    assert!(build(&[1; 2], &[ONE; 2], Amplification::steady(5_000_001), U256::ZERO).is_err());
    assert!(build(&[1; 2], &[ONE; 2], steady, ONE).is_err());
    assert!(build(&[1 << 112, 1], &[ONE; 2], steady, U256::ZERO).is_err());
    let own = |index| PoolToken { index, state: None };
    let composable = |count: usize, own: PoolToken| {
        BalancerStable::composable(vec![1; count], vec![ONE; count], steady, U256::ZERO, version, own)
    };
    assert!(composable(3, own(2)).is_ok());
    assert!(composable(6, own(0)).is_ok());
    assert!(composable(3, own(3)).is_err());
    assert!(composable(2, own(0)).is_err());
    assert!(composable(0, own(0)).is_err());
}

#[test]
fn bad_swaps_are_refused() {
    for version in [InvariantVersion::Truncating, InvariantVersion::RoundingUp] {
        let pool = pair(version);
        assert_eq!(pool.quote_exact_in(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
        assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
        assert!(matches!(pool.quote_exact_in(1, 1, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
        for amount in [U256::MAX, U256::MAX >> 64, units(1_000_000_000_000_000_000_001)] {
            assert!(pool.quote_exact_out(0, 1, amount, &AT).is_err());
        }
        for amount in [U256::MAX, U256::MAX >> 64, units(u128::MAX)] {
            assert!(pool.quote_exact_in(0, 1, amount, &AT).is_err());
        }
        let most = pool.max_in(0, 1, &AT).unwrap();
        assert!(pool.quote_exact_in(0, 1, most, &AT).is_ok());
        assert!(matches!(pool.quote_exact_in(0, 1, most + U256::ONE, &AT), Err(AmmError::ReserveOverflow { .. })));
    }
}

#[test]
fn drained_pools_are_refused() {
    for version in [InvariantVersion::Truncating, InvariantVersion::RoundingUp] {
        for balances in [[0, 0], [1_000_000, 0]] {
            let steady = Amplification::steady(200_000);
            let pool = BalancerStable::new(balances.into(), vec![ONE; 2], steady, U256::ZERO, version).unwrap();
            assert!(pool.quote_exact_in(0, 1, units(1_000), &AT).is_err());
            assert!(pool.quote_exact_out(0, 1, units(1_000), &AT).is_err());
            assert!(pool.marginal_price(0, 1, &AT).is_err());
        }
    }
}

#[test]
fn a_pool_token_without_its_state_is_not_traded() {
    let (steady, version) = (Amplification::steady(200_000), InvariantVersion::Truncating);
    let balances = vec![1_000_000_000_000_000_000_000; 3];
    let own = PoolToken { index: 1, state: None };
    let pool = BalancerStable::composable(balances, vec![ONE; 3], steady, U256::ZERO, version, own).unwrap();
    assert!(pool.quote_exact_in(0, 2, units(1_000_000), &AT).is_ok());
    assert!(matches!(pool.quote_exact_in(0, 1, units(1_000_000), &AT), Err(AmmError::Missing(_))));
    assert!(matches!(pool.quote_exact_out(1, 2, units(1_000_000), &AT), Err(AmmError::Missing(_))));
    assert!(matches!(pool.marginal_price(0, 1, &AT), Err(AmmError::Missing(_))));
}

#[test]
fn the_amplification_moves_linearly() {
    let rising = Amplification { start: 100_000, end: 300_000, start_time: 1_000, end_time: 3_000 };
    assert_eq!(rising.at(1_000), Ok(100_000));
    assert_eq!(rising.at(2_001), Ok(200_100));
    assert_eq!(rising.at(3_000), Ok(300_000));
    assert_eq!(rising.at(u64::MAX), Ok(300_000));
    assert!(rising.at(999).is_err());
    let falling = Amplification { start: 300_000, end: 100_000, start_time: 0, end_time: 3 };
    assert_eq!(falling.at(1), Ok(233_334));
    let balances = vec![2_000_000_000_000_000_000_000, 1_000_000_000_000_000_000_000];
    let version = InvariantVersion::Truncating;
    let pool = BalancerStable::new(balances, vec![ONE; 2], rising, U256::ZERO, version).unwrap();
    let out = |timestamp| pool.quote_exact_in(0, 1, ONE, &Context::at(timestamp)).unwrap().amount_out;
    assert!(out(1_000) < out(2_000) && out(2_000) < out(3_000));
}

#[test]
fn an_expired_rate_is_asked_for() {
    let pool = pair(InvariantVersion::Truncating).with_rate_expiry(vec![u64::MAX, 500]).unwrap();
    assert!(pool.quote_exact_in(0, 1, ONE, &Context::at(500)).is_ok());
    assert!(matches!(pool.quote_exact_in(0, 1, ONE, &Context::at(501)), Err(AmmError::Missing(_))));
    assert!(pair(InvariantVersion::Truncating).with_rate_expiry(vec![1]).is_err());
}

#[test]
fn yield_and_swap_fees_are_minted_before_a_join() {
    let shape = Shape {
        balances: vec![1_000_000_000_000_000_000_000; 2],
        factors: vec![ONE; 2],
        amplification: 200_000,
        fee: 1_000_000_000_000_000,
        version: InvariantVersion::Truncating,
    };
    let supply = |pool: &BalancerStable| pool.pool_token().unwrap().state.as_ref().unwrap().total_supply;
    let half = 500_000_000_000_000_000;
    let (mut with_fees, mut without) = (shape.composable(half), shape.composable(0));
    for pool in [&mut with_fees, &mut without] {
        for _ in 0..5 {
            pool.swap_exact_in(1, 2, ONE * U256::from(100), &AT).unwrap();
            pool.swap_exact_in(2, 1, ONE * U256::from(100), &AT).unwrap();
        }
    }
    let (before_fees, before) = (supply(&with_fees), supply(&without));
    let fewer = without.swap_exact_in(1, 0, ONE, &AT).unwrap().amount_out;
    let more = with_fees.swap_exact_in(1, 0, ONE, &AT).unwrap().amount_out;
    assert_eq!(supply(&without), before);
    // A thousand units swapped at 0.1 %: one unit of fees in 2,000, half of it the protocol's.
    let minted = supply(&with_fees) - before_fees;
    assert!(minted > ONE * U256::from(45) / U256::from(100) && minted < ONE * U256::from(55) / U256::from(100));
    // The supply that a join grows in proportion is larger.
    assert!(more > fewer);
}
