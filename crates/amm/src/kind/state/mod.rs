//! What state files say of each kind: every family has its own file here that reads its
//! fields and checks that a contract could be in that state.

pub(super) mod balancer;
pub(super) mod concentrated;
pub(crate) mod curve;
pub(super) mod solidly;
pub(super) mod uniswap_v2;

use ruint::aliases::U256;
use serde::Deserialize;

use super::{PoolKind, UnknownKind};
use crate::error::AmmError;

/// A token as the state file names it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Token {
    /// Contract address, as written.
    pub address: String,
    /// Symbol, empty when unknown.
    #[serde(default)]
    pub symbol: String,
    /// Decimals, when the file says them.
    pub decimals: Option<u8>,
}

/// A file that is no usable pool state.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// Not JSON, or a field of the wrong shape.
    #[error("the state file: {0}")]
    Json(#[from] serde_json::Error),
    /// A kind that does not exist.
    #[error(transparent)]
    Kind(#[from] UnknownKind),
    /// No `kind`, and fields of no or of several families.
    #[error("the state file does not say its kind: add \"kind\", one of {} (of a file with several pools or blocks, take one out as a file of its own)", PoolKind::ALL.map(PoolKind::name).join(", "))]
    Unrecognised,
    /// Fields that contradict each other, or a state no contract can be in.
    #[error("the state file: {0}")]
    State(String),
    /// A state the pool kind refuses.
    #[error("the state file: {0}")]
    Pool(#[from] AmmError),
}

/// A 256-bit value as a native one.
fn native<T: TryFrom<U256>>(value: U256, field: &str) -> Result<T, SnapshotError> {
    T::try_from(value)
        .map_err(|_| SnapshotError::State(format!("{field} {value} does not fit {} bits", size_of::<T>() * 8)))
}

/// A ratio written as "3/1000".
fn ratio(text: &str) -> Result<(u32, u32), SnapshotError> {
    text.split_once('/')
        .and_then(|(above, below)| Some((above.trim().parse().ok()?, below.trim().parse().ok()?)))
        .ok_or_else(|| SnapshotError::State(format!("{text} is no fee: write it as 3/1000")))
}
