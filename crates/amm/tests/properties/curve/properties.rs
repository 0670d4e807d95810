//! What must hold of every Curve pool, whatever its rounding.

use super::{crypto, meta, part, stable_of};
use crate::cases;
use assay_amm::integer::to_f64;
use assay_amm::kind::CurveCrypto;
use assay_amm::kind::curve_crypto::CryptoGeneration;
use assay_amm::kind::curve_stable::{Amplification, CurveStable, Generation};
use assay_amm::{AmmError, Context, Pool, U256};
use proptest::prelude::*;

const NOW: Context = Context { timestamp: 1_700_000_000, fee: assay_amm::Fee::Pool };

fn any_crypto() -> impl Strategy<Value = CurveCrypto> {
    prop::sample::select(&CryptoGeneration::ALL[..]).prop_flat_map(crypto)
}

fn as_pool(pool: CurveStable) -> Pool {
    if pool.generation == Generation::NextGeneration { Pool::CurveNg(pool) } else { Pool::CurveLending(pool) }
}

fn any_pool() -> impl Strategy<Value = Pool> {
    prop_oneof![
        stable_of(2..=4).prop_map(as_pool),
        meta().prop_map(Pool::CurveMeta),
        any_crypto().prop_map(|pool| {
            if pool.token_count() == 2 { Pool::CurveCryptoTwo(pool) } else { Pool::CurveCryptoThree(pool) }
        }),
    ]
}

fn balances(pool: &Pool) -> &[U256] {
    match pool {
        Pool::CurvePlain(pool) | Pool::CurveLending(pool) | Pool::CurveNg(pool) => &pool.balances,
        Pool::CurveMeta(pool) => &pool.pool().balances,
        Pool::CurveCryptoTwo(pool) | Pool::CurveCryptoThree(pool) => &pool.balances,
        other => panic!("{}", other.kind()),
    }
}

/// How far a quote of a token may be from the smooth curve.
fn waver(pool: &Pool, token: usize) -> U256 {
    match pool {
        Pool::CurveCryptoTwo(pool) | Pool::CurveCryptoThree(pool) => {
            pool.balances[token] / U256::from(10_000_000_000_000_u64) + U256::ONE
        }
        _ => U256::ZERO,
    }
}

