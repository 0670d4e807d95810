//! The state that every concentrated-liquidity kind shares, and the walk of a swap over
//! its ticks.
//!
//! Source: `UniswapV3Pool` of v3-core; V4's `Pool` library and Slipstream's `CLPool`
//! differ in fees only, which their own files book.

use std::collections::BTreeMap;

use ruint::aliases::U256;

use super::position::{Position, PositionKey, add_delta, liquidity_error};
use super::step::{Amount, Booking, swap_step};
use super::tick_math::{
    MAX_SQRT_PRICE, MAX_TICK, MIN_SQRT_PRICE, MIN_TICK, max_liquidity_per_tick, price_of, tick_at_sqrt_price, tick_of,
};
use super::ticks::{Tick, Ticks, check_tick};
use crate::context::Quote;
use crate::error::AmmError;
use crate::integer::to_f64;

/// Price, liquidity, ticks, positions and fee growth of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Core {
    /// Distance of usable ticks.
    pub(crate) tick_spacing: i32,
    /// Largest gross liquidity of a tick.
    pub max_liquidity_per_tick: u128,
    /// Square root of the price (token 1 per token 0), 64.96-bit.
    pub sqrt_price_x96: U256,
    /// The tick of the price; one less than the price's own after a downward swap that
    /// ended exactly on an initialised tick.
    pub tick: i32,
    /// Liquidity in range.
    pub liquidity: u128,
    /// Fees per unit of liquidity since the beginning, per token, 128.128-bit, wrapping.
    pub fee_growth_x128: [U256; 2],
    /// The initialised ticks.
    pub ticks: Ticks,
    /// Lowest and highest tick between which all initialised ticks are known; a swap that
    /// leaves it is an error.
    pub known: (i32, i32),
    /// The positions; empty when only quotes are needed.
    pub positions: BTreeMap<PositionKey, Position>,
}

/// What a swap did to price and amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Swapped {
    /// Paid in, fee included, in units.
    pub amount_in: U256,
    /// Paid out, in units.
    pub amount_out: U256,
    /// What the price limit left of the fixed amount.
    pub remaining: U256,
    /// Square-root price after the swap.
    pub sqrt_price_x96: U256,
    /// Liquidity in range after the swap.
    pub liquidity: u128,
    /// Initialised ticks crossed.
    pub crossed: u32,
    /// The tick after the swap, where the walk ended on one; otherwise it follows from the price.
    pub(crate) landed: Option<i32>,
}

impl Swapped {
    /// The tick after the swap.
    #[must_use]
    pub fn tick(&self) -> i32 {
        self.landed.unwrap_or_else(|| tick_of(self.sqrt_price_x96))
    }

    /// Whether the fixed amount was used up.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.remaining.is_zero()
    }

    /// The amounts, without the state.
    #[must_use]
    pub fn quote(&self) -> Quote {
        Quote { amount_in: self.amount_in, amount_out: self.amount_out }
    }
}

/// Takes part in the walk of a swap: books fees and crossings.
pub(crate) trait Book {
    /// Whether the division of an input into swap and fee matters; their sum is the same.
    const DIVIDES: bool;
    fn step(&mut self, amount_in: U256, fee: U256, liquidity: u128) -> Result<(), AmmError>;
    fn cross(&mut self, place: usize, tick: i32, zero_for_one: bool) -> Result<(), AmmError>;
}

/// A quote books nothing.
pub(crate) struct NoBook;

impl Book for NoBook {
    const DIVIDES: bool = false;

    #[inline]
    fn step(&mut self, _amount_in: U256, _fee: U256, _liquidity: u128) -> Result<(), AmmError> {
        Ok(())
    }

    #[inline]
    fn cross(&mut self, _place: usize, _tick: i32, _zero_for_one: bool) -> Result<(), AmmError> {
        Ok(())
    }
}

/// A step of a swap within constant liquidity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TracedStep {
    /// Liquidity in range.
    pub liquidity: u128,
    /// What the step took in, the fee beside it.
    pub amount_in: U256,
    /// The fee.
    pub fee: U256,
    /// The initialised tick that the step ended on and crossed.
    pub crossed: Option<i32>,
}

struct Tracer(Vec<TracedStep>);

impl Book for Tracer {
    const DIVIDES: bool = true;

