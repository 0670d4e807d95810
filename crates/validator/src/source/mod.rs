//! Where blocks and a pool's events come from.

mod database;
mod recorded;

use assay_amm::event::Located;
use assay_lp::{BlockTime, Job};
use assay_store::database::DatabaseError;

use crate::clock::{Clock, Hold};

pub use database::DatabaseSource;
pub use recorded::RecordedSource;

/// Blocks of a pool, in order and without a hole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stretch {
    /// Events after the block asked from through the last block.
    pub events: Vec<Located>,
    /// Blocks with their times, ascending without a hole, through the last block. A first
    /// stretch may leave out the times of old blocks, never their events.
    pub blocks: Vec<BlockTime>,
}

/// Why there are no blocks.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The database of events.
    #[error("the pool-events database: {0}")]
    Database(#[from] DatabaseError),
    /// The pool's address does not read.
    #[error("`{0}` is no address")]
    Address(String),
    /// The first events of the pool are not there.
    #[error("the events of pool {pool} begin at block {block} without its creation: index it from its first block")]
    NotFromCreation {
        /// The pool.
        pool: String,
        /// First indexed block.
        block: u64,
    },
    /// Times of blocks are not known.
    #[error("the times of blocks {from} to {to} are not indexed, and {block_seconds} s from block to block do not fit")]
    NoTimes {
        /// First block.
        from: u64,
        /// Last block.
        to: u64,
        /// The chain's distance of blocks.
        block_seconds: u64,
    },
    /// Blocks that were followed are no part of the chain any more.
    #[error("the chain was reorganised below block {block}")]
    Reorganised {
        /// Last block that was followed.
        block: u64,
    },
}

impl SourceError {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Database(error) if error.is_retryable() || matches!(error, DatabaseError::NotIndexed { .. }))
    }
}

/// Where blocks and events come from.
#[async_trait::async_trait]
pub trait EventSource: Send + Sync {
    /// The clock that deadlines are held against.
    fn clock(&self) -> &Clock;

    /// The next blocks of a job's pool after `after` (from the pool's creation when `None`);
    /// waits until there is one. `None` when there will be none.
    ///
    /// # Errors
    /// [`SourceError`].
    async fn next(&self, job: &Job, after: Option<u64>, hold: &mut Hold) -> Result<Option<Stretch>, SourceError>;
}
