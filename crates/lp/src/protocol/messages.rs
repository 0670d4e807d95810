//! Bodies of the native wire besides query and answer.

use serde::{Deserialize, Serialize};

use super::seal::{Commitment, SealPlace};

/// Where a validator asks.
pub const QUERY_PATH: &str = "/RebalanceQuery";
/// Where a validator has a sealed answer opened.
pub const REVEAL_PATH: &str = "/Reveal";
/// Bytes of a request's or a response's body; more is refused unread.
pub const MAX_BODY_BYTES: usize = 64 * 1024;
/// Bytes of an answer, so that its reveal fits [`MAX_BODY_BYTES`] with every quote escaped.
pub const MAX_ANSWER_BYTES: usize = 48 * 1024;

/// A miner's reply to a query: what it will answer, sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitReply {
    /// The seal of the answer.
    pub commitment: Commitment,
}

/// A validator's wish to see a sealed answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealRequest {
    /// Job of the query.
    pub job_id: String,
    /// Round of the query.
    pub round_id: String,
    /// `block_number` of the query.
    pub checkpoint: u64,
    /// What the miner replied to it.
    pub commitment: Commitment,
}

impl RevealRequest {
    /// Where the seal belongs when `miner` made it.
    #[must_use]
    pub fn place<'a>(&'a self, miner: &'a str) -> SealPlace<'a> {
        SealPlace { job_id: &self.job_id, round_id: &self.round_id, checkpoint: self.checkpoint, miner }
    }
}

/// A sealed answer, opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevealReply {
    /// The salt, 64 lower-case hexadecimal digits.
    pub salt: String,
    /// The answer as the very text that was sealed.
    pub answer: String,
}

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// One word for programs, such as `stale`.
    pub error: String,
    /// One sentence for people.
    pub message: String,
}
