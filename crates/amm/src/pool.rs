//! The closed set of pool kinds and the operations they share.

use ruint::aliases::U256;

use crate::context::{Context, MarginalPrice, Quote};
use crate::error::AmmError;
use crate::kind::{CurveCrypto, CurveMeta, CurveStable, UniswapV2};
use crate::pool_kind::{PoolKind, Proof};

/// A pool of any kind with its state. Tokens are addressed by their index in the pool.
#[derive(Debug, Clone, PartialEq)]
pub enum Pool {
    /// Uniswap V2 and its forks.
    UniswapV2(UniswapV2),
    /// Curve StableSwap with plain tokens.
    CurvePlain(CurveStable),
    /// Curve StableSwap with rate-bearing tokens.
    CurveLending(CurveStable),
    /// Curve StableSwap over a base pool.
    CurveMeta(CurveMeta),
    /// Curve StableSwap-NG.
    CurveNg(CurveStable),
    /// Curve CryptoSwap with two coins.
    CurveCryptoTwo(CurveCrypto),
    /// Curve CryptoSwap with three coins.
    CurveCryptoThree(CurveCrypto),
}

impl Pool {
    /// What the pool is.
    #[must_use]
    pub fn kind(&self) -> PoolKind {
        match self {
            Self::UniswapV2(_) => PoolKind::UniswapV2,
            Self::CurvePlain(_) => PoolKind::CurvePlain,
            Self::CurveLending(_) => PoolKind::CurveLending,
            Self::CurveMeta(_) => PoolKind::CurveMeta,
            Self::CurveNg(_) => PoolKind::CurveNg,
            Self::CurveCryptoTwo(_) => PoolKind::CurveCryptoTwo,
            Self::CurveCryptoThree(_) => PoolKind::CurveCryptoThree,
        }
    }

    /// What answers of this pool were compared with: its kind's proof, except that a Curve
    /// contract of a generation without recorded answers is unproven in every kind.
    #[must_use]
    pub fn proof(&self) -> Proof {
        match self {
            Self::CurvePlain(pool) => pool.generation.proof(),
            Self::CurveMeta(pool) => pool.base().generation.proof(),
            Self::CurveCryptoThree(pool) => pool.generation.proof(),
            _ => self.kind().proof(),
        }
    }

    /// Tokens of the pool.
    #[must_use]
    pub fn token_count(&self) -> usize {
        match self {
            Self::UniswapV2(pool) => pool.token_count(),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => pool.token_count(),
            Self::CurveMeta(pool) => pool.token_count(),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => pool.token_count(),
        }
    }

    /// What `amount_in` of `token_in` buys; the state does not change.
    ///
    /// # Errors
    /// What the contract would revert with.
    pub fn quote_exact_in(
        &self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.quote_exact_in(token_in, token_out, amount_in, context)
            }
            Self::CurveMeta(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => {
                pool.quote_exact_in(token_in, token_out, amount_in, context)
            }
        }
    }

    /// What buys `amount_out` of `token_out`; the state does not change. Where the
    /// contract has no such swap: the least input whose quote reaches the output.
    ///
    /// # Errors
    /// What the contract would revert with.
    pub fn quote_exact_out(
        &self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.quote_exact_out(token_in, token_out, amount_out, context)
            }
            Self::CurveMeta(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => {
                pool.quote_exact_out(token_in, token_out, amount_out, context)
            }
        }
    }

    /// Swaps an exact input and moves the state.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_in(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_in: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.swap_exact_in(token_in, token_out, amount_in, context)
            }
            Self::CurveMeta(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => {
                pool.swap_exact_in(token_in, token_out, amount_in, context)
            }
        }
    }

    /// Swaps for an exact output and moves the state.
    ///
    /// # Errors
    /// As the quote; the state is then unchanged.
    pub fn swap_exact_out(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount_out: U256,
        context: &Context,
    ) -> Result<Quote, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.swap_exact_out(token_in, token_out, amount_out, context)
            }
            Self::CurveMeta(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => {
                pool.swap_exact_out(token_in, token_out, amount_out, context)
            }
        }
    }

    /// The price of an infinitely small swap.
    ///
    /// # Errors
    /// An empty pool.
    pub fn marginal_price(
        &self,
        token_in: usize,
        token_out: usize,
        context: &Context,
    ) -> Result<MarginalPrice, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.marginal_price(token_in, token_out, context)
            }
            Self::CurveMeta(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => {
                pool.marginal_price(token_in, token_out, context)
            }
        }
    }

    /// The largest input the pool can take.
    ///
    /// # Errors
    /// An empty pool.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.max_in(token_in, token_out, context),
            Self::CurvePlain(pool) | Self::CurveLending(pool) | Self::CurveNg(pool) => {
                pool.max_in(token_in, token_out, context)
            }
            Self::CurveMeta(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveCryptoTwo(pool) | Self::CurveCryptoThree(pool) => pool.max_in(token_in, token_out, context),
        }
    }
}
