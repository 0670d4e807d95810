//! The closed set of pool kinds and the operations they share.

use ruint::aliases::U256;

use crate::concentrated::{Amount, Core, Swapped};
use crate::context::{Context, MarginalPrice, Quote};
use crate::error::AmmError;
use crate::kind::solidly::{Curve, Solver};
use crate::kind::uniswap_v3::ProtocolFee;
use crate::kind::{
    BalancerStable, BalancerWeighted, CurveCrypto, CurveMeta, CurveStable, Slipstream, Solidly, UniswapV2, UniswapV3,
    UniswapV4,
};
use crate::pool_kind::{PoolKind, Proof};

/// A pool of any kind with its state. Tokens are addressed by their index in the pool.
#[derive(Debug, Clone, PartialEq)]
pub enum Pool {
    /// Uniswap V2 and its forks.
    UniswapV2(UniswapV2),
    /// Uniswap V3 and its forks, Pancake V3 among them.
    UniswapV3(UniswapV3),
    /// Uniswap V4 without hooks.
    UniswapV4(UniswapV4),
    /// Velodrome and Aerodrome Slipstream.
    Slipstream(Slipstream),
    /// Balancer V2 weighted.
    BalancerWeighted(BalancerWeighted),
    /// Solidly family, volatile or stable.
    Solidly(Solidly),
    /// Balancer V2 meta-stable, or composable stable with its own token.
    BalancerStable(BalancerStable),
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
            Self::UniswapV3(pool) => match pool.protocol_fee {
                ProtocolFee::Divisor(_) => PoolKind::UniswapV3,
                ProtocolFee::PerTenThousand(_) => PoolKind::PancakeV3,
            },
            Self::UniswapV4(_) => PoolKind::UniswapV4,
            Self::Slipstream(_) => PoolKind::Slipstream,
            Self::BalancerWeighted(_) => PoolKind::BalancerWeighted,
            Self::Solidly(pool) if pool.curve() == Curve::Volatile => PoolKind::SolidlyVolatile,
            Self::Solidly(_) => PoolKind::SolidlyStable,
            Self::BalancerStable(pool) if pool.pool_token().is_some() => PoolKind::BalancerComposableStable,
            Self::BalancerStable(_) => PoolKind::BalancerStable,
            Self::CurvePlain(_) => PoolKind::CurvePlain,
            Self::CurveLending(_) => PoolKind::CurveLending,
            Self::CurveMeta(_) => PoolKind::CurveMeta,
            Self::CurveNg(_) => PoolKind::CurveNg,
            Self::CurveCryptoTwo(_) => PoolKind::CurveCryptoTwo,
            Self::CurveCryptoThree(_) => PoolKind::CurveCryptoThree,
        }
    }

    /// What answers of this pool were compared with (R10): its kind's proof, except where a
    /// variant of the contract has no recorded answers.
    #[must_use]
    pub fn proof(&self) -> Proof {
        match self {
            Self::CurvePlain(pool) => pool.generation.proof(),
            Self::CurveMeta(pool) => pool.base().generation.proof(),
            Self::CurveCryptoThree(pool) => pool.generation.proof(),
            Self::Solidly(pool) if matches!(pool.curve(), Curve::Stable { solver: Solver::Solidly, .. }) => {
                Proof::Unproven
            }
            _ => self.kind().proof(),
        }
    }

    /// Tokens of the pool.
    #[must_use]
    pub fn token_count(&self) -> usize {
        match self {
            Self::UniswapV2(pool) => pool.token_count(),
            Self::UniswapV3(pool) => pool.token_count(),
            Self::UniswapV4(pool) => pool.token_count(),
            Self::Slipstream(pool) => pool.token_count(),
            Self::BalancerWeighted(pool) => pool.token_count(),
            Self::Solidly(pool) => pool.token_count(),
            Self::BalancerStable(pool) => pool.token_count(),
            Self::CurvePlain(pool) => pool.token_count(),
            Self::CurveLending(pool) => pool.token_count(),
            Self::CurveMeta(pool) => pool.token_count(),
            Self::CurveNg(pool) => pool.token_count(),
            Self::CurveCryptoTwo(pool) => pool.token_count(),
            Self::CurveCryptoThree(pool) => pool.token_count(),
        }
    }

    /// Price, liquidity and ticks, for the concentrated kinds.
    #[must_use]
    pub fn core(&self) -> Option<&Core> {
        match self {
            Self::UniswapV3(pool) => Some(&pool.core),
            Self::UniswapV4(pool) => Some(&pool.core),
            Self::Slipstream(pool) => Some(&pool.core),
            _ => None,
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
            Self::UniswapV3(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::UniswapV4(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::Slipstream(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::BalancerWeighted(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::Solidly(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::BalancerStable(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurvePlain(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveLending(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveMeta(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveNg(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoTwo(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoThree(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
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
            Self::UniswapV3(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::UniswapV4(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::Slipstream(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::BalancerWeighted(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::Solidly(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::BalancerStable(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurvePlain(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveLending(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveMeta(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveNg(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoTwo(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoThree(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
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
            Self::UniswapV3(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::UniswapV4(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::Slipstream(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::BalancerWeighted(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::Solidly(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::BalancerStable(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurvePlain(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveLending(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveMeta(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveNg(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoTwo(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
            Self::CurveCryptoThree(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
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
            Self::UniswapV3(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::UniswapV4(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::Slipstream(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::BalancerWeighted(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::Solidly(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::BalancerStable(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurvePlain(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveLending(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveMeta(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveNg(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoTwo(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
            Self::CurveCryptoThree(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
        }
    }

    /// The contract's swap with a price limit, without moving the state.
    ///
    /// # Errors
    /// A kind without price limits, or what the contract would revert with.
    pub fn quote_limited(
        &self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Swapped, AmmError> {
        match self {
            Self::UniswapV3(pool) => pool.quote_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            Self::UniswapV4(pool) => pool.quote_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            Self::Slipstream(pool) => pool.quote_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            other => Err(AmmError::Unsupported { kind: other.kind().name(), operation: "swap with a price limit" }),
        }
    }

    /// The contract's swap with a price limit, moving the state.
    ///
    /// # Errors
    /// As [`Self::quote_limited`]; the state is then unchanged.
    pub fn swap_limited(
        &mut self,
        token_in: usize,
        token_out: usize,
        amount: Amount,
        sqrt_price_limit_x96: U256,
        context: &Context,
    ) -> Result<Swapped, AmmError> {
        match self {
            Self::UniswapV3(pool) => pool.swap_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            Self::UniswapV4(pool) => pool.swap_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            Self::Slipstream(pool) => pool.swap_limited(token_in, token_out, amount, sqrt_price_limit_x96, context),
            other => Err(AmmError::Unsupported { kind: other.kind().name(), operation: "swap with a price limit" }),
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
            Self::UniswapV3(pool) => pool.marginal_price(token_in, token_out, context),
            Self::UniswapV4(pool) => pool.marginal_price(token_in, token_out, context),
            Self::Slipstream(pool) => pool.marginal_price(token_in, token_out, context),
            Self::BalancerWeighted(pool) => pool.marginal_price(token_in, token_out, context),
            Self::Solidly(pool) => pool.marginal_price(token_in, token_out, context),
            Self::BalancerStable(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurvePlain(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveLending(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveMeta(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveNg(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveCryptoTwo(pool) => pool.marginal_price(token_in, token_out, context),
            Self::CurveCryptoThree(pool) => pool.marginal_price(token_in, token_out, context),
        }
    }

    /// The largest input the pool can take.
    ///
    /// # Errors
    /// An empty pool.
    pub fn max_in(&self, token_in: usize, token_out: usize, context: &Context) -> Result<U256, AmmError> {
        match self {
            Self::UniswapV2(pool) => pool.max_in(token_in, token_out, context),
            Self::UniswapV3(pool) => pool.max_in(token_in, token_out, context),
            Self::UniswapV4(pool) => pool.max_in(token_in, token_out, context),
            Self::Slipstream(pool) => pool.max_in(token_in, token_out, context),
            Self::BalancerWeighted(pool) => pool.max_in(token_in, token_out, context),
            Self::Solidly(pool) => pool.max_in(token_in, token_out, context),
            Self::BalancerStable(pool) => pool.max_in(token_in, token_out, context),
            Self::CurvePlain(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveLending(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveMeta(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveNg(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveCryptoTwo(pool) => pool.max_in(token_in, token_out, context),
            Self::CurveCryptoThree(pool) => pool.max_in(token_in, token_out, context),
        }
    }
}
