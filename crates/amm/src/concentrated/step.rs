//! One step of a swap: from a price to a target at constant liquidity.
//!
//! Source: `SwapMath.computeSwapStep` of Uniswap v3-core, and of v4-core where it books
//! the remainder of an exact input differently.

use ruint::aliases::U256;

use super::sqrt_price::{amount0_delta, amount1_delta, next_price_from_input, next_price_from_output};
use crate::error::AmmError;
use crate::integer::{mul_div_small, mul_div_small_up, small_product, to_f64};

/// The whole, in the unit of fees: millionths.
pub const PIPS: u32 = 1_000_000;

/// What a swap fixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// The trader pays exactly this, fee included.
    In(U256),
    /// The trader receives exactly this.
    Out(U256),
}

impl Amount {
    /// The fixed amount.
    #[must_use]
    pub fn value(self) -> U256 {
        match self {
            Self::In(value) | Self::Out(value) => value,
        }
    }
}

/// Whose way of booking an exact input that ends within the step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Booking {
    /// V3: the input is recomputed from the price it reached, the rest is fee.
    Recomputed,

    /// V4: the input is what is left after the fee.
    Remaining,
}

/// The result of a step; amounts in units, the fee beside the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub price: U256,
    pub amount_in: U256,
    pub amount_out: U256,
    pub fee: U256,
}

/// Swaps from `price` towards `target` and stops there or when `remaining` is used up.
#[inline]
pub(crate) fn swap_step(
    price: U256,
    target: U256,
    liquidity: u128,
    remaining: Amount,
    fee_pips: u32,
    booking: Booking,
) -> Result<Step, AmmError> {
    if liquidity == 0 {
        // Nothing to trade against: the price jumps for free.
        return Ok(Step { price: target, amount_in: U256::ZERO, amount_out: U256::ZERO, fee: U256::ZERO });
    }
    let zero_for_one = price >= target;
    let curve = Curve { price, target, liquidity, zero_for_one };
    match remaining {
        Amount::In(amount) => curve.exact_in(amount, fee_pips, booking),
        Amount::Out(amount) => curve.exact_out(amount, fee_pips),
    }
}

struct Curve {
    price: U256,
    target: U256,
    liquidity: u128,
    zero_for_one: bool,
}

impl Curve {
    #[inline]
    fn exact_in(&self, amount: U256, fee_pips: u32, booking: Booking) -> Result<Step, AmmError> {
        let kept = PIPS - fee_pips;
        let after_fee = || mul_div_small(amount, kept, PIPS).ok_or_else(|| fee_overflow(amount, fee_pips));
        // A rough guess chooses which exact computation to try first; both paths end at
        // the contract's result.
        if self.likely_within(amount, kept) {
            let after_fee = after_fee()?;
            if let Some(next) = self.strictly_within(after_fee)? {
                return self.ends_within(next, amount, after_fee, booking);
            }
        }
        let to_target = self.amount_in(self.target)?;
        if !covers(amount, kept, to_target) {
            let after_fee = after_fee()?;
            let next = next_price_from_input(self.price, self.liquidity, after_fee, self.zero_for_one)?;
            return self.ends_within(next, amount, after_fee, booking);
        }
        let fee = if fee_pips == PIPS {
            to_target
        } else {
            mul_div_small_up(to_target, fee_pips, kept).ok_or_else(|| fee_overflow(to_target, fee_pips))?
        };
        Ok(Step { price: self.target, amount_in: to_target, amount_out: self.amount_out(self.target)?, fee })
    }

    #[inline]
    fn exact_out(&self, amount: U256, fee_pips: u32) -> Result<Step, AmmError> {
        let to_target = self.amount_out(self.target)?;
        let (next, amount_out) = if amount >= to_target {
            (self.target, to_target)
        } else {
            let next = next_price_from_output(self.price, self.liquidity, amount, self.zero_for_one)?;
            // Rounding of the price can free a unit more than asked for; the pool keeps it.
            let freed = if next == self.target { to_target } else { self.amount_out(next)? };
            (next, freed.min(amount))
        };
        let amount_in = self.amount_in(next)?;
        let fee =
            mul_div_small_up(amount_in, fee_pips, PIPS - fee_pips).ok_or_else(|| fee_overflow(amount_in, fee_pips))?;
        Ok(Step { price: next, amount_in, amount_out, fee })
    }

    #[inline]
    fn ends_within(&self, next: U256, amount: U256, after_fee: U256, booking: Booking) -> Result<Step, AmmError> {
        let amount_in = match booking {
            Booking::Recomputed => self.amount_in(next)?,
            Booking::Remaining => after_fee,
        };
        let fee = amount.checked_sub(amount_in).ok_or_else(|| AmmError::Overflow {
            what: format!("the fee: an input of {amount} is below the {amount_in} of its step"),
            bits: 256,
        })?;
        Ok(Step { price: next, amount_in, amount_out: self.amount_out(next)?, fee })
    }

    /// What moving to `next` takes in, rounded up.
    #[inline]
    fn amount_in(&self, next: U256) -> Result<U256, AmmError> {
        if self.zero_for_one {
            amount0_delta(next, self.price, self.liquidity, true)
        } else {
            Ok(amount1_delta(self.price, next, self.liquidity, true))
        }
    }

    /// What moving to `next` gives out, rounded down.
    #[inline]
    fn amount_out(&self, next: U256) -> Result<U256, AmmError> {
        if self.zero_for_one {
            Ok(amount1_delta(next, self.price, self.liquidity, false))
        } else {
            amount0_delta(self.price, next, self.liquidity, false)
        }
    }

    #[inline]
    fn likely_within(&self, amount: U256, kept: u32) -> bool {
        const Q96: f64 = 79_228_162_514_264_337_593_543_950_336.0;
        let (price, target) = (to_f64(self.price), to_f64(self.target));
        #[expect(clippy::cast_precision_loss, reason = "a guess")]
        let liquidity = self.liquidity as f64;
        let distance = if self.zero_for_one {
            liquidity * Q96 * (price - target) / (price * target)
        } else {
            liquidity * (target - price) / Q96
        };
        to_f64(amount) * f64::from(kept) < distance * f64::from(PIPS)
    }

    /// The price the input leads to, when it is strictly before the target: the input then
    /// cannot reach the target, because the price is rounded towards its start and the
    /// amount to the target is rounded up.
    #[inline]
    fn strictly_within(&self, after_fee: U256) -> Result<Option<U256>, AmmError> {
        let next = next_price_from_input(self.price, self.liquidity, after_fee, self.zero_for_one)?;
        Ok(Some(next).filter(|next| if self.zero_for_one { *next > self.target } else { *next < self.target }))
    }
}

/// Whether `amount` without its fee, floor(amount · kept / 1,000,000), reaches `to_target`.
#[inline]
fn covers(amount: U256, kept: u32, to_target: U256) -> bool {
    match (small_product(amount, kept), small_product(to_target, PIPS)) {
        (Some(paid), Some(needed)) => paid >= needed,
        // An amount whose product needs more than 128 bits against one that does not.
        (None, Some(_)) => true,
        _ => mul_div_small(amount, kept, PIPS).is_some_and(|after_fee| after_fee >= to_target),
    }
}

#[cold]
fn fee_overflow(amount: U256, fee_pips: u32) -> AmmError {
    AmmError::Overflow { what: format!("the fee of {fee_pips} millionths on {amount}"), bits: 256 }
}
