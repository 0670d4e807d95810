//! Amounts of the two tokens of a pool.

use assay_amm::{U256, integer};
use serde::{Deserialize, Serialize};

/// Amounts of token 0 and token 1 in their smallest units; decimal text in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Amounts {
    /// Of token 0.
    #[serde(with = "integer::json")]
    pub amount0: U256,
    /// Of token 1.
    #[serde(with = "integer::json")]
    pub amount1: U256,
}

impl Amounts {
    /// Nothing.
    pub const ZERO: Self = Self { amount0: U256::ZERO, amount1: U256::ZERO };

    /// Both amounts, token 0 first.
    #[must_use]
    pub const fn pair(self) -> [U256; 2] {
        [self.amount0, self.amount1]
    }

    /// Whether both are zero.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.amount0.is_zero() && self.amount1.is_zero()
    }

    /// The sum, when it fits 256 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let amount0 = self.amount0.checked_add(other.amount0)?;
        Some(Self { amount0, amount1: self.amount1.checked_add(other.amount1)? })
    }

    /// The difference, when neither is negative.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let amount0 = self.amount0.checked_sub(other.amount0)?;
        Some(Self { amount0, amount1: self.amount1.checked_sub(other.amount1)? })
    }
}

impl From<[U256; 2]> for Amounts {
    fn from([amount0, amount1]: [U256; 2]) -> Self {
        Self { amount0, amount1 }
    }
}

impl std::fmt::Display for Amounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} / {}", self.amount0, self.amount1)
    }
}
