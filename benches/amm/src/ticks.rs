//! Ticks to square-root prices and back, over random ticks of the whole range.

use std::hint::black_box;

use alloy_primitives::aliases::I24;
use assay_amm::U256;
use assay_amm::concentrated::{
    MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, MIN_TICK, sqrt_price_at_tick, tick_at_sqrt_price,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use uniswap_v3_math::tick_math as math;
use uniswap_v3_sdk::utils::tick_math as sdk;

use crate::measure::{Contender, race};

/// Few enough for the cache, too many for the branch predictor to learn.
const COUNT: usize = 4096;

pub fn run() {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    let span = u64::from(MAX_TICK.abs_diff(MIN_TICK));
    let ticks: Vec<i32> = (0..COUNT).map(|_| MIN_TICK + (random.next_u64() % span) as i32).collect();
    let prices: Vec<U256> = ticks.iter().map(|tick| inside(*tick, &mut random)).collect();
    to_price(&ticks);
    to_tick(&ticks, &prices);
}

/// A price between the tick's own and the next tick's.
fn inside(tick: i32, random: &mut ChaCha8Rng) -> U256 {
    let low = sqrt_price_at_tick(tick).expect("in range");
    let high = sqrt_price_at_tick(tick + 1).expect("in range");
    let price = low + (high - low) * U256::from(random.next_u64()) / (U256::ONE << 64);
    assert!(MIN_SQRT_PRICE <= price && price < MAX_SQRT_PRICE);
    price
}

/// Converts every input.
fn over<I, T>(inputs: &[I], convert: impl Fn(&I) -> T) {
    for input in inputs {
        black_box(convert(black_box(input)));
    }
}

fn to_price(ticks: &[i32]) {
    let wrapped: Vec<I24> = ticks.iter().map(|tick| I24::try_from(*tick).expect("24 bits")).collect();
    for (tick, wrapped) in ticks.iter().zip(&wrapped) {
        let price = sqrt_price_at_tick(*tick).expect("in range");
        assert_eq!(U256::from(sdk::get_sqrt_ratio_at_tick(*wrapped).expect("in range")), price, "tick {tick}");
        assert_eq!(math::get_sqrt_ratio_at_tick(*tick).expect("in range"), price, "tick {tick}");
    }
    race(
        "tick to square-root price",
        vec![
            Contender::new("assay", COUNT, || over(ticks, |tick| sqrt_price_at_tick(*tick))),
            Contender::new("uniswap_v3_sdk", COUNT, || over(&wrapped, |tick| sdk::get_sqrt_ratio_at_tick(*tick))),
            Contender::new("uniswap_v3_math", COUNT, || over(ticks, |tick| math::get_sqrt_ratio_at_tick(*tick))),
        ],
    );
}

fn to_tick(ticks: &[i32], prices: &[U256]) {
    for (tick, price) in ticks.iter().zip(prices) {
        assert_eq!(tick_at_sqrt_price(*price).expect("in range"), *tick);
        assert_eq!(sdk::get_tick_at_sqrt_ratio(*price).expect("in range").as_i32(), *tick, "price {price}");
        assert_eq!(math::get_tick_at_sqrt_ratio(*price).expect("in range"), *tick, "price {price}");
    }
    race(
        "square-root price to tick",
        vec![
            Contender::new("assay", COUNT, || over(prices, |price| tick_at_sqrt_price(*price))),
            Contender::new("uniswap_v3_sdk", COUNT, || over(prices, |price| sdk::get_tick_at_sqrt_ratio(*price))),
            Contender::new("uniswap_v3_math", COUNT, || over(prices, |price| math::get_tick_at_sqrt_ratio(*price))),
        ],
    );
}
