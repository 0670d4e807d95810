//! Slipstream (Velodrome and Aerodrome concentrated liquidity).
//!
//! Source: `CLPool` of velodrome-finance/slipstream. Differences from V3: the fee is asked
//! of the factory at every swap, there is no protocol fee, and fees of staked liquidity
//! and a part of the fees of unstaked liquidity go to the gauge. Rewards of the gauge are
//! not part of the pool's maths and are left out.

use std::collections::BTreeMap;

use ruint::aliases::U256;

use super::uniswap_v3::signed;
use crate::concentrated::{
    Amount, Book, Booking, Core, NoBook, PIPS, PositionKey, Swapped, Walk, growth_of, low_128, max_in, settle_growth,
    whole,
};
use crate::context::{Context, Fee, MarginalPrice, Quote, check_pair};
use crate::error::AmmError;
use crate::integer::mul_div_up;

/// The largest swap fee the pool accepts from a fee module, in millionths.
pub const MAX_FEE_PIPS: u32 = 100_000;
/// The largest unstaked fee, in millionths of the fee.
pub const MAX_UNSTAKED_FEE_PIPS: u32 = 500_000;

/// A Slipstream pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slipstream {
    /// Price, liquidity, ticks and positions.
    pub core: Core,
    /// The fee the factory answers, in millionths of the input, when the state knows it;
    /// a swap's own fee context comes before it.
    pub(crate) fee_pips: Option<u32>,
    /// The gauge's part of the fees of unstaked liquidity, in millionths, when known. Only
    /// swaps that move the state need it.
    pub(crate) unstaked_fee_pips: Option<u32>,
    /// Staked liquidity in range.
    pub staked_liquidity: u128,
    /// Staked liquidity added when the price crosses a tick upwards.
    pub staked_net: BTreeMap<i32, i128>,
    /// Fees waiting for the gauge, per token, in units.
    pub gauge_fees: [u128; 2],
    /// Owner under which staked positions are kept; its positions earn no fees.
    pub gauge: Option<U256>,
}

impl Slipstream {
    /// A pool over a prepared core, with nothing staked.
    ///
    /// # Errors
    /// A fee above its bound.
    pub fn new(core: Core, fee_pips: Option<u32>, unstaked_fee_pips: Option<u32>) -> Result<Self, AmmError> {
        if let Some(fee) = fee_pips {
            check_fee(fee, MAX_FEE_PIPS)?;
        }
        if let Some(fee) = unstaked_fee_pips {
            check_fee(fee, MAX_UNSTAKED_FEE_PIPS)?;
        }
        Ok(Self {
            core,
            fee_pips,
            unstaked_fee_pips,
            staked_liquidity: 0,
            staked_net: BTreeMap::new(),
            gauge_fees: [0; 2],
            gauge: None,
        })
    }

    /// The fee the state knows, in millionths of the input.
    #[must_use]
    pub fn fee_pips(&self) -> Option<u32> {
        self.fee_pips
    }

    /// The gauge's part of the fees of unstaked liquidity, in millionths, when known.
    #[must_use]
    pub fn unstaked_fee_pips(&self) -> Option<u32> {
        self.unstaked_fee_pips
    }

    /// Sets the gauge's part of the fees of unstaked liquidity from now on, in millionths.
    ///
    /// # Errors
    /// A fee above [`MAX_UNSTAKED_FEE_PIPS`].
    pub fn set_unstaked_fee(&mut self, pips: u32) -> Result<(), AmmError> {
        check_fee(pips, MAX_UNSTAKED_FEE_PIPS)?;
        self.unstaked_fee_pips = Some(pips);
        Ok(())
    }

    /// Two.
    #[must_use]
    pub fn token_count(&self) -> usize {
        2
    }

