//! The pools and swaps of the vectors: the swap tests of Uniswap v3-core with Slipstream's
//! tick spacings. Facts of public test suites, in a table.

use assay_amm::concentrated::max_liquidity_per_tick;
use num_bigint::BigInt;

use crate::oracle::{self, LAST_TICK, Prices, big, liquidity_for};

const TWO: u128 = 2_000_000_000_000_000_000;

/// The first price of a pool.
#[derive(Clone, Copy)]
pub enum First {
    /// Token 1 per token 0, as a ratio.
    Ratio(u32, u32),
    /// The square root, 64.96-bit.
    Root(&'static str),
}

/// A pool of the matrix. Ranges are in tick spacings; `MIN` and `MAX` are the outermost.
pub struct Setup {
    pub name: &'static str,
    pub spacing: i32,
    pub fee_pips: u32,
    pub first: First,
    pub ranges: &'static [[i32; 2]],
    /// The most liquidity a tick may carry instead of 2e18.
    pub full: bool,
}

const MIN: i32 = i32::MIN;
const MAX: i32 = i32::MAX;
const EVERYWHERE: &[[i32; 2]] = &[[MIN, MAX]];

const fn setup(
    name: &'static str,
    spacing: i32,
    fee_pips: u32,
    first: First,
    ranges: &'static [[i32; 2]],
    full: bool,
) -> Setup {
    Setup { name, spacing, fee_pips, first, ranges, full }
}

pub const SETUPS: [Setup; 15] = [
    setup("low_fee_1to1_price_2e18_max_range_liquidity", 10, 500, First::Ratio(1, 1), EVERYWHERE, false),
    setup("medium_fee_1to1_price_2e18_max_range_liquidity", 60, 3000, First::Ratio(1, 1), EVERYWHERE, false),
    setup("high_fee_1to1_price_2e18_max_range_liquidity", 200, 10_000, First::Ratio(1, 1), EVERYWHERE, false),
    setup("medium_fee_10to1_price_2e18_max_range_liquidity", 60, 3000, First::Ratio(10, 1), EVERYWHERE, false),
    setup("medium_fee_1to10_price_2e18_max_range_liquidity", 60, 3000, First::Ratio(1, 10), EVERYWHERE, false),
    setup(
        "medium_fee_1to1_price_0_liquidity_all_liquidity_around_current_price",
        60,
        3000,
        First::Ratio(1, 1),
        &[[MIN, -1], [1, MAX]],
        false,
    ),
    setup(
        "medium_fee_1to1_price_additional_liquidity_around_current_price",
        60,
        3000,
        First::Ratio(1, 1),
        &[[MIN, MAX], [MIN, -1], [1, MAX]],
        false,
    ),
    setup("low_fee_large_liquidity_around_current_price_stable_swap", 10, 500, First::Ratio(1, 1), &[[-1, 1]], false),
    setup("medium_fee_token0_liquidity_only", 60, 3000, First::Ratio(1, 1), &[[0, 2000]], false),
    setup("medium_fee_token1_liquidity_only", 60, 3000, First::Ratio(1, 1), &[[-2000, 0]], false),
    setup(
        "close_to_max_price",
        60,
        3000,
        First::Root("1033437718471923706666374484006904511252097097914"),
        EVERYWHERE,
        false,
    ),
    setup("close_to_min_price", 60, 3000, First::Root("6085630636"), EVERYWHERE, false),
    setup("max_full_range_liquidity_at_1to1_price_with_default_fee", 60, 3000, First::Ratio(1, 1), EVERYWHERE, true),
    setup(
        "initialized_at_the_max_ratio",
        60,
        3000,
        First::Root("1461446703485210103287273052203988822378723970341"),
        EVERYWHERE,
        false,
    ),
    setup("initialized_at_the_min_ratio", 60, 3000, First::Root("4295128739"), EVERYWHERE, false),
];

/// Name of a swap, direction, and what is asked: an exact input or output, up to a price.
pub struct Swap {
    pub name: &'static str,
    pub zero_for_one: bool,
    pub exact_in: bool,
    /// `None` for all there is.
    pub amount: Option<u64>,
    /// `None` for the end of the range.
    pub limit: Option<(u32, u32)>,
}

const fn swap(
    name: &'static str,
    zero_for_one: bool,
    exact_in: bool,
    amount: Option<u64>,
    limit: Option<(u32, u32)>,
) -> Swap {
    Swap { name, zero_for_one, exact_in, amount, limit }
}

const ONE: Option<u64> = Some(1_000_000_000_000_000_000);
const TINY: Option<u64> = Some(1000);

pub const SWAPS: [Swap; 16] = [
    swap("swap_exactly_1_token0_for_token1", true, true, ONE, None),
    swap("swap_exactly_1_token1_for_token0", false, true, ONE, None),
    swap("swap_token0_for_exactly_1_token1", true, false, ONE, None),
    swap("swap_token1_for_exactly_1_token0", false, false, ONE, None),
    swap("swap_exactly_1_token0_for_token1_to_price_0point5", true, true, ONE, Some((1, 2))),
    swap("swap_exactly_1_token1_for_token0_to_price_2", false, true, ONE, Some((2, 1))),
    swap("swap_token0_for_exactly_1_token1_to_price_0point5", true, false, ONE, Some((1, 2))),
    swap("swap_token1_for_exactly_1_token0_to_price_2", false, false, ONE, Some((2, 1))),
    swap("swap_exactly_0point0000000000000010000_token0_for_token1", true, true, TINY, None),
    swap("swap_exactly_0point0000000000000010000_token1_for_token0", false, true, TINY, None),
    swap("swap_token0_for_exactly_0point0000000000000010000_token1", true, false, TINY, None),
    swap("swap_token1_for_exactly_0point0000000000000010000_token0", false, false, TINY, None),
    swap("swap_token1_for_token0_to_price_2point5", false, true, None, Some((5, 2))),
    swap("swap_token0_for_token1_to_price_0point4", true, true, None, Some((2, 5))),
    swap("swap_token0_for_token1_to_price_2point5", true, true, None, Some((5, 2))),
    swap("swap_token1_for_token0_to_price_0point4", false, true, None, Some((2, 5))),
];

/// How much of the liquidity is staked in a file.
#[derive(Clone, Copy, PartialEq)]
pub enum Staking {
    Nothing,
    Everything,
    Half { unstaked_fee_pips: u32 },
}

impl Setup {
    /// The first square-root price.
    pub fn price(&self) -> BigInt {
        match self.first {
            First::Ratio(above, below) => root(above, below),
            First::Root(digits) => digits.parse().unwrap(),
        }
    }

