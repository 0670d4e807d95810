//! The list of pool kinds: names, and how each is proven.

use std::fmt;
use std::str::FromStr;

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
    pub const ALL: [Self; 16] = [
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
