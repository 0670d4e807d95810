//! Unsigned 256-bit steps that refuse what the contract's compiler refuses: a value that
//! leaves 256 bits, a difference below zero, a division by zero.
//!
//! A refused step costs nothing until its [`Fault`] becomes an error: as it is, with the two
//! values of the step, or with the words of a caller that knows more.

use ruint::aliases::U256;

use crate::error::AmmError;
use crate::integer::{Divider, narrow};

/// By one in 18 decimals.
const E18: Divider = Divider::new(1_000_000_000_000_000_000);

/// Why a step of a contract reverts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// `a operation b` is above 2^256 − 1.
    Overflow { a: U256, operation: char, b: U256 },
    /// `a − b` is below zero.
    Negative { a: U256, b: U256 },
    /// A divisor of zero.
    Division { dividend: U256 },
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
    #[cold]
    pub(crate) fn explain(self, what: impl FnOnce() -> String) -> AmmError {
        match self {
            Self::Overflow { .. } => AmmError::Overflow { what: what(), bits: 256 },
            Self::Negative { .. } => AmmError::Underflow { what: what() },
            Self::Division { .. } => AmmError::NoLiquidity(format!("{} divides by zero", what())),
            Self::Endless => AmmError::NoConvergence { what: what() },
            Self::Unsafe { what, value, limit } => AmmError::Limit { what, value, limit },
        }
    }
}

impl From<Fault> for AmmError {
    #[cold]
    fn from(fault: Fault) -> Self {
        fault.explain(|| match fault {
            Fault::Overflow { a, operation, b } => format!("{a} {operation} {b}"),
            Fault::Negative { a, b } => format!("{a} − {b}"),
            Fault::Division { dividend } => format!("a part of {dividend}"),
            Fault::Endless | Fault::Unsafe { .. } => "the iteration of the invariant".into(),
        })
    }
}

#[inline]
pub(crate) fn add(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_add(b).ok_or(Fault::Overflow { a, operation: '+', b })
}

#[inline]
pub(crate) fn sub(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_sub(b).ok_or(Fault::Negative { a, b })
}

#[inline]
pub(crate) fn mul(a: U256, b: U256) -> Result<U256, Fault> {
    a.checked_mul(b).ok_or(Fault::Overflow { a, operation: '·', b })
}

/// `floor(a / b)`.
#[inline]
pub(crate) fn div(a: U256, b: U256) -> Result<U256, Fault> {
    if b.is_zero() { Err(Fault::Division { dividend: a }) } else { Ok(divide(a, b)) }
}

/// `ceil(a / b)`.
#[inline]
pub(crate) fn div_ceil(a: U256, b: U256) -> Result<U256, Fault> {
    if b.is_zero() { Err(Fault::Division { dividend: a }) } else { Ok(ceil(a, b)) }
}

/// `floor(a · b / divisor)` whose product must fit 256 bits, as in the contracts.
#[inline]
pub(crate) fn scale(a: U256, b: U256, divisor: U256) -> Result<U256, Fault> {
    if let (Some(a), Some(b), Some(divisor)) = (native(a), native(b), native(divisor))
        && let Some(quotient) = narrow::mul_div(a, b, divisor)
    {
        return Ok(U256::from(quotient));
    }
    div(mul(a, b)?, divisor)
}

/// `floor(a / b)` by a divisor that is not zero, in native integers where both fit.
#[inline]
pub(crate) fn divide(a: U256, b: U256) -> U256 {
    match (native(a), native(b)) {
        (Some(a), Some(b)) => U256::from(a / b),
        _ => a / b,
    }
}

/// `ceil(a / b)` by a divisor that is not zero.
#[inline]
pub(crate) fn ceil(a: U256, b: U256) -> U256 {
    if a.is_zero() { a } else { divide(a - U256::ONE, b) + U256::ONE }
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

#[inline]
fn native(value: U256) -> Option<u128> {
    let limbs = value.as_limbs();
    (limbs[2] | limbs[3] == 0).then(|| u128::from(limbs[0]) | u128::from(limbs[1]) << 64)
}