    /// What `amount_in` buys, when the liquidity suffices for all of it.
    ///
    /// # Errors
    /// A zero amount, an unknown fee, or liquidity that ends before the amount.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        whole(&self.quote_limited(token_in, token_out, Amount::In(amount_in), limit, context)?, amount_in)
    }

    /// What buys `amount_out`.
    ///
    /// # Errors
    /// A zero amount, an unknown fee, or liquidity that ends before the amount.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        whole(&self.quote_limited(token_in, token_out, Amount::Out(amount_out), limit, context)?, amount_out)
    }

    /// The contract's swap with a price limit, without moving the state.
    ///
    /// # Errors
    /// A zero amount, an unknown fee, or a limit on the wrong side of the price.
    #[inline]
    pub fn quote_limited(
        &self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Swapped, AmmError> {
        check_pair(token_in, token_out, 2)?;
        self.core.walk(&self.walk(token_in, amount, sqrt_price_limit_x96, context)?, &mut NoBook)
    }

    /// [`Self::quote_exact_in`], and moves the state.
    ///
    /// # Errors
    /// As the quote, or an unknown unstaked fee; the state is then unchanged.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        let swapped = self.swap_if(token_in, token_out, Amount::In(amount_in), limit, context, Swapped::is_whole)?;
        whole(&swapped, amount_in)
    }

    /// [`Self::quote_exact_out`], and moves the state.
    ///
    /// # Errors
    /// As the quote, or an unknown unstaked fee; the state is then unchanged.
    pub fn swap_exact_out(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        let limit = Core::furthest_limit(token_in == 0);
        let swapped = self.swap_if(token_in, token_out, Amount::Out(amount_out), limit, context, Swapped::is_whole)?;
        whole(&swapped, amount_out)
    }

    /// The contract's swap: moves price, ticks, fee growth, staked liquidity and gauge fees.
    ///
    /// # Errors
    /// As [`Self::quote_limited`], or an unknown unstaked fee; the state is then unchanged.
    pub fn swap_limited(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Swapped, AmmError> {
        self.swap_if(token_in, token_out, amount, sqrt_price_limit_x96, context, |_| true)
    }

    /// [`Self::swap_limited`], but the state moves only when `accept` agrees to the outcome.
    ///
    /// # Errors
    /// As [`Self::swap_limited`]; the state is then unchanged.
    pub fn swap_if(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
        accept: impl FnOnce(&Swapped) -> bool,
    ) -> Result<Swapped, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let walk = self.walk(token_in, amount, sqrt_price_limit_x96, context)?;
        let mut gauge = Gauge {
            split: self.split()?,
            staked_liquidity: self.staked_liquidity,
            staked_net: &self.staked_net,
            growth_x128: self.core.fee_growth_x128[token_in],
            fees: 0,
            crossed: Vec::new(),
        };
        let swapped = self.core.walk(&walk, &mut gauge)?;
        if accept(&swapped) {
            let Gauge { staked_liquidity, growth_x128, fees, crossed, .. } = gauge;
            settle_growth(&mut self.core, token_in, growth_x128, &crossed);
            self.core.settle(&swapped);
            self.staked_liquidity = staked_liquidity;
            self.gauge_fees[token_in] = self.gauge_fees[token_in].wrapping_add(fees);
        }
        Ok(swapped)
    }

    /// The pool's price, before and after the fee.
    ///
    /// # Errors
    /// An unknown fee.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        check_pair(token_in, token_out, 2)?;
        let without_fee = self.core.price(token_in == 0);
        let kept = f64::from(PIPS - self.fee(context)?) / f64::from(PIPS);
        Ok(MarginalPrice { without_fee, with_fee: without_fee * kept })
    }

    /// What it takes to push the price to the end of its range: all that can be sold.
    ///
    /// # Errors
    /// An unknown fee, or a price that is at the end already.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        max_in(|amount, limit| self.quote_limited(token_in, token_out, amount, limit, context), token_in)
    }

    /// Adds liquidity to a position and returns the tokens it takes.
    ///
    /// # Errors
    /// Nothing to add, ticks that cannot be used, or too much liquidity on one of them.
    pub fn mint(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        if liquidity == 0 {
            return Err(AmmError::ZeroAmount);
        }
        self.core.modify(key, signed(liquidity)?, self.earns(&key))
    }

    /// Takes liquidity out of a position; the tokens are then owed to it. Zero liquidity
    /// books the fees only.
    ///
    /// # Errors
    /// More liquidity than the position has.
    pub fn burn(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        let amounts = self.core.modify(key, -signed(liquidity)?, self.earns(&key))?;
        self.core.owe(&key, amounts);
        // A cleared tick loses its staked net with everything else.
        for tick in [key.tick_lower, key.tick_upper] {
            if self.core.ticks.get(tick).is_none() {
                self.staked_net.remove(&tick);
            }
        }
        Ok(amounts)
    }

    /// Pays out up to `amounts` of what a position is owed.
    pub fn collect(&mut self, key: &PositionKey, amounts: [u128; 2]) -> [u128; 2] {
        self.core.collect(key, amounts)
    }

    /// Moves liquidity of a range from its holder to the gauge (`delta` > 0) or back.
    ///
    /// # Errors
    /// No gauge, more than the holder or the gauge has in that range, or overflow.
    pub fn stake(&mut self, key: PositionKey, delta: i128) -> Result<(), AmmError> {
        let gauge = self.gauge.ok_or(AmmError::Missing("the gauge: nothing can be staked without one"))?;
        if key.owner == gauge {
            return Err(AmmError::Liquidity {
                place: "the position".into(),
                reason: "its owner is the gauge: name the holder whose liquidity is staked".into(),
            });
        }
        let opposite = delta
            .checked_neg()
            .ok_or_else(|| AmmError::Overflow { what: format!("the change of stake {delta}"), bits: 128 })?;
        let in_range = key.tick_lower <= self.core.tick && self.core.tick < key.tick_upper;
        let staked_liquidity = if in_range { self.stake_sum(delta)? } else { self.staked_liquidity };
        let lower = self.staked_net_after(key.tick_lower, delta)?;
        let upper = self.staked_net_after(key.tick_upper, opposite)?;
        self.core.move_liquidity(&key, &PositionKey { owner: gauge, ..key }, delta)?;
        self.staked_liquidity = staked_liquidity;
        for (tick, net) in [(key.tick_lower, lower), (key.tick_upper, upper)] {
            if self.core.ticks.get(tick).is_some() {
                self.staked_net.insert(tick, net);
            }
        }
        Ok(())
    }

    /// Pays the gauge's fees out, all but one unit of each, and returns the amounts. As in
    /// the contract, a single unit is reported each time and never paid.
    pub fn collect_gauge_fees(&mut self) -> [u128; 2] {
        let mut taken = self.gauge_fees;
        for token in 0..2 {
            if taken[token] > 1 {
                self.gauge_fees[token] = 1;
                taken[token] -= 1;
            }
        }
        taken
    }

    /// A flash loan of `amounts` that was paid back with `paid` on top.
    ///
    /// # Errors
    /// No liquidity in range, less paid than the fee, or an unknown fee.
    pub fn flash(&mut self, amounts: [U256; 2], paid: [U256; 2], context: &Context) -> Result<(), AmmError> {
        if self.core.liquidity == 0 {
            return Err(AmmError::NoLiquidity("a flash loan needs liquidity in range".into()));
        }
        let (fee_pips, split) = (self.fee(context)?, self.split()?);
        let mut booked = [(U256::ZERO, U256::ZERO); 2];
        for token in 0..2 {
            let fee = mul_div_up(amounts[token], U256::from(fee_pips), U256::from(PIPS)).ok_or_else(|| {
                AmmError::Overflow { what: format!("the flash fee on {}", amounts[token]), bits: 256 }
            })?;
            if paid[token] < fee {
                let what = "what is paid for the flash loan";
                return Err(AmmError::Limit { what, value: paid[token], limit: fee });
            }
            booked[token] = split.of(paid[token], self.core.liquidity, self.staked_liquidity)?;
        }
        for (token, (growth, staked)) in booked.into_iter().enumerate() {
            self.core.fee_growth_x128[token] = self.core.fee_growth_x128[token].wrapping_add(growth);
            self.gauge_fees[token] = self.gauge_fees[token].wrapping_add(low_128(staked));
        }
        Ok(())
    }

    fn earns(&self, key: &PositionKey) -> bool {
        self.gauge != Some(key.owner)
    }

    fn fee(&self, context: &Context) -> Result<u32, AmmError> {
        match (context.fee, self.fee_pips) {
            (Fee::Pips(pips), _) => check_fee(pips, MAX_FEE_PIPS).map(|()| pips),
            (Fee::Pool, Some(pips)) => Ok(pips),
            (Fee::Pool, None) => Err(AmmError::Missing("fee_pips, which Slipstream asks its factory at every swap")),
        }
    }

    fn split(&self) -> Result<Split, AmmError> {
        let unstaked_fee_pips = self
            .unstaked_fee_pips
            .ok_or(AmmError::Missing("unstaked_fee_pips, the gauge's part of the fees of unstaked liquidity"))?;
        Ok(Split { unstaked_fee_pips })
    }

    fn stake_sum(&self, delta: i128) -> Result<u128, AmmError> {
        self.staked_liquidity.checked_add_signed(delta).ok_or_else(|| AmmError::Liquidity {
            place: "the gauge".into(),
            reason: format!("{} staked in range {delta:+}", self.staked_liquidity),
        })
    }

    fn staked_net_after(&self, tick: i32, delta: i128) -> Result<i128, AmmError> {
        let net = self.staked_net.get(&tick).copied().unwrap_or(0);
        net.checked_add(delta).ok_or_else(|| AmmError::Liquidity {
            place: format!("tick {tick}"),
            reason: format!("a staked net of {net} {delta:+} overflows 128 bits"),
        })
    }

    #[inline]
    fn walk(
        &self,
        token_in: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Walk, AmmError> {
        let fee_pips = self.fee(context)?;
        let zero_for_one = token_in == 0;
        Ok(Walk { zero_for_one, amount, sqrt_price_limit_x96, fee_pips, booking: Booking::Recomputed })
    }
}

