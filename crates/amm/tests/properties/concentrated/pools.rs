//! Random pools and what is asked of them.

use assay_amm::concentrated::{
    Amount, Core, MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, MIN_TICK, PositionKey, sqrt_price_at_tick,
};
use assay_amm::kind::uniswap_v3::ProtocolFee;
use assay_amm::kind::{Slipstream, UniswapV3, UniswapV4};
use assay_amm::{AmmError, Pool, U256};
use proptest::prelude::*;

/// The owner that stands for a gauge.
pub const GAUGE: U256 = U256::from_limbs([99, 0, 0, 0]);

/// The four families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    V3,
    Pancake,
    V4,
    Slipstream,
}

/// A position to be.
#[derive(Debug, Clone, Copy)]
pub struct Spot {
    pub key: PositionKey,
    pub liquidity: u128,
    /// Staked, where the family knows it.
    pub staked: bool,
}

/// A pool to be.
#[derive(Debug, Clone)]
pub struct Spec {
    pub family: Family,
    pub spacing: i32,
    pub price: U256,
    pub fee_pips: u32,
    /// The protocol's part of either token (for Slipstream the first is the unstaked fee's), in
    /// parts of 65,536 of what the family allows; none below a quarter.
    pub parts: [u16; 2],
    pub spots: Vec<Spot>,
}

impl Spec {
    /// The protocol's part of a token between the least and the most of the family, or none.
    pub fn part(&self, token: usize, least: u32, most: u32) -> u32 {
        let part = u64::from(self.parts[token]);
        let share = |part: u64| (part - 16_384) * u64::from(most - least) / (65_535 - 16_384);
        if part < 16_384 { 0 } else { least + u32::try_from(share(part)).unwrap() }
    }

    /// The pool without positions.
    pub fn empty(&self) -> Pool {
        let core = Core::new(self.spacing, self.price).unwrap();
        match self.family {
            Family::V3 => {
                let mut pool = UniswapV3::new(core, self.fee_pips, false).unwrap();
                let parts = [0, 1].map(|token| u8::try_from(self.part(token, 4, 10)).unwrap());
                pool.set_protocol_fee(ProtocolFee::Divisor(parts)).unwrap();
                Pool::UniswapV3(pool)
            }
            Family::Pancake => {
                let mut pool = UniswapV3::new(core, self.fee_pips, true).unwrap();
                let parts = [0, 1].map(|token| u16::try_from(self.part(token, 1000, 4000)).unwrap());
                pool.set_protocol_fee(ProtocolFee::PerTenThousand(parts)).unwrap();
                Pool::UniswapV3(pool)
            }
            Family::V4 => {
                let parts = [0, 1].map(|token| self.part(token, 1, 1000));
                Pool::UniswapV4(UniswapV4::new(core, self.fee_pips, parts).unwrap())
            }
            Family::Slipstream => {
                let unstaked = self.part(0, 1, 500_000);
                let mut pool = Slipstream::new(core, Some(self.fee_pips.min(100_000)), Some(unstaked)).unwrap();
                pool.gauge = Some(GAUGE);
                Pool::Slipstream(pool)
            }
        }
    }

    /// The pool with its positions; those that do not fit are left out.
    pub fn build(&self) -> Pool {
        let mut pool = self.empty();
        for spot in &self.spots {
            if mint(&mut pool, spot.key, spot.liquidity).is_ok() && spot.staked {
                stake(&mut pool, spot.key, i128::try_from(spot.liquidity).unwrap());
            }
        }
        pool
    }
}

/// The shared part of a pool.
pub fn core(pool: &Pool) -> &Core {
    match pool {
        Pool::UniswapV3(pool) => &pool.core,
        Pool::UniswapV4(pool) => &pool.core,
        Pool::Slipstream(pool) => &pool.core,
        other => panic!("{other:?}"),
    }
}

/// Adds liquidity and returns the tokens that come in and, for V4, the fees that go out.
pub fn mint(pool: &mut Pool, key: PositionKey, liquidity: u128) -> Result<([U256; 2], [u128; 2]), AmmError> {
    match pool {
        Pool::UniswapV3(pool) => pool.mint(key, liquidity).map(|amounts| (amounts, [0; 2])),
        Pool::UniswapV4(pool) => pool.mint(key, liquidity),
        Pool::Slipstream(pool) => pool.mint(key, liquidity).map(|amounts| (amounts, [0; 2])),
        other => panic!("{other:?}"),
    }
}

/// Stakes (or unstakes) where the family knows it.
pub fn stake(pool: &mut Pool, key: PositionKey, delta: i128) -> bool {
    let Pool::Slipstream(pool) = pool else { return false };
    pool.stake(key, delta).is_ok()
}

fn any_spacing() -> impl Strategy<Value = i32> {
    prop_oneof![Just(1), Just(10), Just(60), Just(200), Just(16_384), 1..=16_384]
}

