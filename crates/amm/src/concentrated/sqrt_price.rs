//! Amounts between two square-root prices, and the price an amount leads to.
//!
//! Source: `SqrtPriceMath` of Uniswap v3-core, with its rounding: what the pool receives
//! is rounded up, what it pays down, and the price never moves further than paid for.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::{div_up, divide_limbs, mul_div_rem, mul_div_up, product_2x3, product_3x3};

/// 2^160 − 1: the largest price the contract stores.
pub(crate) const MAX_UINT160: U256 = U256::from_limbs([u64::MAX, u64::MAX, 0xffff_ffff, 0]);

/// Token 0 between two prices: L · 2^96 · (b − a) / (b · a), in units. Prices must fit
/// 160 bits.
///
/// The contract divides by one price and then by the other; rounding twice in one
/// direction is rounding once after the division by their product, which is what happens
/// here.
///
/// # Errors
/// A zero price or a quotient above 256 bits.
#[inline]
pub fn amount0_delta(a: U256, b: U256, liquidity: u128, round_up: bool) -> Result<U256, AmmError> {
    let (low, high) = if a <= b { (a, b) } else { (b, a) };
    let difference = high - low;
    if low.is_zero() {
        return Err(delta_overflow(low, high, liquidity));
    }
    let product = product_2x3(liquidity, limbs_160(difference));
    // Times 2^96: one limb and a half.
    let mut numerator = [0; 7];
    numerator[1] = product[0] << 32;
    for place in 1..5 {
        numerator[place + 1] = product[place] << 32 | product[place - 1] >> 32;
    }
    numerator[6] = product[4] >> 32;
    let mut divisor = product_3x3(limbs_160(low), limbs_160(high));
    divide_limbs(&mut numerator, &mut divisor);
    if numerator[4] != 0 || numerator[5] != 0 || numerator[6] != 0 {
        return Err(delta_overflow(low, high, liquidity));
    }
    let quotient = U256::from_limbs([numerator[0], numerator[1], numerator[2], numerator[3]]);
    if round_up && divisor.iter().any(|limb| *limb != 0) {
        return quotient.checked_add(U256::ONE).ok_or_else(|| delta_overflow(low, high, liquidity));
    }
    Ok(quotient)
}

/// The limbs of a price; bits above 160 are the caller's mistake and are dropped.
#[inline]
fn limbs_160(price: U256) -> [u64; 3] {
    let [low, middle, high, _] = price.into_limbs();
    [low, middle, high]
}

/// Token 1 between two prices: L · (b − a) / 2^96, in units. Prices must fit 160 bits.
#[inline]
#[must_use]
pub fn amount1_delta(a: U256, b: U256, liquidity: u128, round_up: bool) -> U256 {
    let difference = if a <= b { b - a } else { a - b };
    let product = product_2x3(liquidity, limbs_160(difference));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::integer::mul_div;

    fn price() -> impl Strategy<Value = U256> {
        (32usize..160, any::<[u64; 3]>()).prop_map(|(bits, limbs)| {
            (U256::from_limbs([limbs[0], limbs[1], limbs[2], 0]) & ((U256::ONE << bits) - U256::ONE)).max(U256::ONE)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        /// The contract's two divisions, written out.
        #[test]
        fn one_division_rounds_like_two(a in price(), b in price(), bits in 0u32..=127, liquidity: u128) {
            let liquidity = liquidity >> bits;
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            let numerator: U256 = U256::from(liquidity) << 96;
            let down = mul_div(numerator, high - low, high).map(|scaled| scaled / low);
            let up = mul_div_up(numerator, high - low, high).and_then(|scaled| div_up(scaled, low));
            prop_assert_eq!(amount0_delta(a, b, liquidity, false).ok(), down);
            prop_assert_eq!(amount0_delta(a, b, liquidity, true).ok(), up);
            let q96: U256 = U256::ONE << 96;
            prop_assert_eq!(Some(amount1_delta(a, b, liquidity, false)), mul_div(U256::from(liquidity), high - low, q96));
            prop_assert_eq!(Some(amount1_delta(a, b, liquidity, true)), mul_div_up(U256::from(liquidity), high - low, q96));
        }
    }
}
