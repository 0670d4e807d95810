//! The pool kinds: one file each, and the lists of them.
//!
//! Every kind is a struct with the same methods: `token_count`, `quote_exact_in`,
//! `quote_exact_out`, `swap_exact_in`, `swap_exact_out`, `marginal_price` and `max_in`,
//! each taking the indices of the token paid in and of the token received. Adding one is
//! its file and its lines here: the names, the proof, the variants and their arms.

pub mod balancer;
pub mod balancer_stable;
pub mod balancer_weighted;
mod checked;
pub mod curve_crypto;
pub mod curve_meta;
pub mod curve_stable;
mod search;
pub mod slipstream;
pub mod solidly;
pub(crate) mod state;
pub mod uniswap_v2;
pub mod uniswap_v3;
pub mod uniswap_v4;
pub mod wrapped_native;

use std::fmt;
use std::str::FromStr;

use ruint::aliases::U256;

use crate::concentrated::{Amount, Core, Swapped};
use crate::context::{Context, MarginalPrice, Quote};
use crate::error::AmmError;

pub use balancer_stable::BalancerStable;
pub use balancer_weighted::BalancerWeighted;
pub use curve_crypto::CurveCrypto;
pub use curve_meta::CurveMeta;
pub use curve_stable::CurveStable;
pub use slipstream::Slipstream;
pub use solidly::Solidly;
pub use uniswap_v2::UniswapV2;
pub use uniswap_v3::UniswapV3;
pub use uniswap_v4::UniswapV4;
pub use wrapped_native::WrappedNative;

/// What a pool is, by the maths of its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum PoolKind {
    /// Uniswap V2 and its forks, any fee.
    UniswapV2,
    /// Uniswap V3 and its forks.
    UniswapV3,
    /// Pancake V3: the V3 maths with its own protocol fee.
    PancakeV3,
    /// Uniswap V4 without hooks.
    UniswapV4,
    /// Velodrome and Aerodrome Slipstream.
    Slipstream,
    /// Solidly family, volatile: constant product, fee taken out of the reserves.
    SolidlyVolatile,
    /// Solidly family, stable: x³y + y³x.
    SolidlyStable,
    /// Curve StableSwap with plain tokens.
    CurvePlain,
    /// Curve StableSwap with rate-bearing (lending) tokens.
    CurveLending,
    /// Curve StableSwap over the LP token of a base pool.
    CurveMeta,
    /// Curve StableSwap-NG: rate oracles and a dynamic fee.
    CurveNg,
    /// Curve CryptoSwap with two coins.
    CurveCryptoTwo,
    /// Curve CryptoSwap with three coins (tricrypto).
    CurveCryptoThree,
    /// Balancer V2 weighted, two to eight tokens.
    BalancerWeighted,
    /// Balancer V2 (meta-)stable.
    BalancerStable,
    /// Balancer V2 composable stable, with its own pool token among the tokens.
    BalancerComposableStable,
    /// The wrapped native coin, one for one.
    WrappedNative,
}

/// What our answers for a kind were compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// Recorded answers or bytecode of the deployed contracts.
    Contract,
    /// Only an independent implementation: shown as `unproven` and refused live.
    Unproven,
}

/// A name that is no pool kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is no pool kind; the kinds are {}", PoolKind::ALL.map(PoolKind::name).join(", "))]
pub struct UnknownKind {
    name: String,
}

impl PoolKind {
    /// Every kind.
    pub const ALL: [Self; 17] = [
        Self::UniswapV2,
        Self::UniswapV3,
        Self::PancakeV3,
        Self::UniswapV4,
        Self::Slipstream,
        Self::SolidlyVolatile,
        Self::SolidlyStable,
        Self::CurvePlain,
        Self::CurveLending,
        Self::CurveMeta,
        Self::CurveNg,
        Self::CurveCryptoTwo,
        Self::CurveCryptoThree,
        Self::BalancerWeighted,
        Self::BalancerStable,
        Self::BalancerComposableStable,
        Self::WrappedNative,
    ];

    /// The name used in state files, options and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::UniswapV2 => "uniswap-v2",
            Self::UniswapV3 => "uniswap-v3",
            Self::PancakeV3 => "pancake-v3",
            Self::UniswapV4 => "uniswap-v4",
            Self::Slipstream => "slipstream",
            Self::SolidlyVolatile => "solidly-volatile",
            Self::SolidlyStable => "solidly-stable",
            Self::CurvePlain => "curve-plain",
            Self::CurveLending => "curve-lending",
            Self::CurveMeta => "curve-meta",
            Self::CurveNg => "curve-ng",
            Self::CurveCryptoTwo => "curve-crypto-two",
            Self::CurveCryptoThree => "curve-crypto-three",
            Self::BalancerWeighted => "balancer-weighted",
            Self::BalancerStable => "balancer-stable",
            Self::BalancerComposableStable => "balancer-composable-stable",
            Self::WrappedNative => "wrapped-native",
        }
    }

    /// What the kind was compared with (R10).
    #[must_use]
    pub fn proof(self) -> Proof {
        match self {
            Self::CurveLending | Self::CurveNg | Self::CurveCryptoTwo => Proof::Unproven,
            _ => Proof::Contract,
        }
    }
}

