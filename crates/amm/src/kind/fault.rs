//! Unsigned 256-bit steps that refuse what the contract's compiler refuses: a value that
//! leaves 256 bits, a difference below zero, a division by zero.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::narrow;

/// Why a step of a contract reverts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Above 2^256 − 1.
    Overflow,
    /// Below zero.
    Negative,
    /// A divisor of zero.
    Division,
    /// An iteration that does not settle.
    Endless,
    /// A value outside the range that the contract asserts.
    Unsafe {
        /// What was checked.
        what: &'static str,
        /// Its value.
        value: U256,
        /// The bound that it passes.
        limit: U256,
    },
}

impl Fault {
    /// The fault as an error; `what` names the computation with its values.
    pub(crate) fn explain(self, what: impl FnOnce() -> String) -> AmmError {
        match self {
            Self::Overflow => AmmError::Overflow { what: what(), bits: 256 },
            Self::Negative => AmmError::Underflow { what: what() },
            Self::Division => AmmError::NoLiquidity(format!("{} divides by zero", what())),
            Self::Endless => AmmError::NoConvergence { what: what() },
            Self::Unsafe { what, value, limit } => AmmError::Limit { what, value, limit },
        }
    }
}

#[inline]
pub(crate) fn add(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_add(b).ok_or(Fault::Overflow)
}

#[inline]
pub(crate) fn sub(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_sub(b).ok_or(Fault::Negative)
}

#[inline]
pub(crate) fn mul(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_mul(b).ok_or(Fault::Overflow)
}

#[inline]
pub(crate) fn div(a: U256, b: U256) -> Result<U256, Fault> {
    if b.is_zero() { Err(Fault::Division) } else { Ok(a / b) }
}

/// `floor(a · b / divisor)` whose product must fit 256 bits, as in the contracts.
#[inline]
pub(crate) fn scale(a: U256, b: U256, divisor: U256) -> Result<U256, Fault> {
    if let (Ok(a), Ok(b), Ok(divisor)) = (u128::try_from(a), u128::try_from(b), u128::try_from(divisor))
        && let Some(quotient) = narrow::mul_div(a, b, divisor)
    {
        return Ok(U256::from(quotient));
    }
    div(mul(a, b)?, divisor)
}
