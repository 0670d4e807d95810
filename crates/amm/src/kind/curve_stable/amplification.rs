//! The amplification coefficient A and its ramps.

use ruint::aliases::U256;

use crate::context::Context;
use crate::error::AmmError;
use crate::kind::checked::{Fault, add, div, mul, sub};

/// The amplification as the contract stores it, in its own units (A, or 100 · A in later
/// generations): it moves linearly from `initial` to `future` between two times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Amplification {
    /// A at `initial_time`.
    pub initial: U256,
    /// A from `future_time` on.
    pub future: U256,
    /// Start of the ramp, in seconds since 1970 (UTC).
    pub initial_time: u64,
    /// End of the ramp; 0 where A never moved.
    pub future_time: u64,
}

impl Amplification {
    /// An A that does not ramp.
    #[must_use]
    pub fn fixed(value: U256) -> Self {
        Self { initial: value, future: value, initial_time: 0, future_time: 0 }
    }

    /// A at the block of the context (`_A` of the contracts).
    ///
    /// # Errors
    /// A block before the ramp began, or a ramp and no timestamp.
    #[inline]
    pub fn at(&self, context: &Context) -> Result<U256, AmmError> {
        let now = context.timestamp;
        if now >= self.future_time {
            return Ok(self.future);
        }
        if now == 0 {
            return Err(AmmError::Missing("the block's timestamp, which the ramp of A needs"));
        }
        self.ramped(now).map_err(|fault| {
            fault.explain(|| format!("the ramp of A from {} to {} at {now}", self.initial_time, self.future_time))
        })
    }

    fn ramped(&self, now: u64) -> Result<U256, Fault> {
        let (now, start, end) = (U256::from(now), U256::from(self.initial_time), U256::from(self.future_time));
        let (passed, whole) = (sub(now, start)?, sub(end, start)?);
        if self.future > self.initial {
            add(self.initial, div(mul(self.future - self.initial, passed)?, whole)?)
        } else {
            sub(self.initial, div(mul(self.initial - self.future, passed)?, whole)?)
        }
    }
}