/// Whether swaps give all that the invariant allows, without a unit of safety.
fn allows_all(pool: &Pool) -> bool {
    use Generation::{Aave, AaveTemplate, Compound, Pax};
    matches!(pool, Pool::CurveLending(pool) if matches!(pool.generation, Compound | Pax | Aave | AaveTemplate))
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_round_trip_never_gains(pool in prop_oneof![stable_of(2..=4).prop_map(as_pool), meta().prop_map(Pool::CurveMeta)], amount: u64) {
        let mut pool = pool;
        let paid = part(balances(&pool)[0], amount);
        if let Ok(there) = pool.swap_exact_in(0, 1, paid, &NOW)
            && let Ok(back) = pool.swap_exact_in(1, 0, there.amount_out, &NOW)
        {
            // Two units of 18 decimals, which are none of a coin with fewer, where the contract
            // gives all that the invariant allows.
            let slack = if allows_all(&pool) { U256::from(2) } else { U256::ZERO };
            prop_assert!(back.amount_out <= paid + slack, "{} came back for {}", back.amount_out, paid);
        }
    }

    /// Except where the fee grows off the peg: there a larger swap can give less. CryptoSwap
    /// stops its iteration at a hundred-trillionth of D, and its answers waver by as much.
    #[test]
    fn more_in_gives_no_less_out(mut pool in any_pool(), amount: u64, more: u64) {
        if let Pool::CurveLending(pool) | Pool::CurveNg(pool) = &mut pool {
            pool.offpeg_fee_multiplier = 0;
        }
        let small = part(balances(&pool)[0], amount);
        let large = small + part(small, more);
        if let (Ok(few), Ok(many)) = (pool.quote_exact_in(0, 1, small, &NOW), pool.quote_exact_in(0, 1, large, &NOW)) {
            let few_out = few.amount_out.saturating_sub(waver(&pool, 1));
            prop_assert!(many.amount_out >= few_out, "{few:?} but {many:?}");
        }
    }

    /// A swap leaves the liquidity providers no poorer: D never falls, but for the two units
    /// that its own iteration may be off.
    #[test]
    fn the_invariant_never_falls(pool in stable_of(2..=4), amount: u64) {
        let mut pool = pool;
        pool.total_supply = Some(U256::from(1_000_000_000_000_000_000_u64));
        let before = pool.virtual_price(&NOW).unwrap();
        if pool.swap_exact_in(0, 1, part(pool.balances[0], amount), &NOW).is_ok() {
            if matches!(
                pool.generation,
                Generation::Compound | Generation::Pax | Generation::StakedRate | Generation::Yearn
            ) {
                // These write balances back from the invariant and lose up to a unit of each.
                pool.balances[0] += U256::ONE;
                pool.balances[1] += U256::ONE;
            }
            let after = pool.virtual_price(&NOW).unwrap();
            prop_assert!(after + U256::from(2) >= before, "{after} after {before}");
        }
    }

    #[test]
    fn an_exact_output_costs_the_least_input(pool in any_pool(), amount: u64) {
        let paid = part(balances(&pool)[0], amount);
        let Ok(there) = pool.quote_exact_in(0, 1, paid, &NOW) else { return Ok(()) };
        if there.amount_out.is_zero() {
            prop_assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &NOW), Err(AmmError::ZeroAmount));
            return Ok(());
        }
        let least = pool.quote_exact_out(0, 1, there.amount_out, &NOW).unwrap();
        prop_assert!(least.amount_in <= paid + waver(&pool, 0), "{least:?} for {there:?}");
        prop_assert!(pool.quote_exact_in(0, 1, least.amount_in, &NOW).unwrap().amount_out >= there.amount_out);
        if least.amount_in > U256::ONE {
            let less = pool.quote_exact_in(0, 1, least.amount_in - U256::ONE, &NOW);
            prop_assert!(less.is_err() || less.unwrap().amount_out < there.amount_out);
        }
    }

    #[test]
    fn a_swap_for_an_output_gives_it(pool in stable_of(2..=4), amount: u64) {
        let wanted = part(pool.balances[1], amount);
        let mut moved = pool.clone();
        if let Ok(quote) = moved.swap_exact_out(0, 1, wanted, &NOW) {
            prop_assert!(quote.amount_out >= wanted);
            let mut again = pool;
            prop_assert_eq!(again.swap_exact_in(0, 1, quote.amount_in, &NOW), Ok(quote));
            prop_assert_eq!(again, moved);
        } else {
            prop_assert_eq!(pool, moved);
        }
    }

    /// Quotes of every size and pair answer or refuse; none panics, and none moves the state.
    #[test]
    fn no_amount_panics(pool in any_pool(), limbs: [u64; 4], bits in 0_usize..=256) {
        let mask = if bits == 256 { U256::MAX } else { (U256::ONE << bits) - U256::ONE };
        let amount = U256::from_limbs(limbs) & mask;
        let mut moved = pool.clone();
        for (token_in, token_out) in [(0, 1), (1, 0), (0, 0), (0, 9), (9, 0)] {
            for amount in [amount, U256::ZERO, U256::MAX] {
                let quote = pool.quote_exact_in(token_in, token_out, amount, &NOW);
                prop_assert!(quote.is_ok() || moved.swap_exact_in(token_in, token_out, amount, &NOW).is_err() || amount == U256::ONE);
                let _ = pool.quote_exact_out(token_in, token_out, amount, &NOW);
            }
        }
        prop_assert_eq!(pool.quote_exact_in(0, 1, U256::ZERO, &NOW), Err(AmmError::ZeroAmount));
        prop_assert_eq!(pool.quote_exact_out(0, 1, U256::ZERO, &NOW), Err(AmmError::ZeroAmount));
        prop_assert!(pool.quote_exact_out(0, 1, balances(&pool)[1], &NOW).is_err());
        let _ = moved;
    }

    #[test]
    fn the_largest_input_is_the_last_accepted(pool in any_pool()) {
        let largest = pool.max_in(0, 1, &NOW).unwrap();
        prop_assert!(pool.quote_exact_in(0, 1, largest, &NOW).is_ok(), "{largest}");
        if let Some(next) = largest.checked_add(U256::ONE) {
            prop_assert!(pool.quote_exact_in(0, 1, next, &NOW).is_err(), "{next}");
        }
    }

    /// The slope of the quote through D worked out anew, from two quotes without a fee.
    #[test]
    fn the_marginal_price_of_crypto_is_the_slope(mut pool in any_crypto(), gamma in 1_u64..10) {
        if pool.generation == CryptoGeneration::FirstTricrypto {
            pool.generation = CryptoGeneration::Tricrypto;
            pool.shape.a = pool.shape.a.map(|a| a * U256::from(100));
        }
        pool.shape.gamma = [U256::from(gamma * 1_000_000_000_000_000); 2];
        pool.shape.times = [0, 1];
        (pool.fee.mid, pool.fee.out) = (0, 0);
        // Eighteen decimals for all, so that the small quotes have digits.
        for (balance, precision) in pool.balances.iter_mut().zip(&mut pool.precisions) {
            *balance *= *precision;
            *precision = U256::ONE;
        }
        let step = pool.balances[0] / U256::from(20_000_000_u64);
        let gives = |amount: U256| pool.quote_exact_in(0, 1, amount, &NOW).map(|quote| to_f64(quote.amount_out));
        let (Ok(one), Ok(two), Ok(price)) = (gives(step), gives(step + step), pool.marginal_price(0, 1, &NOW)) else {
            return Ok(());
        };
        let slope = (2.0 * one - two / 2.0) / to_f64(step);
        prop_assert!((slope / price.without_fee - 1.0).abs() < 1e-5, "{slope} is not {price:?}");
    }

    /// The slope of the quote, where a quote has enough digits to show one.
    #[test]
    fn the_marginal_price_is_the_slope(pool in any_pool()) {
        let mut pool = pool;
        match &mut pool {
            Pool::CurvePlain(pool) | Pool::CurveLending(pool) | Pool::CurveNg(pool) => {
                let one = U256::from(1_000_000_000_000_000_000_u64);
                for (balance, rate) in pool.balances.iter_mut().zip(&mut pool.rates) {
                    *balance = *balance * *rate / one * U256::from(1_000_000);
                    *rate = one;
                }
            }
            _ => return Ok(()),
        }
        let paid = balances(&pool)[0] / U256::from(1_000_000_000_000_u64);
        let quote = pool.quote_exact_in(0, 1, paid, &NOW).unwrap();
        let price = pool.marginal_price(0, 1, &NOW).unwrap().with_fee;
        let slope = to_f64(quote.amount_out) / to_f64(quote.amount_in);
        prop_assert!((slope / price - 1.0).abs() < 1e-9, "{slope} is not {price}");
    }
}