impl fmt::Display for PoolKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PoolKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind { name: name.to_owned() })
    }
}

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
    /// The wrapped native coin.
    WrappedNative(WrappedNative),
}

impl Pool {
    /// Reads the state of a pool of this kind from JSON.
    ///
    /// # Errors
    /// Text that is no state of the kind, with the field and its value.
    pub(crate) fn decode(text: &str, kind: PoolKind) -> Result<Self, state::SnapshotError> {
        use state::{balancer, concentrated, curve, solidly, uniswap_v2};
        Ok(match kind {
            PoolKind::UniswapV2 => Self::UniswapV2(uniswap_v2::decode(text)?),
            PoolKind::WrappedNative => Self::WrappedNative(WrappedNative::decode(text)?),
            PoolKind::UniswapV3 | PoolKind::PancakeV3 | PoolKind::UniswapV4 | PoolKind::Slipstream => {
                concentrated::decode(text, kind)?
            }
            PoolKind::SolidlyVolatile => Self::Solidly(solidly::decode(text, false)?),
            PoolKind::SolidlyStable => Self::Solidly(solidly::decode(text, true)?),
            PoolKind::BalancerStable => Self::BalancerStable(balancer::decode_stable(text, false)?),
            PoolKind::BalancerComposableStable => Self::BalancerStable(balancer::decode_stable(text, true)?),
            PoolKind::BalancerWeighted => Self::BalancerWeighted(balancer::decode_weighted(text)?),
            kind @ (PoolKind::CurvePlain
            | PoolKind::CurveLending
            | PoolKind::CurveMeta
            | PoolKind::CurveNg
            | PoolKind::CurveCryptoTwo
            | PoolKind::CurveCryptoThree) => curve::decode(text, kind)?,
        })
    }

    /// What the pool is.
    #[must_use]
    pub fn kind(&self) -> PoolKind {
        match self {
            Self::UniswapV2(_) => PoolKind::UniswapV2,
            Self::UniswapV3(pool) => match pool.protocol_fee {
                uniswap_v3::ProtocolFee::Divisor(_) => PoolKind::UniswapV3,
                uniswap_v3::ProtocolFee::PerTenThousand(_) => PoolKind::PancakeV3,
            },
            Self::UniswapV4(_) => PoolKind::UniswapV4,
            Self::Slipstream(_) => PoolKind::Slipstream,
            Self::BalancerWeighted(_) => PoolKind::BalancerWeighted,
            Self::Solidly(pool) if pool.curve() == solidly::Curve::Volatile => PoolKind::SolidlyVolatile,
            Self::Solidly(_) => PoolKind::SolidlyStable,
            Self::BalancerStable(pool) if pool.pool_token().is_some() => PoolKind::BalancerComposableStable,
            Self::BalancerStable(_) => PoolKind::BalancerStable,
            Self::CurvePlain(_) => PoolKind::CurvePlain,
            Self::CurveLending(_) => PoolKind::CurveLending,
            Self::CurveMeta(_) => PoolKind::CurveMeta,
            Self::CurveNg(_) => PoolKind::CurveNg,
            Self::CurveCryptoTwo(_) => PoolKind::CurveCryptoTwo,
            Self::CurveCryptoThree(_) => PoolKind::CurveCryptoThree,
            Self::WrappedNative(_) => PoolKind::WrappedNative,
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
            Self::Solidly(pool)
                if matches!(pool.curve(), solidly::Curve::Stable { solver: solidly::Solver::Solidly, .. }) =>
            {
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
            Self::WrappedNative(pool) => pool.token_count(),
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
            Self::WrappedNative(pool) => pool.quote_exact_in(token_in, token_out, amount_in, context),
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
            Self::WrappedNative(pool) => pool.quote_exact_out(token_in, token_out, amount_out, context),
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
            Self::WrappedNative(pool) => pool.swap_exact_in(token_in, token_out, amount_in, context),
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
            Self::WrappedNative(pool) => pool.swap_exact_out(token_in, token_out, amount_out, context),
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
            Self::WrappedNative(pool) => pool.marginal_price(token_in, token_out, context),
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
            Self::WrappedNative(pool) => pool.max_in(token_in, token_out, context),
        }
    }
}