fn check_fee(fee: u32, largest: u32) -> Result<(), AmmError> {
    if fee > largest {
        return Err(AmmError::FeeRange { fee: fee.into(), limit: u64::from(largest) + 1 });
    }
    Ok(())
}

/// The contract's division of a fee between unstaked liquidity and the gauge.
#[derive(Clone, Copy)]
struct Split {
    unstaked_fee_pips: u32,
}

impl Split {
    /// Growth per unstaked liquidity, and what goes to the gauge. Every rounding favours
    /// the gauge.
    fn of(self, fee: U256, liquidity: u128, staked: u128) -> Result<(U256, U256), AmmError> {
        if liquidity == staked {
            return Ok((U256::ZERO, fee));
        }
        let overflow = || AmmError::Overflow { what: format!("the staked part of a fee of {fee}"), bits: 256 };
        let of_staked = match staked {
            0 => U256::ZERO,
            _ => mul_div_up(fee, U256::from(staked), U256::from(liquidity)).ok_or_else(overflow)?,
        };
        let unstaked = fee.checked_sub(of_staked).ok_or_else(overflow)?;
        let levied = mul_div_up(unstaked, U256::from(self.unstaked_fee_pips), U256::from(PIPS)).ok_or_else(overflow)?;
        let earning = liquidity.checked_sub(staked).ok_or_else(|| AmmError::Liquidity {
            place: "the pool".into(),
            reason: format!("{staked} staked of {liquidity} in range"),
        })?;
        Ok((growth_of(unstaked - levied, earning)?, of_staked + levied))
    }
}

