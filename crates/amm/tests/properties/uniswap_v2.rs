//! Constant product pairs: published numbers, and properties against the pair's own check.
//!
//! No slack, but for [`UniswapV2::quote_exact_out`], which may ask one unit more than the
//! least input, as the router does.

use crate::big_integers::big;
use assay_amm::kind::UniswapV2;
use assay_amm::kind::uniswap_v2::MAX_RESERVE;
use assay_amm::{AmmError, Context, U256};
use num_bigint::BigUint;
use proptest::prelude::*;

const AT: Context = Context { timestamp: 0, fee: assay_amm::Fee::Pool };
const UNIT: u128 = 1_000_000_000_000_000_000;

fn units(value: u128) -> U256 {
    U256::from(value)
}

/// The pair's check: reserves less the fee times the denominator never lose product.
fn allowed(pool: &UniswapV2, token_in: usize, amount_in: U256, amount_out: U256) -> bool {
    let scale = BigUint::from(pool.fee(token_in).1);
    let (reserve_in, reserve_out) =
        (BigUint::from(pool.reserves()[token_in]), BigUint::from(pool.reserves()[1 - token_in]));
    let (amount_in, amount_out) = (big(amount_in), big(amount_out));
    if amount_out >= reserve_out {
        return false;
    }
    let adjusted_in = (&reserve_in + &amount_in) * &scale - amount_in * pool.fee(token_in).0;
    let adjusted_out = (&reserve_out - amount_out) * &scale;
    adjusted_in * adjusted_out >= reserve_in * reserve_out * &scale * &scale
}

/// Amounts of every length up to the widest reserve.
fn any_length(most: u32) -> impl Strategy<Value = u128> {
    (1..=most, any::<u128>()).prop_map(|(bits, value)| (value & ((1 << bits) - 1)).max(1))
}

fn any_pool() -> impl Strategy<Value = UniswapV2> {
    let fee = prop_oneof![Just((3_u32, 1_000_u32)), Just((25, 10_000)), Just((0, 1)), (0..100_000_u32, Just(100_000))];
    (any_length(112), any_length(112), fee)
        .prop_map(|(reserve0, reserve1, (fee, scale))| UniswapV2::new([reserve0, reserve1], fee, scale).unwrap())
}

proptest! {
    #![proptest_config(crate::cases(3_000))]

    #[test]
    fn the_output_is_the_largest_the_pair_allows(pool in any_pool(), amount in any_length(112)) {
        let untouched = pool.clone();
        match pool.quote_exact_in(0, 1, units(amount), &AT) {
            Ok(quote) => {
                prop_assert!(allowed(&pool, 0, units(amount), quote.amount_out));
                prop_assert!(!allowed(&pool, 0, units(amount), quote.amount_out + U256::ONE));
            }
            Err(error) => {
                prop_assert!(amount > MAX_RESERVE - pool.reserves()[0]);
                let overflows = matches!(error, AmmError::ReserveOverflow { token: 0, .. });
                prop_assert!(overflows, "{error}");
            }
        }
        prop_assert_eq!(pool, untouched);
    }

    /// Products just below and above 128 bits: the native and the wide path.
    #[test]
    fn both_widths_give_one_answer(bits in 30_u32..=84, near in 0_u128..1_000, scale in 1_000_u32..=1_000_000) {
        // amount · kept · reserve lies at the border for one of the two splits below.
        let amount = (1_u128 << bits) - 500 + near;
        let kept = u128::from(scale - scale / 300);
        let reserve = (u128::MAX / (amount * kept).max(1)).clamp(1, MAX_RESERVE / 2);
        for reserve_out in [reserve.saturating_sub(near).max(1), reserve, (reserve + near).min(MAX_RESERVE)] {
            let pool = UniswapV2::new([amount, reserve_out], scale / 300, scale).unwrap();
            let out = pool.quote_exact_in(0, 1, units(amount), &AT).unwrap().amount_out;
            let paid = BigUint::from(amount) * kept;
            let exact = &paid * reserve_out / (BigUint::from(amount) * scale + &paid);
            prop_assert_eq!(big(out), exact);
        }
    }

    #[test]
    fn an_exact_output_asks_the_least_or_one_more(pool in any_pool(), part in any::<u64>()) {
        let amount_out = units(pool.reserves()[1]) * U256::from(part) / (U256::from(u64::MAX) + U256::ONE);
        prop_assume!(!amount_out.is_zero());
        let Ok(quote) = pool.quote_exact_out(0, 1, amount_out, &AT) else { return Ok(()) };
        prop_assert!(allowed(&pool, 0, quote.amount_in, amount_out));
        if quote.amount_in > U256::from(2) {
            prop_assert!(!allowed(&pool, 0, quote.amount_in - U256::from(2), amount_out));
        }
    }

    #[test]
    fn an_exact_output_costs_what_bought_it_or_less(pool in any_pool(), amount in any_length(100)) {
        let Ok(bought) = pool.quote_exact_in(0, 1, units(amount), &AT) else { return Ok(()) };
        if bought.amount_out.is_zero() { return Ok(()) }
        // An exact division asks one unit more than the least.
        match pool.quote_exact_out(0, 1, bought.amount_out, &AT) {
            Ok(cost) => prop_assert!(cost.amount_in <= units(amount) + U256::ONE),
            Err(error) => prop_assert!(units(amount) + U256::ONE > units(MAX_RESERVE - pool.reserves()[0]), "{error}"),
        }
    }

    #[test]
    fn round_trips_never_gain_and_the_product_never_falls(pool in any_pool(), amount in any_length(112)) {
        let mut after = pool.clone();
        let Ok(there) = after.swap_exact_in(0, 1, units(amount), &AT) else { return Ok(()) };
        let product = |pool: &UniswapV2| BigUint::from(pool.reserves()[0]) * pool.reserves()[1];
        prop_assert!(product(&after) >= product(&pool));
        prop_assert_eq!(units(after.reserves()[0]), units(pool.reserves()[0]) + units(amount));
        if let Ok(back) = after.swap_exact_in(1, 0, there.amount_out, &AT) {
            prop_assert!(back.amount_out <= units(amount));
            prop_assert!(product(&after) >= product(&pool));
        }
    }

    #[test]
    fn more_in_buys_no_less(pool in any_pool(), one in any_length(111), other in any_length(111)) {
        let out = |amount: u128| pool.quote_exact_in(1, 0, units(amount), &AT).map(|quote| quote.amount_out);
        if let (Ok(less), Ok(more)) = (out(one.min(other)), out(one.max(other))) {
            prop_assert!(less <= more);
        }
    }
}

