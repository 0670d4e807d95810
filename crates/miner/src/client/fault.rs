//! What a miner can do wrong; each costs only that miner.

use assay_lp::AnswerError;
use assay_lp::protocol::MAX_BODY_BYTES;
use assay_lp::protocol::auth::AuthError;
use assay_lp::protocol::seal::SealError;

/// Why there is no valid answer of a miner.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nothing complete came before the deadline.
    #[error("no complete response before the deadline")]
    Late,
    /// No connection, or it broke.
    #[error("not reached: {0}")]
    Unreachable(String),
    /// The response is longer than any honest one.
    #[error("the response is above {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The miner said no.
    #[error("refused with status {status}: {message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What it said, shortened.
        message: String,
    },
    /// The response is not proven to be the miner's.
    #[error("the response is not the miner's: {0}")]
    NotAuthentic(AuthError),
    /// The response is not of the expected shape.
    #[error("the response does not read: {0}")]
    Malformed(String),
    /// The reveal does not open the commitment.
    #[error("false reveal: {0}")]
    FalseReveal(SealError),
    /// The answer says nothing usable.
    #[error("invalid answer: {0}")]
    Answer(AnswerError),
    /// More miners than one call asks.
    #[error("not asked: one call asks {limit} miners")]
    NotAsked {
        /// How many.
        limit: usize,
    },
    /// The miner speaks the v10 axon wire and we have no key for it.
    #[error("not asked: this validator has no sr25519 key for the v10 axon wire")]
    NoAxonKey,
}

impl Fault {
    /// One word for records.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Unreachable(_) => "unreachable",
            Self::TooLarge => "too_large",
            Self::Refused { .. } => "refused",
            Self::NotAuthentic(_) => "not_authentic",
            Self::Malformed(_) => "malformed",
            Self::FalseReveal(_) => "false_reveal",
            Self::Answer(_) => "invalid_answer",
            Self::NotAsked { .. } => "not_asked",
            Self::NoAxonKey => "no_axon_key",
        }
    }

    /// Whether the validator, not the miner, is the reason.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(self, Self::NotAsked { .. } | Self::NoAxonKey)
    }
}