#[test]
fn drained_pools_refuse() {
    let pool = |balances: [u64; 2], generation: Generation| CurveStable {
        balances: balances.map(U256::from).to_vec(),
        rates: vec![U256::from(1_000_000_000_000_000_000_u64); 2],
        amplification: Amplification::fixed(U256::from(100 * generation.a_unit())),
        fee: 4_000_000,
        admin_fee: 5_000_000_000,
        offpeg_fee_multiplier: 0,
        generation,
        total_supply: None,
    };
    for generation in Generation::ALL {
        for balances in [[0, 0], [0, 1_000_000], [1_000_000, 0]] {
            // Some contracts add one to every divisor, and answer with one coin left.
            use Generation::{Aave, Compound, StakedEther};
            if balances != [0, 0] && matches!(generation, Compound | Aave | StakedEther) {
                continue;
            }
            let mut pool = pool(balances, generation).checked().unwrap();
            let before = pool.clone();
            for (token_in, token_out) in [(0, 1), (1, 0)] {
                let amount = U256::from(1_000);
                assert!(pool.quote_exact_in(token_in, token_out, amount, &NOW).is_err(), "{pool:?}");
                assert!(pool.quote_exact_out(token_in, token_out, amount, &NOW).is_err(), "{pool:?}");
                assert!(pool.swap_exact_in(token_in, token_out, amount, &NOW).is_err(), "{pool:?}");
                assert!(pool.marginal_price(token_in, token_out, &NOW).is_err(), "{pool:?}");
            }
            assert_eq!(pool, before);
            assert_eq!(pool.virtual_price(&NOW), Err(AmmError::Missing("lp_token_total_supply")));
        }
    }
}