/// Books a swap's fees: growth for unstaked liquidity, the rest for the gauge.
struct Gauge<'a> {
    split: Split,
    staked_liquidity: u128,
    staked_net: &'a BTreeMap<i32, i128>,
    growth_x128: U256,
    fees: u128,
    crossed: Vec<(usize, U256)>,
}

impl Book for Gauge<'_> {
    const DIVIDES: bool = true;

    #[inline]
    fn step(&mut self, _amount_in: U256, fee: U256, liquidity: u128) -> Result<(), AmmError> {
        if liquidity > 0 {
            let (growth, staked) = self.split.of(fee, liquidity, self.staked_liquidity)?;
            self.growth_x128 = self.growth_x128.wrapping_add(growth);
            self.fees = self.fees.wrapping_add(low_128(staked));
        }
        Ok(())
    }

    #[inline]
    fn cross(&mut self, place: usize, tick: i32, zero_for_one: bool) -> Result<(), AmmError> {
        self.crossed.push((place, self.growth_x128));
        let Some(net) = self.staked_net.get(&tick) else { return Ok(()) };
        let delta = if zero_for_one { net.wrapping_neg() } else { *net };
        self.staked_liquidity = self.staked_liquidity.checked_add_signed(delta).ok_or_else(|| AmmError::Liquidity {
            place: format!("tick {tick}"),
            reason: format!("{} staked in range {delta:+}", self.staked_liquidity),
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gauge_cannot_stake_its_own_liquidity() {
        let (holder, gauge) = (U256::ONE, U256::from(2));
        let core = Core::new(200, U256::ONE << 96).unwrap();
        let mut pool = Slipstream::new(core, Some(3000), Some(100_000)).unwrap();
        let key = PositionKey { owner: holder, tick_lower: -200, tick_upper: 200 };
        pool.mint(key, 1_000_000).unwrap();
        assert!(matches!(pool.stake(key, 1), Err(AmmError::Missing(_))));
        pool.gauge = Some(gauge);
        let before = pool.clone();
        assert!(pool.stake(PositionKey { owner: gauge, ..key }, 400_000).is_err());
        assert!(pool.stake(key, 1_000_001).is_err());
        assert_eq!(pool, before, "a refusal changes nothing");
        pool.stake(key, 400_000).unwrap();
        assert_eq!(pool.staked_liquidity, 400_000);
        assert_eq!(pool.core.positions[&key].liquidity, 600_000);
        pool.stake(key, -400_000).unwrap();
        assert_eq!((pool.staked_liquidity, pool.core.positions[&key].liquidity), (0, 1_000_000));
    }
}