    fn step(&mut self, amount_in: U256, fee: U256, liquidity: u128) -> Result<(), AmmError> {
        self.0.push(TracedStep { liquidity, amount_in, fee, crossed: None });
        Ok(())
    }

    fn cross(&mut self, _place: usize, tick: i32, _zero_for_one: bool) -> Result<(), AmmError> {
        if let Some(step) = self.0.last_mut() {
            step.crossed = Some(tick);
        }
        Ok(())
    }
}

/// A swap as the walk sees it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Walk {
    pub zero_for_one: bool,
    pub amount: Amount,
    pub sqrt_price_limit_x96: U256,
    pub fee_pips: u32,
    pub booking: Booking,
}

impl Core {
    /// A pool without liquidity at a price.
    ///
    /// # Errors
    /// A price or spacing out of range.
    pub fn new(tick_spacing: i32, sqrt_price_x96: U256) -> Result<Self, AmmError> {
        Ok(Self {
            tick_spacing,
            max_liquidity_per_tick: max_liquidity_per_tick(tick_spacing, false)?,
            sqrt_price_x96,
            tick: tick_at_sqrt_price(sqrt_price_x96)?,
            liquidity: 0,
            fee_growth_x128: [U256::ZERO; 2],
            ticks: Ticks::default(),
            known: (MIN_TICK, MAX_TICK),
            positions: BTreeMap::new(),
        })
    }

    /// A pool as recorded at some block. Fee growth counts from that block on. When the
    /// nets of the ticks do not sum up to the liquidity, ticks outside the first and the
    /// last are missing, and only prices between these two are known.
    ///
    /// # Errors
    /// A price or tick out of range, a tick that is not the price's, ticks that cannot
    /// exist, or nets that no missing tick outside could explain.
    pub fn recorded(
        tick_spacing: i32,
        sqrt_price_x96: U256,
        tick: i32,
        liquidity: u128,
        ticks: &[Tick],
    ) -> Result<Self, AmmError> {
        let mut core = Self::new(tick_spacing, sqrt_price_x96)?;
        let on_boundary = price_of(core.tick) == sqrt_price_x96;
        if tick != core.tick && !(on_boundary && tick == core.tick - 1) {
            let reason = format!("the square-root price {sqrt_price_x96} is at tick {}", core.tick);
            return Err(AmmError::Tick { tick, reason });
        }
        core.ticks = Ticks::from_sorted(ticks, tick_spacing)?;
        (core.tick, core.liquidity) = (tick, liquidity);
        core.check_nets()?;
        Ok(core)
    }

    /// Checks that the liquidity in range and the nets of the ticks fit together, and finds
    /// out whether ticks are missing at the ends.
    fn check_nets(&mut self) -> Result<(), AmmError> {
        let fail = |reason: String| liquidity_error("the pool", reason);
        let sums: Option<Vec<i128>> = self.ticks.sums().collect();
        let sums = sums.ok_or_else(|| fail("the nets of the ticks overflow 128 bits".into()))?;
        let below = self.ticks.place_above(self.tick).checked_sub(1).map_or(0, |last| sums[last]);
        let liquidity =
            i128::try_from(self.liquidity).map_err(|_| fail(format!("{} in range is above 2^127", self.liquidity)))?;
        let missing = liquidity
            .checked_sub(below)
            .filter(|missing| *missing >= 0)
            .ok_or_else(|| fail(format!("{liquidity} in range, but the ticks up to {} sum to {below}", self.tick)))?;
        if let Some(place) = sums.iter().position(|sum| sum.checked_add(missing).is_none_or(|sum| sum < 0)) {
            let reason = format!("the liquidity above it would be {} {missing:+}", sums[place]);
            return Err(liquidity_error(&format!("tick {}", self.ticks.index_at(place)), reason));
        }
        if missing != 0 || sums.last().is_some_and(|sum| *sum != 0) {
            self.known = match self.ticks.len() {
                0 => (self.tick, self.tick + 1),
                count => (self.ticks.index_at(0).min(self.tick), self.ticks.index_at(count - 1).max(self.tick + 1)),
            };
        }
        Ok(())
    }

