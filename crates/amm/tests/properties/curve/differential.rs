//! Curve quotes against another implementation of the contracts' maths (`curve-math`),
//! and the invariant against its exact root in unbounded integers.

use super::{big, crypto, meta, part, stable, stable_of};
use crate::cases;
use assay_amm::kind::CurveCrypto;
use assay_amm::kind::curve_crypto::CryptoGeneration;
use assay_amm::kind::curve_stable::{CurveStable, Generation};
use assay_amm::{Context, U256};
use curve_math::Pool as Judge;
use num_bigint::{BigInt, Sign};
use proptest::prelude::*;

const NOW: Context = Context { timestamp: 1_700_000_000, fee: assay_amm::Fee::Pool };

/// A quote as the judge gives it: nothing where the contract would revert or give nothing.
fn answer(quote: Result<assay_amm::Quote, assay_amm::AmmError>) -> Option<U256> {
    quote.ok().map(|quote| quote.amount_out).filter(|amount| !amount.is_zero())
}

fn judge(pool: &CurveStable) -> Judge {
    let (balances, rates) = (pool.balances.clone(), pool.rates.clone());
    let (amp, fee) = (pool.amplification.future, U256::from(pool.fee));
    let offpeg_fee_multiplier = U256::from(pool.offpeg_fee_multiplier);
    match pool.generation {
        Generation::Compound => Judge::StableSwapV0 { balances, rates, amp, fee },
        Generation::ThreePool | Generation::Pax => Judge::StableSwapV1 { balances, rates, amp, fee },
        Generation::Template | Generation::Yearn => Judge::StableSwapV2 { balances, rates, amp, fee },
        Generation::AaveTemplate => {
            let precision_mul = rates.iter().map(|rate| rate / U256::from(1_000_000_000_000_000_000_u64)).collect();
            Judge::StableSwapALend { balances, precision_mul, amp, fee, offpeg_fee_multiplier }
        }
        // A fee that never grows makes the factory's pairs an NG pool of two.
        Generation::NextGeneration | Generation::FactoryPair => {
            Judge::StableSwapNG { balances, rates, amp, fee, offpeg_fee_multiplier }
        }
        other => panic!("no judge for {}", other.name()),
    }
}