    fn ranges(&self) -> impl Iterator<Item = [i32; 2]> + '_ {
        let outermost = LAST_TICK / self.spacing;
        let at = move |end: i32| match end {
            MIN => -outermost * self.spacing,
            MAX => outermost * self.spacing,
            inner => inner * self.spacing,
        };
        self.ranges.iter().map(move |range| range.map(at))
    }

    /// The positions in the order of minting: range, liquidity, staked.
    pub fn positions(&self, prices: &Prices, staking: Staking) -> Vec<([i32; 2], BigInt, bool)> {
        let most = self.nominal();
        let mut positions = Vec::new();
        for range in self.ranges() {
            let through_manager = |nominal: u128, spare: u8| {
                let nominal = self.paid_for(prices, range, big(nominal), spare);
                let (low, high) = (prices.at(range[0]), prices.at(range[1]));
                liquidity_for(&self.price(), &low, &high, [&nominal[0], &nominal[1]])
            };
            match staking {
                Staking::Nothing => positions.push((range, big(most), false)),
                Staking::Everything => positions.push((range, through_manager(most, 1), true)),
                Staking::Half { .. } => {
                    // One pool mints its unstaked half without the spare unit.
                    let spare = u8::from(!self.name.contains("stable_swap"));
                    positions.push((range, through_manager(most / 2, 1), true));
                    positions.push((range, through_manager(most / 2, spare), false));
                }
            }
        }
        positions
    }

    /// The liquidity that every position is meant to have.
    pub fn nominal(&self) -> u128 {
        if self.full { max_liquidity_per_tick(self.spacing, false).unwrap() } else { TWO }
    }

    /// The amounts handed to the position manager for a liquidity.
    fn paid_for(&self, prices: &Prices, range: [i32; 2], liquidity: BigInt, spare: u8) -> [BigInt; 2] {
        let everywhere_at_one = ["low_fee_1to1", "medium_fee_1to1_price_2e18", "high_fee"];
        if everywhere_at_one.iter().any(|name| self.name.starts_with(name)) {
            return [liquidity.clone(), liquidity];
        }
        let lowest = ["close_to_min_price", "initialized_at_the_min_ratio"].contains(&self.name);
        let pool = oracle::Pool::new(prices, self.spacing, self.price());
        pool.amounts(prices, range, &(liquidity + u8::from(lowest)), false).map(|amount| amount + spare)
    }
}

/// The square root of a ratio, 64.96-bit, rounded down.
pub fn root(above: u32, below: u32) -> BigInt {
    let ratio: BigInt = (big(above) << 192) / below;
    ratio.sqrt()
}
