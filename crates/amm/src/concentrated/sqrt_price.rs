//! Amounts between two square-root prices, and the price an amount leads to.
//!
//! Source: `SqrtPriceMath` of Uniswap v3-core, with its rounding: what the pool receives
//! is rounded up, what it pays down, and the price never moves further than paid for.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::{div_up, mul_div, mul_div_rem, mul_div_up};

/// 2^160 − 1: the largest price the contract stores.
pub(crate) const MAX_UINT160: U256 = U256::from_limbs([u64::MAX, u64::MAX, 0xffff_ffff, 0]);

/// Token 0 between two prices: L · 2^96 · (b − a) / (b · a), in units.
///
/// # Errors
/// A zero price or a quotient above 256 bits.
#[inline]
pub fn amount0_delta(a: U256, b: U256, liquidity: u128, round_up: bool) -> Result<U256, AmmError> {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let numerator: U256 = U256::from(liquidity) << 96;
    let result = if round_up {
        mul_div_up(numerator, high - low, high).and_then(|scaled| div_up(scaled, low))
    } else {
        mul_div(numerator, high - low, high).and_then(|scaled| scaled.checked_div(low))
    };
    result.ok_or_else(|| delta_overflow(low, high, liquidity))
}

/// Token 1 between two prices: L · (b − a) / 2^96, in units. Prices must fit 160 bits.
#[inline]
#[must_use]
pub fn amount1_delta(a: U256, b: U256, liquidity: u128, round_up: bool) -> U256 {
    let difference = if a <= b { b - a } else { a - b };
    let limbs = difference.as_limbs();
    debug_assert!(limbs[3] == 0 && limbs[2] >> 32 == 0, "prices fit 160 bits");
    let (l0, l1) = (liquidity as u64, (liquidity >> 64) as u64);
    // 128 × 160 bits: five limbs.
    let mut product = [0_u64; 5];
    for (place, factor) in [l0, l1].into_iter().enumerate() {
        let mut carry = 0_u128;
        for (index, limb) in limbs[..3].iter().enumerate() {
            let sum = u128::from(factor) * u128::from(*limb) + u128::from(product[place + index]) + carry;
            product[place + index] = sum as u64;
            carry = sum >> 64;
        }
        product[place + 3] = carry as u64;
    }
    let shifted = U256::from_limbs([
        product[1] >> 32 | product[2] << 32,
        product[2] >> 32 | product[3] << 32,
        product[3] >> 32 | product[4] << 32,
        product[4] >> 32,
    ]);
    let remains = product[0] != 0 || product[1] & 0xffff_ffff != 0;
    if round_up && remains { shifted + U256::ONE } else { shifted }
}

#[cold]
fn delta_overflow(low: U256, high: U256, liquidity: u128) -> AmmError {
    AmmError::Overflow {
        what: format!("the amount of token 0 between square-root prices {low} and {high} at liquidity {liquidity}"),
        bits: 256,
    }
}

/// The price after `amount` is paid in: token 0 lowers it, token 1 lifts it.
///
/// # Errors
/// No liquidity, or a price beyond 160 bits.
#[inline]
pub fn next_price_from_input(price: U256, liquidity: u128, amount: U256, zero_for_one: bool) -> Result<U256, AmmError> {
    if price.is_zero() || liquidity == 0 {
        return Err(AmmError::NoLiquidity(format!("price {price}, liquidity {liquidity}")));
    }
    if zero_for_one { add_token0(price, liquidity, amount) } else { add_token1(price, liquidity, amount) }
}

/// The price after `amount` is taken out: token 1 lowers it, token 0 lifts it.
///
/// # Errors
/// No liquidity, more than the liquidity holds, or a price beyond 160 bits.
#[inline]
pub fn next_price_from_output(
    price: U256,
    liquidity: u128,
    amount: U256,
    zero_for_one: bool,
) -> Result<U256, AmmError> {
    if price.is_zero() || liquidity == 0 {
        return Err(AmmError::NoLiquidity(format!("price {price}, liquidity {liquidity}")));
    }
    if zero_for_one { remove_token1(price, liquidity, amount) } else { remove_token0(price, liquidity, amount) }
}

#[inline]
fn add_token0(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    if amount.is_zero() {
        return Ok(price);
    }
    let numerator: U256 = U256::from(liquidity) << 96;
    if let Some(product) = amount.checked_mul(price)
        && let Some(denominator) = numerator.checked_add(product)
    {
        // At most the price itself, since the denominator is at least the numerator.
        return mul_div_up(numerator, price, denominator).ok_or_else(|| price_overflow(price, liquidity, amount));
    }
    let denominator = (numerator / price).checked_add(amount);
    denominator
        .and_then(|denominator| div_up(numerator, denominator))
        .ok_or_else(|| price_overflow(price, liquidity, amount))
}

#[inline]
fn remove_token0(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    if amount.is_zero() {
        return Ok(price);
    }
    let numerator: U256 = U256::from(liquidity) << 96;
    amount
        .checked_mul(price)
        .filter(|product| *product < numerator)
        .and_then(|product| mul_div_up(numerator, price, numerator - product))
        .filter(|next| *next <= MAX_UINT160)
        .ok_or_else(|| exhausted(0, price, liquidity, amount))
}

#[inline]
fn add_token1(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    quotient_of_token1(liquidity, amount, false)
        .and_then(|quotient| price.checked_add(quotient))
        .filter(|next| *next <= MAX_UINT160)
        .ok_or_else(|| price_overflow(price, liquidity, amount))
}

#[inline]
fn remove_token1(price: U256, liquidity: u128, amount: U256) -> Result<U256, AmmError> {
    quotient_of_token1(liquidity, amount, true)
        .filter(|quotient| *quotient < price)
        .map(|quotient| price - quotient)
        .ok_or_else(|| exhausted(1, price, liquidity, amount))
}

#[inline]
fn quotient_of_token1(liquidity: u128, amount: U256, round_up: bool) -> Option<U256> {
    let divisor = U256::from(liquidity);
    let (quotient, remainder) = if amount <= MAX_UINT160 {
        amount.wrapping_shl(96).div_rem(divisor)
    } else {
        mul_div_rem(amount, U256::ONE << 96, divisor)?
    };
    if round_up && !remainder.is_zero() { quotient.checked_add(U256::ONE) } else { Some(quotient) }
}

#[cold]
fn price_overflow(price: U256, liquidity: u128, amount: U256) -> AmmError {
    AmmError::Overflow {
        what: format!("the square-root price after {amount} in, from {price} at liquidity {liquidity}"),
        bits: 160,
    }
}

#[cold]
fn exhausted(token: u8, price: U256, liquidity: u128, amount: U256) -> AmmError {
    AmmError::NoLiquidity(format!("{amount} of token {token} exceed what liquidity {liquidity} holds at price {price}"))
}