fn agrees(pool: &CurveStable, amount: u64) {
    let judge = judge(pool);
    for token_in in 0..pool.token_count() {
        for token_out in (0..pool.token_count()).filter(|token| *token != token_in) {
            let amount = part(pool.balances[token_in], amount);
            let ours = answer(pool.quote_exact_in(token_in, token_out, amount, &NOW));
            assert_eq!(ours, judge.get_amount_out(token_in, token_out, amount), "{amount} into {pool:?}");
        }
    }
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn compound(pool in stable(Generation::Compound, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn three_pool(pool in stable(Generation::ThreePool, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn pax(pool in stable(Generation::Pax, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn template(pool in stable(Generation::Template, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn yearn(pool in stable(Generation::Yearn, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn aave_template(pool in stable(Generation::AaveTemplate, 2..=4), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn factory_pair(pool in stable(Generation::FactoryPair, 2..=2), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn next_generation(pool in stable(Generation::NextGeneration, 2..=8), amount: u64) { agrees(&pool, amount); }

    #[test]
    fn meta_pools(meta in meta(), amount: u64) {
        let pool = meta.pool();
        let rates = vec![pool.rates[0], meta.base_virtual_price(&NOW).unwrap()];
        let judge = Judge::StableSwapMeta {
            balances: pool.balances.clone(), rates, amp: pool.amplification.future, fee: U256::from(pool.fee),
        };
        for (token_in, token_out) in [(0, 1), (1, 0)] {
            let amount = part(pool.balances[token_in], amount);
            let ours = answer(meta.quote_exact_in(token_in, token_out, amount, &NOW));
            prop_assert_eq!(ours, judge.get_amount_out(token_in, token_out, amount));
        }
    }

    #[test]
    fn two_coins(pool in crypto(CryptoGeneration::Pair), amount: u64) { crypto_agrees(&pool, amount); }

    #[test]
    fn three_coins(pool in crypto(CryptoGeneration::Tricrypto), amount: u64) { crypto_agrees(&pool, amount); }

    #[test]
    fn first_three_coins(pool in crypto(CryptoGeneration::FirstTricrypto), amount: u64) {
        crypto_agrees(&pool, amount);
    }
}

fn crypto_agrees(pool: &CurveCrypto, amount: u64) {
    // The first tricrypto counts A in hundredths, the judge in ten thousandths.
    let unit = if pool.generation == CryptoGeneration::FirstTricrypto { 100 } else { 1 };
    let (d, ann, gamma) = (pool.d, pool.shape.a[1] * U256::from(unit), pool.shape.gamma[1]);
    let (mid_fee, out_fee, fee_gamma) = (U256::from(pool.fee.mid), U256::from(pool.fee.out), pool.fee.gamma);
    let judge = if pool.token_count() == 2 {
        Judge::TwoCryptoV1 {
            balances: pool.balances.clone().try_into().unwrap(),
            precisions: pool.precisions.clone().try_into().unwrap(),
            price_scale: pool.price_scale[0],
            d,
            ann,
            gamma,
            mid_fee,
            out_fee,
            fee_gamma,
        }
    } else {
        Judge::TriCryptoV1 {
            balances: pool.balances.clone().try_into().unwrap(),
            precisions: pool.precisions.clone().try_into().unwrap(),
            price_scale: pool.price_scale.clone().try_into().unwrap(),
            d,
            ann,
            gamma,
            mid_fee,
            out_fee,
            fee_gamma,
        }
    };
    for token_in in 0..pool.token_count() {
        for token_out in (0..pool.token_count()).filter(|token| *token != token_in) {
            let amount = part(pool.balances[token_in], amount);
            // The judge does not check every range that the contract asserts.
            if let Some(ours) = answer(pool.quote_exact_in(token_in, token_out, amount, &NOW)) {
                assert_eq!(Some(ours), judge.get_amount_out(token_in, token_out, amount), "{amount} into {pool:?}");
            }
        }
    }
}

/// `ann·(Σx − D)·nⁿΠx + unit·D·nⁿΠx − unit·Dⁿ⁺¹`: zero at the invariant, falling in D.
fn excess(x: &[BigInt], d: &BigInt, ann: &BigInt, unit: u64) -> BigInt {
    let count = u32::try_from(x.len()).unwrap();
    let product: BigInt = x.iter().product::<BigInt>() * BigInt::from(count).pow(count);
    let sum: BigInt = x.iter().sum();
    ann * (sum - d) * &product + unit * d * product - unit * d.pow(count + 1)
}

/// The largest integer in `low..high` at which `holds`, when it holds up to some integer.
fn last(mut low: BigInt, mut high: BigInt, mut holds: impl FnMut(&BigInt) -> bool) -> BigInt {
    while &high - &low > BigInt::from(1) {
        let middle: BigInt = (&low + &high) / 2;
        if holds(&middle) { low = middle } else { high = middle }
    }
    low
}

proptest! {
    #![proptest_config(cases(600))]

    /// Every generation finds the root: D and the balance after a swap are at most a few
    /// units off, whatever the order of the divisions.
    #[test]
    fn every_generation_solves_the_invariant(mut pool in stable_of(2..=4), amount: u64) {
        let unit = pool.generation.a_unit();
        pool.fee = 0;
        pool.offpeg_fee_multiplier = 0;
        let one = U256::from(1_000_000_000_000_000_000_u64);
        for (balance, rate) in pool.balances.iter_mut().zip(&mut pool.rates) {
            *balance = *balance * *rate / one;
            *rate = one;
        }
        pool.total_supply = Some(one);
        let exact: Vec<BigInt> = pool.balances.iter().map(|balance| BigInt::from_biguint(Sign::Plus, big(*balance))).collect();
        let count = BigInt::from(exact.len());
        let ann = BigInt::from_biguint(Sign::Plus, big(pool.amplification.future)) * &count;
        let sum: BigInt = exact.iter().sum();
        let zero = BigInt::ZERO;
        let root = last(zero.clone(), &sum + 1, |d| excess(&exact, d, &ann, unit) >= zero);
        // A supply of one makes the virtual price D itself.
        let d = BigInt::from_biguint(Sign::Plus, big(pool.virtual_price(&NOW).unwrap()));
        let spread: BigInt = exact.iter().max().unwrap() / exact.iter().min().unwrap();
        let slack: BigInt = BigInt::from(8) + spread * 4;
        prop_assert!((&root - &d).magnitude() <= slack.magnitude(), "{} is not {}", d, root);

        let amount = part(pool.balances[0], amount);
        if let Ok(quote) = pool.quote_exact_in(0, 1, amount, &NOW) {
            let mut after = exact.clone();
            after[0] += BigInt::from_biguint(Sign::Plus, big(amount));
            let balance = last(zero.clone(), &exact[1] * 2 + 2, |y| {
                after[1] = y.clone();
                // More of the coin than the invariant needs lifts the excess above zero.
                y.sign() == Sign::NoSign || excess(&after, &d, &ann, unit) < zero
            });
            let ours = &exact[1] - BigInt::from_biguint(Sign::Plus, big(quote.amount_out));
            prop_assert!((&ours - &balance).magnitude() <= slack.magnitude(), "{} is not {}", ours, balance);
        }
    }
}
