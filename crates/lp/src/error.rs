//! What can go wrong with a round.

use assay_amm::AmmError;
use assay_amm::replay::ReplayError;

use crate::job::JobError;

/// Why a round or its market cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum LpError {
    /// The job cannot be used.
    #[error(transparent)]
    Job(#[from] JobError),
    /// The pool's events do not fit together.
    #[error("the pool's events: {0}")]
    Events(#[from] ReplayError),
    /// The engine refuses something that must work.
    #[error("{what}: {source}")]
    Engine {
        /// What was done.
        what: &'static str,
        /// Why not.
        source: AmmError,
    },
    /// The pool has no price yet.
    #[error("the pool is not initialised at block {block}: start later, or give all its events")]
    NoPool {
        /// The block.
        block: u64,
    },
    /// The books of a round do not balance.
    #[error("the books of {miner} do not balance in token {token}: {reason}")]
    Unbalanced {
        /// The miner.
        miner: String,
        /// Token 0 or 1.
        token: usize,
        /// Both sides.
        reason: String,
    },
    /// A value above 256 bits.
    #[error("{what} is above 256 bits")]
    Overflow {
        /// What it is.
        what: &'static str,
    },
    /// A record that contradicts itself.
    #[error("the record: {0}")]
    Record(String),
    /// A round is used against its order.
    #[error("{0}")]
    Order(String),
}
