//! Unsigned 18-decimal fixed point with the contract's roundings and overflows.

use ruint::aliases::U256;

use super::log_exp;
use crate::error::AmmError;
use crate::kind::checked::{Fault, add, ceil, divide, mul, unscale, unscale_up};

/// One, in 18 decimals.
pub const ONE: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);

/// What the power function may be off by, relative, in 18 decimals.
pub const MAX_POW_RELATIVE_ERROR: U256 = U256::from_limbs([10_000, 0, 0, 0]);

const TWO: U256 = U256::from_limbs([2_000_000_000_000_000_000, 0, 0, 0]);
const FOUR: U256 = U256::from_limbs([4_000_000_000_000_000_000, 0, 0, 0]);

/// How a pool's contract computes powers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowVersion {
    /// Always by exponential and logarithm (the first weighted pools).
    LogExp,
    /// Exponents of one, two and four by multiplication.
    Shortcuts,
}

/// `floor(a · b)`.
///
/// # Errors
/// A product above 256 bits.
#[inline]
pub fn mul_down(a: U256, b: U256) -> Result<U256, AmmError> {
    Ok(unscale(mul(a, b)?))
}

/// `ceil(a · b)`.
///
/// # Errors
/// A product above 256 bits.
#[inline]
pub fn mul_up(a: U256, b: U256) -> Result<U256, AmmError> {
    Ok(unscale_up(mul(a, b)?))
}

/// `floor(a / b)`.
///
/// # Errors
/// A zero divisor, or `a · 10^18` above 256 bits.
#[inline]
pub fn div_down(a: U256, b: U256) -> Result<U256, AmmError> {
    if b.is_zero() {
        return Err(Fault::Division { dividend: a }.into());
    }
    Ok(divide(mul(a, ONE)?, b))
}

/// `ceil(a / b)`.
///
/// # Errors
/// A zero divisor, or `a · 10^18` above 256 bits.
#[inline]
pub fn div_up(a: U256, b: U256) -> Result<U256, AmmError> {
    if b.is_zero() {
        return Err(Fault::Division { dividend: a }.into());
    }
    Ok(ceil(mul(a, ONE)?, b))
}

/// `1 − x`, zero when `x` is above one.
#[inline]
#[must_use]
pub fn complement(x: U256) -> U256 {
    ONE.saturating_sub(x)
}

/// `x^y` rounded up, so that the result is never below the true power.
///
/// # Errors
/// Arguments outside the domain of the power function, or an overflow.
pub fn pow_up(x: U256, y: U256, version: PowVersion) -> Result<U256, AmmError> {
    if version == PowVersion::Shortcuts {
        if y == ONE {
            return Ok(x);
        }
        if y == TWO {
            return mul_up(x, x);
        }
        if y == FOUR {
            let square = mul_up(x, x)?;
            return mul_up(square, square);
        }
    }
    let raw = log_exp::pow(x, y)?;
    Ok(add(raw, max_error(raw)?)?)
}

/// `x^y` rounded down, so that the result is never above the true power.
///
/// # Errors
/// Arguments outside the domain of the power function, or an overflow.
pub fn pow_down(x: U256, y: U256, version: PowVersion) -> Result<U256, AmmError> {
    if version == PowVersion::Shortcuts {
        if y == ONE {
            return Ok(x);
        }
        if y == TWO {
            return mul_down(x, x);
        }
        if y == FOUR {
            let square = mul_down(x, x)?;
            return mul_down(square, square);
        }
    }
    let raw = log_exp::pow(x, y)?;
    Ok(raw.saturating_sub(max_error(raw)?))
}

fn max_error(raw: U256) -> Result<U256, AmmError> {
    Ok(mul_up(raw, MAX_POW_RELATIVE_ERROR)? + U256::ONE)
}
