//! Random choices that the concentrated-liquidity kinds share: prices, ranges, swaps.

use assay_amm::concentrated::{Amount, Core, MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, MIN_TICK, sqrt_price_at_tick};
use assay_bytecode::U256;

use crate::fuzz::Chance;

/// Ranges a test opens at most.
const RANGES: usize = 8;

/// The ranges of a pool, all of which are compared after every operation.
pub struct Terrain {
    spacing: i32,
    /// Lower and upper ticks, usable or not.
    pub ranges: Vec<(i32, i32)>,
    /// Bits of a usual liquidity.
    bits: usize,
}

impl Terrain {
    /// Ranges around `tick`; a few of them cannot be used.
    pub fn new(chance: &mut Chance, spacing: i32, tick: i32) -> Self {
        let aligned = |tick: i32| (tick.div_euclid(spacing) * spacing).clamp(first(spacing), -first(spacing));
        let mut ranges = vec![(first(spacing), -first(spacing))];
        while ranges.len() < RANGES {
            let width = 1 << chance.below(12);
            let lower = aligned(tick.saturating_add(chance.range(-width * spacing, width * spacing)));
            let upper = aligned(lower.saturating_add(chance.range(1, width).saturating_mul(spacing)));
            ranges.push(match chance.below(24) {
                0 => (lower + 1, upper),
                1 => (upper, lower),
                2 => (MIN_TICK - 1, upper),
                3 => (lower, MAX_TICK + spacing),
                _ => (lower, upper),
            });
        }
        Self { spacing, ranges, bits: 20 + chance.index(80) }
    }

    /// A price anywhere, mostly in the middle; the same for the pool's first.
    pub fn first_price(chance: &mut Chance) -> U256 {
        let reach = if chance.one_in(4) { MAX_TICK - 1 } else { 100_000 };
        let tick = chance.range(-reach, reach);
        near(chance, tick)
    }

    /// One of the ranges.
    pub fn range(&self, chance: &mut Chance) -> (i32, i32) {
        chance.pick(&self.ranges)
    }

    /// Every tick that a range names and a pool could store.
    pub fn ticks(&self) -> impl Iterator<Item = i32> {
        let storable = |tick: &i32| tick % self.spacing == 0 && (MIN_TICK..=MAX_TICK).contains(tick);
        self.ranges.iter().flat_map(|(lower, upper)| [*lower, *upper]).filter(storable)
    }

    /// Liquidity to add: mostly of this pool's size, at times nothing or too much.
    pub fn liquidity(&self, chance: &mut Chance) -> u128 {
        match chance.below(16) {
            0 => chance.native(128),
            1 => u128::from(chance.below(3)),
            _ => chance.native(self.bits),
        }
    }

    /// A swap against a pool that holds `balances`: direction, amount and price limit.
    pub fn swap(&self, chance: &mut Chance, core: &Core, balances: [U256; 2]) -> (bool, Amount, U256) {
        // A price that has run out of all ranges comes back.
        let zero_for_one = if core.tick.abs() < MAX_TICK - 10_000 { chance.one_in(2) } else { core.tick > 0 };
        let held = |token: usize| balances[token].saturating_to::<u128>();
        let (token_in, token_out) = if zero_for_one { (0, 1) } else { (1, 0) };
        let amount = if chance.one_in(2) {
            Amount::In(chance.part_of(held(token_in)) * U256::from(1 + chance.below(3)))
        } else {
            Amount::Out(chance.part_of(held(token_out)))
        };
        let amount = match (chance.below(40), amount) {
            (0, Amount::In(_)) => Amount::In(chance.wide(253)),
            (0, Amount::Out(_)) => Amount::Out(chance.wide(255)),
            _ => amount,
        };
        (zero_for_one, amount, self.limit(chance, core, zero_for_one))
    }

    /// A price limit: the furthest, near the price, at a tick of some range, or out of order.
    fn limit(&self, chance: &mut Chance, core: &Core, zero_for_one: bool) -> U256 {
        match chance.below(12) {
            0 => chance.wide(160),
            1 => [MIN_SQRT_PRICE, MAX_SQRT_PRICE, core.sqrt_price_x96][usize::from(chance.one_in(2))],
            2..7 => {
                let way = if zero_for_one { -1 } else { 1 };
                let distance = chance.range(1, 1 << 12) * way;
                near(chance, (core.tick + distance).clamp(MIN_TICK, MAX_TICK - 1))
            }
            7..9 => {
                let (lower, upper) = self.range(chance);
                let tick = if zero_for_one { lower } else { upper };
                sqrt_price_at_tick(tick.clamp(MIN_TICK, MAX_TICK)).expect("in range")
            }
            // The contract walks empty stretches word by word: 3,466 of them at a spacing of one.
            _ if self.spacing < 20 && !chance.one_in(64) => {
                let distance = chance.range(1, 100 * 256 * self.spacing) * if zero_for_one { -1 } else { 1 };
                sqrt_price_at_tick((core.tick + distance).clamp(MIN_TICK + 1, MAX_TICK - 1)).expect("in range")
            }
            _ => Core::furthest_limit(zero_for_one),
        }
    }
}

/// The lowest usable tick.
fn first(spacing: i32) -> i32 {
    MIN_TICK / spacing * spacing
}

/// A price within the tick, half of the time its lower end.
fn near(chance: &mut Chance, tick: i32) -> U256 {
    let low = sqrt_price_at_tick(tick).expect("in range");
    let high = sqrt_price_at_tick(tick + 1).expect("in range");
    if chance.one_in(2) { low } else { low + chance.part_of((high - low).saturating_to()).min(high - low - U256::ONE) }
}