/// Swaps of the test suite of `UniswapV2Pair`: input, reserves, largest output.
#[test]
fn published_swaps_are_equal() {
    let cases: [(u128, u128, u128, u128); 7] = [
        (1, 5, 10, 1_662_497_915_624_478_906),
        (1, 10, 5, 453_305_446_940_074_565),
        (2, 5, 10, 2_851_015_155_847_869_602),
        (2, 10, 5, 831_248_957_812_239_453),
        (1, 10, 10, 906_610_893_880_149_131),
        (1, 100, 100, 987_158_034_397_061_298),
        (1, 1_000, 1_000, 996_006_981_039_903_216),
    ];
    for (amount, reserve0, reserve1, out) in cases {
        let pool = UniswapV2::new([reserve0 * UNIT, reserve1 * UNIT], 3, 1_000).unwrap();
        assert_eq!(pool.quote_exact_in(0, 1, units(amount * UNIT), &AT).unwrap().amount_out, units(out));
    }
}

#[test]
fn bad_states_are_refused() {
    assert!(matches!(UniswapV2::new([1, 1], 1_000, 1_000), Err(AmmError::FeeRange { .. })));
    assert!(matches!(UniswapV2::new([1, 1], 0, 0), Err(AmmError::FeeRange { .. })));
    assert!(matches!(UniswapV2::with_fees([1, 1], [3, 1_001], 1_000), Err(AmmError::FeeRange { fee: 1_001, .. })));
    assert!(matches!(UniswapV2::new([1, MAX_RESERVE + 1], 3, 1_000), Err(AmmError::ReserveOverflow { token: 1, .. })));
}

#[test]
fn bad_swaps_are_refused() {
    let mut pool = UniswapV2::new([1_000, 2_000], 3, 1_000).unwrap();
    assert_eq!(pool.quote_exact_in(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
    assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &AT), Err(AmmError::ZeroAmount));
    assert!(matches!(pool.quote_exact_in(0, 0, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
    assert!(matches!(pool.quote_exact_out(2, 1, U256::ONE, &AT), Err(AmmError::TokenPair { .. })));
    for amount in [2_000_u128, 2_001, u128::MAX] {
        let refused = pool.quote_exact_out(0, 1, units(amount), &AT);
        assert!(matches!(refused, Err(AmmError::InsufficientReserve { token: 1, .. })), "{refused:?}");
    }
    assert!(pool.quote_exact_out(0, 1, U256::MAX, &AT).is_err());
    let most = pool.max_in(0, 1, &AT).unwrap();
    assert_eq!(most, units(MAX_RESERVE - 1_000));
    assert!(pool.quote_exact_in(0, 1, most, &AT).is_ok());
    for amount in [most + U256::ONE, U256::MAX] {
        assert!(matches!(pool.swap_exact_in(0, 1, amount, &AT), Err(AmmError::ReserveOverflow { token: 0, .. })));
    }
    // One unit buys nothing of the scarcer token, and the pair refuses to give nothing.
    assert_eq!(pool.quote_exact_in(1, 0, U256::ONE, &AT).unwrap().amount_out, U256::ZERO);
    assert_eq!(pool.swap_exact_in(1, 0, U256::ONE, &AT), Err(AmmError::ZeroAmount));
    assert_eq!(pool.reserves(), [1_000, 2_000]);
}

#[test]
fn drained_pools_are_refused() {
    for reserves in [[0, 0], [0, 1_000], [1_000, 0]] {
        let pool = UniswapV2::new(reserves, 3, 1_000).unwrap();
        assert!(matches!(pool.quote_exact_in(0, 1, U256::ONE, &AT), Err(AmmError::NoLiquidity(_))));
        assert!(matches!(pool.quote_exact_out(0, 1, U256::ONE, &AT), Err(AmmError::NoLiquidity(_))));
        assert!(matches!(pool.marginal_price(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
        assert!(matches!(pool.max_in(0, 1, &AT), Err(AmmError::NoLiquidity(_))));
    }
}

#[test]
fn each_direction_has_its_fee() {
    let pool = UniswapV2::with_fees([1_000 * UNIT, 1_000 * UNIT], [0, 500], 1_000).unwrap();
    let free = pool.quote_exact_in(0, 1, units(UNIT), &AT).unwrap().amount_out;
    let dear = pool.quote_exact_in(1, 0, units(UNIT), &AT).unwrap().amount_out;
    assert_eq!(free, units(UNIT * 1_000 / 1_001));
    assert_eq!(dear, units(UNIT / 2 * 1_000 * 2 / 2_001));
    let price = pool.marginal_price(1, 0, &AT).unwrap();
    assert_eq!((price.without_fee, price.with_fee), (1.0, 0.5));
}
