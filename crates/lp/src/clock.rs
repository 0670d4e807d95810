//! When rounds start and end, and at which blocks miners are asked (R6).

use crate::job::Job;
use crate::query::RoundType;

/// A block's number and time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BlockTime {
    /// Number of the block.
    pub number: u64,
    /// Seconds since 1970.
    pub timestamp: u64,
}

/// The times of a chain's blocks.
#[derive(Debug, Clone)]
pub enum BlockTimes {
    /// Blocks at equal distances, as rollups make them.
    Regular {
        /// A known block.
        anchor: BlockTime,
        /// Seconds from block to block, above zero.
        seconds: u64,
        /// The newest block that exists.
        head: u64,
    },
    /// Every block as recorded, without holes, ascending.
    Recorded(Vec<BlockTime>),
}

impl BlockTimes {
    /// The time of a block that exists and is known.
    #[must_use]
    pub fn time_of(&self, number: u64) -> Option<u64> {
        match self {
            Self::Regular { anchor, seconds, head } => {
                let blocks = number.checked_sub(anchor.number).filter(|_| number <= *head)?;
                blocks.checked_mul(*seconds)?.checked_add(anchor.timestamp)
            }
            Self::Recorded(blocks) => {
                let first = blocks.first()?.number;
                let place = usize::try_from(number.checked_sub(first)?).ok()?;
                blocks.get(place).filter(|block| block.number == number).map(|block| block.timestamp)
            }
        }
    }

    /// The first block at or after a time; `None` while it does not exist, or when that time
    /// is before the first known block and the true first block may be unknown.
    #[must_use]
    pub fn first_at(&self, timestamp: u64) -> Option<BlockTime> {
        match self {
            Self::Regular { anchor, seconds, head } => {
                let after = timestamp.checked_sub(anchor.timestamp)?;
                let number = anchor.number.checked_add(after.div_ceil(*seconds))?;
                (number <= *head).then(|| BlockTime { number, timestamp: self.time_of(number).unwrap_or(timestamp) })
            }
            Self::Recorded(blocks) => {
                let place = blocks.partition_point(|block| block.timestamp < timestamp);
                let known = place > 0 || blocks.first().is_some_and(|block| block.timestamp == timestamp);
                blocks.get(place).copied().filter(|_| known)
            }
        }
    }

    /// The newest block.
    #[must_use]
    pub fn head(&self) -> Option<BlockTime> {
        match self {
            Self::Regular { head, .. } => self.time_of(*head).map(|timestamp| BlockTime { number: *head, timestamp }),
            Self::Recorded(blocks) => blocks.last().copied(),
        }
    }
}

/// A checkpoint: when miners are asked and when their answers take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Checkpoint {
    /// Number within the round, from 0.
    pub index: u32,
    /// The block whose state is shown.
    pub block: u64,
    /// Its time, seconds since 1970.
    pub timestamp: u64,
    /// When commitments close.
    pub closes_at: u64,
    /// When reveals are due. Answers take effect after the first block at or after it: who
    /// withholds a reveal has seen nothing that comes later.
    pub revealed_by: u64,
}

/// When a round of a job starts and ends, by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Number of the round.
    pub number: u64,
    /// Starts with the first block at or after this time.
    pub from: u64,
    /// Ends before the first block at or after this time.
    pub until: u64,
}

impl Window {
    /// The window of round `number`; `None` beyond the end of time.
    #[must_use]
    pub fn of(job: &Job, number: u64) -> Option<Self> {
        let from = job.round_duration_seconds.checked_mul(number)?.checked_add(job.genesis)?;
        Some(Self { number, from, until: from.checked_add(job.round_duration_seconds)? })
    }

    /// The round that a time falls in; `None` before the genesis.
    #[must_use]
    pub fn at(job: &Job, timestamp: u64) -> Option<Self> {
        Self::of(job, timestamp.checked_sub(job.genesis)? / job.round_duration_seconds)
    }

    /// Checkpoint `index` of a round that starts at `start`, once its block exists. A
    /// checkpoint whose answers could not be revealed before the round ends is none.
    #[must_use]
    pub fn checkpoint(
        &self,
        job: &Job,
        round_type: RoundType,
        start: BlockTime,
        index: u32,
        times: &BlockTimes,
    ) -> CheckpointAt {
        let block = job
            .interval_blocks(round_type)
            .checked_mul(u64::from(index))
            .and_then(|blocks| blocks.checked_add(start.number));
        let Some(block) = block else { return CheckpointAt::Never };
        match times.time_of(block) {
            None => match times.head() {
                Some(head) if head.timestamp >= self.until => CheckpointAt::Never,
                _ => CheckpointAt::NotYet,
            },
            Some(timestamp) => {
                let closes_at = timestamp.saturating_add(job.answer_seconds);
                let revealed_by = closes_at.saturating_add(job.reveal_seconds);
                if revealed_by >= self.until {
                    return CheckpointAt::Never;
                }
                CheckpointAt::Known(Checkpoint { index, block, timestamp, closes_at, revealed_by })
            }
        }
    }
}

/// Whether a checkpoint is known already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CheckpointAt {
    /// It is.
    Known(Checkpoint),
    /// Its block does not exist yet.
    NotYet,
    /// The round has no such checkpoint.
    Never,
}
