//! What a quote is asked under, and what it answers.

use ruint::aliases::U256;

use crate::error::AmmError;

/// The fee a swap pays, where the contract does not keep it in the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fee {
    /// The fee in the pool's state.
    #[default]
    Pool,
    /// The fee the contract read at the start of this swap, in millionths of the input
    /// (Slipstream asks its factory for it at every swap).
    Pips(u32),
}

/// The block a quote is asked for, besides the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Context {
    /// Timestamp of the block, in seconds since 1970-01-01 UTC. Kinds whose maths do not
    /// depend on time ignore it; ramps and caches need the block's own.
    pub timestamp: u64,
    /// The fee of this swap.
    pub fee: Fee,
}

impl Context {
    /// The block at `timestamp` (seconds, UTC), with the fee of the pool's state.
    #[must_use]
    pub fn at(timestamp: u64) -> Self {
        Self { timestamp, fee: Fee::Pool }
    }
}

/// What a swap takes and gives, in the smallest units of its tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quote {
    /// What the trader pays in, fee included.
    pub amount_in: U256,
    /// What the trader receives, fee deducted.
    pub amount_out: U256,
}

/// The price of an infinitely small swap: units of the token received per unit paid in.
///
/// Binary floating point, relative error below 1e-12: a guide for search and reports.
/// Amounts come from quotes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MarginalPrice {
    /// Before the fee.
    pub without_fee: f64,
    /// After the fee: what the trader gets.
    pub with_fee: f64,
}

/// Checks that two token indices name a pair of a pool of `count` tokens.
///
/// # Errors
/// The same token twice, or an index out of range.
pub fn check_pair(token_in: usize, token_out: usize, count: usize) -> Result<(), AmmError> {
    if token_in == token_out || token_in >= count || token_out >= count {
        return Err(AmmError::TokenPair { token_in, token_out, count });
    }
    Ok(())
}