/// Anywhere, mostly near one; on a tick or between two; at both ends.
fn any_price() -> impl Strategy<Value = U256> {
    let tick = prop_oneof![4 => -60_000..60_000, 3 => MIN_TICK..MAX_TICK];
    let inside = (tick, 0_u32..=4).prop_map(|(tick, quarter)| {
        let (low, high) = (sqrt_price_at_tick(tick).unwrap(), sqrt_price_at_tick(tick + 1).unwrap());
        (low + (high - low) * U256::from(quarter) / U256::from(4)).min(MAX_SQRT_PRICE - U256::ONE)
    });
    let ends = (any::<bool>(), 0_u64..1000).prop_map(|(low, beside)| {
        if low { MIN_SQRT_PRICE + U256::from(beside) } else { MAX_SQRT_PRICE - U256::from(beside + 1) }
    });
    prop_oneof![9 => inside, 1 => ends]
}

/// A number of up to so many bits, all lengths alike.
pub fn any_bits(most: u32) -> impl Strategy<Value = u128> {
    (0..most, any::<u128>()).prop_map(|(bits, random)| 1 << bits | random & ((1 << bits) - 1))
}

/// A range around the price, anywhere, or everywhere.
fn any_range(spacing: i32, price: U256) -> impl Strategy<Value = [i32; 2]> {
    let most = MAX_TICK / spacing;
    let here = assay_amm::concentrated::tick_at_sqrt_price(price).unwrap().div_euclid(spacing);
    let near = (here - 30..here + 30, 1..60);
    let far = (-most..most, 1..=2 * most);
    prop_oneof![4 => near, 2 => far, 1 => Just((-most, 2 * most))].prop_map(move |(low, width)| {
        let low = low.clamp(-most, most - 1);
        [low * spacing, low.saturating_add(width).min(most) * spacing]
    })
}

fn any_spot(spacing: i32, price: U256, liquidity_bits: u32) -> impl Strategy<Value = Spot> {
    (any_range(spacing, price), any_bits(liquidity_bits), any::<bool>(), 1_u64..=3).prop_map(
        |([tick_lower, tick_upper], liquidity, staked, owner)| {
            let key = PositionKey { owner: U256::from(owner), tick_lower, tick_upper };
            Spot { key, liquidity, staked }
        },
    )
}

/// A pool of any family.
pub fn any_spec() -> impl Strategy<Value = Spec> {
    spec(any_spacing(), any_price(), 110, 7)
}

/// A pool whose price and liquidity are such that one unit of price moves less than one
/// unit of either token.
pub fn fine_spec() -> impl Strategy<Value = Spec> {
    let price = (-40_000..40_000).prop_map(|tick| sqrt_price_at_tick(tick).unwrap() + U256::from(12_345));
    spec(prop_oneof![Just(1), Just(60), 1..500], price, 88, 6)
}

fn spec(
    spacing: impl Strategy<Value = i32>,
    price: impl Strategy<Value = U256>,
    liquidity_bits: u32,
    most: usize,
) -> impl Strategy<Value = Spec> {
    let family = prop_oneof![Just(Family::V3), Just(Family::Pancake), Just(Family::V4), Just(Family::Slipstream)];
    let fee = prop_oneof![Just(0), Just(100), Just(500), Just(3000), Just(10_000), 0..1_000_000_u32];
    (spacing, price, family, fee, any::<[u16; 2]>()).prop_flat_map(move |(spacing, price, family, fee_pips, parts)| {
        prop::collection::vec(any_spot(spacing, price, liquidity_bits), 1..=most).prop_map(move |spots| Spec {
            family,
            spacing,
            price,
            fee_pips,
            parts,
            spots,
        })
    })
}

/// What is asked: direction, exact input or output, and how far the price may go in parts of
/// 256 of the way to the end (in ticks), none below 128.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub zero_for_one: bool,
    pub amount: Amount,
    pub reach: u8,
}

pub fn any_ask(bits: u32) -> impl Strategy<Value = Ask> {
    (any::<bool>(), any::<bool>(), any_bits(bits), any::<u8>()).prop_map(|(zero_for_one, exact_in, amount, reach)| {
        let amount = U256::from(amount);
        let amount = if exact_in { Amount::In(amount) } else { Amount::Out(amount) };
        Ask { zero_for_one, amount, reach }
    })
}

impl Ask {
    pub fn token_in(&self) -> usize {
        usize::from(!self.zero_for_one)
    }

    /// The price limit at a pool, `None` when its price is at the end already.
    pub fn limit(&self, core: &Core) -> Option<U256> {
        let furthest = Core::furthest_limit(self.zero_for_one);
        let allowed = if self.zero_for_one { core.sqrt_price_x96 > furthest } else { core.sqrt_price_x96 < furthest };
        if !allowed {
            return None;
        }
        if self.reach >= 128 {
            return Some(furthest);
        }
        let end = if self.zero_for_one { MIN_TICK } else { MAX_TICK };
        // Most limits near the price: the square of the reach.
        let share = i64::from(self.reach) * i64::from(self.reach);
        let tick = i64::from(core.tick) + i64::from(end - core.tick) * share / 65_536;
        let price = sqrt_price_at_tick(i32::try_from(tick).unwrap()).unwrap();
        let price = if self.zero_for_one { price.max(furthest) } else { price.min(furthest) };
        let beyond = if self.zero_for_one { price < core.sqrt_price_x96 } else { price > core.sqrt_price_x96 };
        Some(if beyond { price } else { furthest })
    }
}