    /// Says that initialised ticks are known between `low` and `high` only.
    ///
    /// # Errors
    /// A range without the pool's tick in it, or beyond what the ticks allow.
    pub fn limit_known(&mut self, low: i32, high: i32) -> Result<(), AmmError> {
        if !(low <= self.tick && self.tick < high) {
            let reason = format!("the known ticks {low} … {high} do not hold it");
            return Err(AmmError::Tick { tick: self.tick, reason });
        }
        self.known = (low.max(self.known.0), high.min(self.known.1));
        Ok(())
    }

    /// Distance of usable ticks.
    #[must_use]
    pub fn tick_spacing(&self) -> i32 {
        self.tick_spacing
    }

    /// Whether all initialised ticks are known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.known == (MIN_TICK, MAX_TICK)
    }

    /// Bytes the pool occupies, positions left out.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.ticks.heap_bytes()
    }

    /// The furthest price limit of a direction.
    #[must_use]
    pub fn furthest_limit(zero_for_one: bool) -> U256 {
        if zero_for_one { MIN_SQRT_PRICE + U256::ONE } else { MAX_SQRT_PRICE - U256::ONE }
    }

    /// Walks the ticks as the contract's swap does, without changing the state.
    pub(crate) fn walk<B: Book>(&self, swap: &Walk, book: &mut B) -> Result<Swapped, AmmError> {
        let Walk { zero_for_one, amount, sqrt_price_limit_x96: limit, fee_pips, .. } = *swap;
        // What the fee leaves needs no recomputation.
        let booking = if B::DIVIDES { swap.booking } else { Booking::Remaining };
        let specified = amount.value();
        if specified.is_zero() {
            return Err(AmmError::ZeroAmount);
        }
        self.check_limit(zero_for_one, limit)?;
        if specified.bit(255) {
            return Err(AmmError::Overflow { what: format!("the amount {specified} as a signed number"), bits: 256 });
        }
        let (mut remaining, mut calculated) = (specified, U256::ZERO);
        let (mut price, mut tick, mut liquidity) = (self.sqrt_price_x96, self.tick, self.liquidity);
        let mut landed = Some(tick);
        let mut above = self.ticks.place_above(tick);
        let mut crossed = 0;
        while !remaining.is_zero() && price != limit {
            let next = self.ticks.next(tick, above, self.tick_spacing, zero_for_one);
            let next_price = match next.place {
                Some(place) => self.ticks.price_at(place),
                None => price_of(next.tick),
            };
            let target = if zero_for_one { next_price.max(limit) } else { next_price.min(limit) };
            let left = match amount {
                Amount::In(_) => Amount::In(remaining),
                Amount::Out(_) => Amount::Out(remaining),
            };
            let step = swap_step(price, target, liquidity, left, fee_pips, booking)?;
            let paid = step.amount_in.checked_add(step.fee).ok_or_else(|| sum_overflow(calculated, step.amount_in))?;
            let (used, counted) = match amount {
                Amount::In(_) => (paid, step.amount_out),
                Amount::Out(_) => (step.amount_out, paid),
            };
            remaining = remaining.checked_sub(used).ok_or_else(|| sum_overflow(remaining, used))?;
            calculated = calculated
                .checked_add(counted)
                .filter(|sum| !sum.bit(255))
                .ok_or_else(|| sum_overflow(calculated, counted))?;
            book.step(step.amount_in, step.fee, liquidity)?;
            if next.tick < self.known.0 || next.tick > self.known.1 {
                self.check_known(step.price)?;
            }
            if step.price == next_price {
                if let Some(place) = next.place {
                    book.cross(place, next.tick, zero_for_one)?;
                    let net = self.ticks.net_at(place);
                    let delta = if zero_for_one { net.checked_neg() } else { Some(net) };
                    liquidity = delta
                        .ok_or_else(|| "a net of −2^127".to_owned())
                        .and_then(|delta| add_delta(liquidity, delta))
                        .map_err(|reason| liquidity_error(&format!("tick {}", next.tick), reason))?;
                    above = if zero_for_one { place } else { place + 1 };
                    crossed += 1;
                }
                tick = if zero_for_one { next.tick - 1 } else { next.tick };
                landed = Some(tick);
            } else if step.price != price {
                landed = None;
                // Only a further step needs the tick.
                if !remaining.is_zero() && step.price != limit {
                    tick = tick_of(step.price);
                    landed = Some(tick);
                }
            }
            price = step.price;
        }
        let (amount_in, amount_out) = match amount {
            Amount::In(_) => (specified - remaining, calculated),
            Amount::Out(_) => (calculated, specified - remaining),
        };
        Ok(Swapped { amount_in, amount_out, remaining, sqrt_price_x96: price, liquidity, crossed, landed })
    }

    #[cold]
    fn check_known(&self, price: U256) -> Result<(), AmmError> {
        let (low, high) = self.known;
        if price < price_of(low.max(MIN_TICK)) || price > price_of(high.min(MAX_TICK)) {
            return Err(AmmError::UnknownTicks { low, high });
        }
        Ok(())
    }

    fn check_limit(&self, zero_for_one: bool, limit: U256) -> Result<(), AmmError> {
        let price = self.sqrt_price_x96;
        let (allowed, bound) = if zero_for_one {
            (limit < price && limit > MIN_SQRT_PRICE, MIN_SQRT_PRICE)
        } else {
            (limit > price && limit < MAX_SQRT_PRICE, MAX_SQRT_PRICE)
        };
        if allowed { Ok(()) } else { Err(AmmError::PriceLimit { limit, price, bound }) }
    }

    /// Lets walks stop at ticks where no liquidity changes. For copies that are only traced:
    /// the next change of liquidity at such a tick may clear it.
    ///
    /// # Errors
    /// A tick out of range.
    pub fn mark_ticks(&mut self, ticks: &[i32]) -> Result<(), AmmError> {
        for tick in ticks {
            check_tick(*tick, self.tick_spacing)?;
            if let Err(place) = self.ticks.place_of(*tick) {
                self.ticks.insert(place, Tick::empty(*tick));
            }
        }
        Ok(())
    }

    /// The steps of a swap, without changing the state; the steps between two initialised
    /// ticks are one where nothing lies between.
    ///
    /// # Errors
    /// As the pool's swap.
    pub fn trace(
        &self,
        zero_for_one: bool,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        fee_pips: u32,
    ) -> Result<Vec<TracedStep>, AmmError> {
        let walk = Walk { zero_for_one, amount, sqrt_price_limit_x96, fee_pips, booking: Booking::Recomputed };
        let mut tracer = Tracer(Vec::new());
        self.walk(&walk, &mut tracer)?;
        Ok(tracer.0)
    }

    /// Moves price, tick and liquidity to where a walk ended.
    pub(crate) fn settle(&mut self, swapped: &Swapped) {
        self.sqrt_price_x96 = swapped.sqrt_price_x96;
        self.tick = swapped.tick();
        self.liquidity = swapped.liquidity;
    }

    /// Flips the fee growth outside a crossed tick; `growth` is the global one then.
    pub(crate) fn flip_outside(&mut self, place: usize, growth: [U256; 2]) {
        let outside = self.ticks.outside_mut(place);
        for token in 0..2 {
            outside[token] = growth[token].wrapping_sub(outside[token]);
        }
    }

    /// The price as a ratio of units, before fees, in the direction of the swap.
    pub(crate) fn price(&self, zero_for_one: bool) -> f64 {
        const Q96: f64 = 79_228_162_514_264_337_593_543_950_336.0;
        let root = to_f64(self.sqrt_price_x96) / Q96;
        if zero_for_one { root * root } else { 1.0 / (root * root) }
    }
}

#[cold]
fn sum_overflow(sum: U256, amount: U256) -> AmmError {
    AmmError::Overflow { what: format!("the swap's total of {sum} and {amount}"), bits: 256 }
}

/// The amounts of a swap that used up its fixed amount.
pub(crate) fn whole(swapped: &Swapped, amount: U256) -> Result<Quote, AmmError> {
    if swapped.is_whole() {
        Ok(swapped.quote())
    } else {
        Err(AmmError::LiquidityExhausted { amount, remaining: swapped.remaining })
    }
}

/// What a pool takes in until its price is at the end of the range.
pub(crate) fn max_in(
    quote_limited: impl FnOnce(Amount, U256) -> Result<Swapped, AmmError>,
    token_in: usize,
) -> Result<U256, AmmError> {
    let all = (U256::ONE << 255) - U256::ONE;
    Ok(quote_limited(Amount::In(all), Core::furthest_limit(token_in == 0))?.amount_in)
}
