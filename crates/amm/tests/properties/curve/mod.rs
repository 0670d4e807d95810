//! Properties of Curve pools, on random ones.

mod differential;
mod properties;
mod snapshot;

use std::ops::RangeInclusive;

use assay_amm::U256;
use assay_amm::kind::curve_crypto::{CryptoFee, CryptoGeneration, Shape};
use assay_amm::kind::curve_meta::BasePrice;
use assay_amm::kind::curve_stable::{Amplification, CurveStable, Generation};
use assay_amm::kind::{CurveCrypto, CurveMeta};
use num_bigint::BigUint;
use proptest::prelude::*;

pub fn big(value: U256) -> BigUint {
    BigUint::from_bytes_le(&value.to_le_bytes::<32>())
}

fn ten(exponent: u8) -> U256 {
    U256::from(10).pow(U256::from(exponent))
}

/// An amount of one unit to twice the balance; small ones as often as large ones.
pub fn part(balance: U256, choice: u64) -> U256 {
    let shift = usize::try_from(choice % 60).unwrap();
    let fraction = U256::from(choice >> 8 | 1);
    ((balance * fraction) >> (55 + shift)).max(U256::ONE)
}

/// A pool of a generation: 6, 8 or 18 decimals, up to a hundred times out of balance, a
/// thousandth to a billion of each token.
pub fn stable(generation: Generation, tokens: RangeInclusive<usize>) -> impl Strategy<Value = CurveStable> {
    let token = (
        prop_oneof![Just(6_u8), Just(8), Just(18)],
        1_000_u64..100_000,
        prop_oneof![Just(1_000_000_u64), 1_000_000_u64..1_500_000],
    );
    (
        prop::collection::vec(token, tokens),
        0_u8..10,
        1_u64..5_000,
        0_u64..100_000_000,
        0_u64..5_000_000_000,
        prop_oneof![Just(0_u64), 10_000_000_001_u64..200_000_000_000],
    )
        .prop_map(move |(tokens, size, a, fee, admin_fee, offpeg)| {
            let rated = generation != Generation::AaveTemplate;
            let supply = tokens.iter().map(|(_, parts, _)| U256::from(*parts)).sum::<U256>() * ten(size + 12);
            CurveStable {
                balances: tokens
                    .iter()
                    .map(|(decimals, parts, _)| U256::from(*parts) * ten(size + decimals - 6))
                    .collect(),
                rates: tokens
                    .iter()
                    .map(|(decimals, _, rate)| ten(30 - decimals) * U256::from(if rated { *rate } else { 1_000_000 }))
                    .collect(),
                amplification: Amplification::fixed(U256::from(a * generation.a_unit())),
                fee,
                admin_fee,
                offpeg_fee_multiplier: if generation.has_dynamic_fee() { offpeg } else { 0 },
                generation,
                total_supply: Some(supply),
            }
            .checked()
            .unwrap()
        })
}

/// A meta pool: a token against that of a base of three.
pub fn meta() -> impl Strategy<Value = CurveMeta> {
    (stable(Generation::Template, 2..=2), stable(Generation::ThreePool, 3..=3)).prop_map(|(mut pool, base)| {
        // The base's token has 18 decimals, and its own price.
        pool.balances[1] = pool.balances[1] * pool.rates[1] / ten(18);
        CurveMeta::new(pool, base, BasePrice::Live).unwrap()
    })
}

/// A pool of any generation.
pub fn stable_of(tokens: RangeInclusive<usize>) -> impl Strategy<Value = CurveStable> {
    prop::sample::select(&Generation::ALL[..]).prop_flat_map(move |generation| stable(generation, tokens.clone()))
}

/// A CryptoSwap pool: balances worth the same within a factor of two, D near their sum.
pub fn crypto(generation: CryptoGeneration) -> impl Strategy<Value = CurveCrypto> {
    let count = generation.token_count();
    (
        prop::collection::vec((prop_oneof![Just(6_u8), Just(8), Just(18)], 1_000_u64..2_000, 1_u64..1_000_000), count),
        3_u8..10,
        2_000_u64..1_000_000,
        10_000_000_000_000_u64..1_000_000_000_000_000,
        (1_000_000_u64..10_000_000, 0_u64..50_000_000),
        1_000_000_000_000_u64..10_000_000_000_000_000,
        990_u64..1_000,
    )
        .prop_map(move |(tokens, size, a, gamma, (mid, more), fee_gamma, tightness)| {
            let unit = if generation == CryptoGeneration::FirstTricrypto { 1 } else { 100 };
            let a = U256::from(a.max(2_700) * unit);
            // Prices between a millionth and one, of the first coin.
            let price = |price: u64| U256::from(price) * ten(12);
            let worth = |parts: u64| U256::from(parts) * ten(size + 15);
            let mut balances = Vec::new();
            for (index, (decimals, parts, scale)) in tokens.iter().enumerate() {
                let common = if index == 0 { worth(*parts) } else { worth(*parts) * ten(18) / price(*scale) };
                balances.push(common / ten(18 - decimals));
            }
            let sum: U256 = tokens.iter().map(|(_, parts, _)| worth(*parts)).sum();
            CurveCrypto {
                generation,
                balances,
                precisions: tokens.iter().map(|(decimals, _, _)| ten(18 - decimals)).collect(),
                price_scale: tokens[1..].iter().map(|(_, _, scale)| price(*scale)).collect(),
                d: sum * U256::from(tightness) / U256::from(1_000),
                shape: Shape { a: [a; 2], gamma: [U256::from(gamma); 2], times: [0; 2] },
                fee: CryptoFee { mid, out: mid + more, gamma: U256::from(fee_gamma) },
            }
            .checked()
            .unwrap()
        })
}
