//! Pool states as JSON files: one object per pool, at one block.
//!
//! The kind is named by `kind`; files of public test suites without it are recognised by
//! the fields that only one family has. Each kind reads its own fields.

mod blocks;

use serde::Deserialize;

use crate::context::Context;
pub use crate::kind::state::{SnapshotError, Token};
use crate::kind::{Pool, PoolKind};
pub use blocks::decode_blocks;

/// A pool with its tokens at one block.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The state.
    pub pool: Pool,
    /// Tokens in the pool's order; empty when the file names none.
    pub tokens: Vec<Token>,
    /// What a meta pool's tokens stand for: its first token and those of its base; empty
    /// for every other kind, and when the file names none.
    pub underlying: Vec<Token>,
    /// Block number, when the file says it.
    pub block: Option<u64>,
    /// The block's timestamp in seconds (UTC), when the file says it.
    pub timestamp: Option<u64>,
}

/// The fields that every family shares, and those that tell families apart.
#[derive(Deserialize)]
struct Head {
    kind: Option<String>,
    block: Option<u64>,
    #[serde(alias = "block_timestamp")]
    timestamp: Option<u64>,
    #[serde(default)]
    tokens: Vec<Token>,
    #[serde(default)]
    tokens_underlying: Vec<Token>,
    token0: Option<Token>,
    token1: Option<Token>,
    reserves_token0: Option<serde::de::IgnoredAny>,
    stable: Option<bool>,
    #[serde(default)]
    name: String,
    tick_data: Option<serde::de::IgnoredAny>,
    pool_manager: Option<serde::de::IgnoredAny>,
    pool_manager_address: Option<serde::de::IgnoredAny>,
    family: Option<String>,
    fee_raw: Option<serde::de::IgnoredAny>,
    weights: Option<serde::de::IgnoredAny>,
    amp: Option<serde::de::IgnoredAny>,
    amp_ramp: Option<serde::de::IgnoredAny>,
    bpt_idx: Option<usize>,
    invariant_version: Option<serde::de::IgnoredAny>,
    a_coefficient: Option<serde::de::IgnoredAny>,
    gamma: Option<serde::de::IgnoredAny>,
    base_pool: Option<serde::de::IgnoredAny>,
}

impl Head {
    /// Recognises files that do not name their kind.
    fn kind(&self) -> Result<PoolKind, SnapshotError> {
        if let Some(name) = &self.kind {
            return Ok(name.parse()?);
        }
        if self.reserves_token0.is_some() && self.stable.is_none() {
            return Ok(PoolKind::UniswapV2);
        }
        if self.tick_data.is_some() {
            // Slipstream's recorded files differ from V3's in their names only.
            let name = self.name.to_ascii_lowercase();
            if self.pool_manager.is_some() || self.pool_manager_address.is_some() {
                return Ok(PoolKind::UniswapV4);
            }
            if ["aerodrome", "velodrome", "slipstream"].iter().any(|dex| name.contains(dex)) {
                return Ok(PoolKind::Slipstream);
            }
            if name.contains("uniswap v3") || self.family.as_deref() == Some("v3") {
                return Ok(PoolKind::UniswapV3);
            }
        }
        if self.fee_raw.is_some() && self.stable.is_some() {
            return Ok(if self.stable == Some(true) { PoolKind::SolidlyStable } else { PoolKind::SolidlyVolatile });
        }
        if self.weights.is_some() {
            return Ok(PoolKind::BalancerWeighted);
        }
        if (self.amp.is_some() || self.amp_ramp.is_some()) && self.invariant_version.is_some() {
            return Ok(match self.bpt_idx {
                Some(_) => PoolKind::BalancerComposableStable,
                None => PoolKind::BalancerStable,
            });
        }
        if self.a_coefficient.is_some() {
            return Ok(match (&self.gamma, &self.base_pool) {
                (Some(_), _) if self.tokens.len() == 2 => PoolKind::CurveCryptoTwo,
                (Some(_), _) => PoolKind::CurveCryptoThree,
                (None, Some(_)) => PoolKind::CurveMeta,
                (None, None) => PoolKind::CurvePlain,
            });
        }
        Err(SnapshotError::Unrecognised)
    }

    fn tokens(self) -> Vec<Token> {
        if self.tokens.is_empty() { [self.token0, self.token1].into_iter().flatten().collect() } else { self.tokens }
    }
}

/// Reads one pool state.
///
/// # Errors
/// Text that is no state of a known kind, with the field and its value.
pub fn decode(text: &str) -> Result<Snapshot, SnapshotError> {
    let mut head: Head = serde_json::from_str(text)?;
    let kind = head.kind()?;
    let pool = Pool::decode(text, kind)?;
    let (block, timestamp) = (head.block, head.timestamp);
    let underlying = std::mem::take(&mut head.tokens_underlying);
    let tokens = head.tokens();
    if !tokens.is_empty() && tokens.len() != pool.token_count() {
        return Err(SnapshotError::State(format!("{} tokens for a pool of {}", tokens.len(), pool.token_count())));
    }
    Ok(Snapshot { pool, tokens, underlying, block, timestamp })
}

impl Snapshot {
    /// The index of the token that `name` means: an index, an address or a symbol (any case).
    ///
    /// # Errors
    /// No such token, or a symbol that two tokens share.
    pub fn token(&self, name: &str) -> Result<usize, SnapshotError> {
        let listed: Vec<usize> = (0..self.tokens.len())
            .filter(|index| {
                let token = &self.tokens[*index];
                token.address.eq_ignore_ascii_case(name) || token.symbol.eq_ignore_ascii_case(name)
            })
            .collect();
        let number = name.parse::<usize>().ok().filter(|index| *index < self.pool.token_count());
        match listed[..] {
            _ if name.is_empty() => Err(SnapshotError::State(format!("a token needs a name: {}", self.token_names()))),
            [index] if number.is_some_and(|number| number != index) => {
                let reason = format!("{name} is the symbol of token {index} and the index of another: use an address");
                Err(SnapshotError::State(reason))
            }
            [index] => Ok(index),
            [] => match name.parse::<usize>() {
                Ok(index) if index < self.pool.token_count() => Ok(index),
                _ => Err(SnapshotError::State(format!("no token {name}; the pool has {}", self.token_names()))),
            },
            _ => Err(SnapshotError::State(format!("{name} names several tokens: use an address or an index"))),
        }
    }

    /// The context of the snapshot's own block.
    #[must_use]
    pub fn context(&self) -> Context {
        Context::at(self.timestamp.unwrap_or(0))
    }

    fn token_names(&self) -> String {
        let name = |index: usize| match self.tokens.get(index) {
            Some(token) if !token.symbol.is_empty() => format!("{index} ({})", token.symbol),
            Some(token) => format!("{index} ({})", token.address),
            None => index.to_string(),
        };
        (0..self.pool.token_count()).map(name).collect::<Vec<_>>().join(", ")
    }
}
