//! The pools that can be replayed, behind one set of operations.

use ruint::aliases::U256;

use crate::concentrated::{Amount, Core, PositionKey, Swapped};
use crate::context::Context;
use crate::error::AmmError;
use crate::kind::{Slipstream, UniswapV3};

/// The pools that can be replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayPool {
    /// Uniswap V3 and its forks.
    V3(UniswapV3),
    /// Slipstream.
    Slipstream(Slipstream),
}

impl ReplayPool {
    /// Price, liquidity, ticks and positions.
    #[must_use]
    pub fn core(&self) -> &Core {
        match self {
            Self::V3(pool) => &pool.core,
            Self::Slipstream(pool) => &pool.core,
        }
    }

    /// The same, to change.
    pub fn core_mut(&mut self) -> &mut Core {
        match self {
            Self::V3(pool) => &mut pool.core,
            Self::Slipstream(pool) => &mut pool.core,
        }
    }

    /// Adds liquidity to a position and returns the tokens it takes.
    ///
    /// # Errors
    /// As the pool's own.
    pub fn mint(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        match self {
            Self::V3(pool) => pool.mint(key, liquidity),
            Self::Slipstream(pool) => pool.mint(key, liquidity),
        }
    }

    /// Takes liquidity out of a position; the tokens are then owed to it.
    ///
    /// # Errors
    /// As the pool's own.
    pub fn burn(&mut self, key: PositionKey, liquidity: u128) -> Result<[U256; 2], AmmError> {
        match self {
            Self::V3(pool) => pool.burn(key, liquidity),
            Self::Slipstream(pool) => pool.burn(key, liquidity),
        }
    }

    /// Pays out up to `amounts` of what a position is owed.
    pub fn collect(&mut self, key: &PositionKey, amounts: [u128; 2]) -> [u128; 2] {
        match self {
            Self::V3(pool) => pool.collect(key, amounts),
            Self::Slipstream(pool) => pool.collect(key, amounts),
        }
    }

    /// The pool's swap with a price limit; the state moves only when `accept` agrees.
    ///
    /// # Errors
    /// As the pool's own.
    #[inline]
    pub fn swap_if(
        &mut self,
        zero_for_one: bool,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
        accept: impl FnOnce(&Swapped) -> bool,
    ) -> Result<Swapped, AmmError> {
        let token_in = usize::from(!zero_for_one);
        match self {
            Self::V3(pool) => pool.swap_if(token_in, 1 - token_in, amount, sqrt_price_limit_x96, context, accept),
            Self::Slipstream(pool) => {
                pool.swap_if(token_in, 1 - token_in, amount, sqrt_price_limit_x96, context, accept)
            }
        }
    }

    /// A flash loan of `amounts` that was paid back with `paid` on top.
    ///
    /// # Errors
    /// As the pool's own.
    pub fn flash(&mut self, amounts: [U256; 2], paid: [U256; 2], context: &Context) -> Result<(), AmmError> {
        match self {
            Self::V3(pool) => pool.flash(amounts, paid),
            Self::Slipstream(pool) => pool.flash(amounts, paid, context),
        }
    }
}
