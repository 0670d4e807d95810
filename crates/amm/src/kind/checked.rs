//! 256-bit arithmetic that fails where the contract reverts, with the values in the error.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::Divider;

/// By one in 18 decimals.
const E18: Divider = Divider::new(1_000_000_000_000_000_000);

#[inline]
pub(crate) fn product(a: U256, b: U256) -> Result<U256, AmmError> {
    a.checked_mul(b).ok_or_else(|| overflow(format!("{a} · {b}")))
}

#[inline]
pub(crate) fn sum(a: U256, b: U256) -> Result<U256, AmmError> {
    a.checked_add(b).ok_or_else(|| overflow(format!("{a} + {b}")))
}

#[inline]
pub(crate) fn difference(a: U256, b: U256) -> Result<U256, AmmError> {
    a.checked_sub(b).ok_or_else(|| below_zero(a, b))
}

/// `floor(a / b)` of plain integers, in native ones where both fit.
#[inline]
pub(crate) fn divide(a: U256, b: U256) -> U256 {
    match (native(a), native(b)) {
        (Some(a), Some(b)) => U256::from(a / b),
        _ => a / b,
    }
}

/// `ceil(a / b)` of plain integers.
#[inline]
pub(crate) fn ceil(a: U256, b: U256) -> U256 {
    if a.is_zero() { a } else { divide(a - U256::ONE, b) + U256::ONE }
}

#[inline]
fn native(value: U256) -> Option<u128> {
    let limbs = value.as_limbs();
    (limbs[2] | limbs[3] == 0).then(|| u128::from(limbs[0]) | u128::from(limbs[1]) << 64)
}

#[cold]
pub(crate) fn overflow(what: String) -> AmmError {
    AmmError::Overflow { what, bits: 256 }
}

#[cold]
pub(crate) fn below_zero(a: U256, b: U256) -> AmmError {
    AmmError::Underflow { what: format!("{a} − {b}") }
}

/// `floor(a / 10^18)`.
#[inline]
pub(crate) fn unscale(a: U256) -> U256 {
    E18.divide(a)
}

/// `ceil(a / 10^18)`.
#[inline]
pub(crate) fn unscale_up(a: U256) -> U256 {
    if a.is_zero() { a } else { unscale(a - U256::ONE) + U256::ONE }
}
