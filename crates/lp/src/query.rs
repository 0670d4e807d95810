//! What a miner is asked and what it answers.

use assay_amm::{U256, integer};
use serde::{Deserialize, Serialize};

use crate::amounts::Amounts;

/// Positions in one answer, whatever the job allows.
pub const MAX_ANSWER_POSITIONS: usize = 64;
/// Characters of a refusal's reason, a version and a model's description.
pub const MAX_TEXT: usize = 256;

/// Whether a round is judged only, or moves the vault's money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoundType {
    /// All miners, each with a pool of its own.
    Evaluation,
    /// The winner of the evaluation before, with the vault's money.
    Live,
}

impl RoundType {
    /// `evaluation` or `live`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Live => "live",
        }
    }
}

/// A position that a miner wants or has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DesiredPosition {
    /// First tick of the range.
    #[serde(alias = "tickLower")]
    pub tick_lower: i32,
    /// First tick above the range.
    #[serde(alias = "tickUpper")]
    pub tick_upper: i32,
    /// At most this much of token 0 is placed; the rest stays in the inventory.
    #[serde(with = "integer::json")]
    pub allocation0: U256,
    /// At most this much of token 1 is placed.
    #[serde(with = "integer::json")]
    pub allocation1: U256,
    /// How sure the miner is, 0 … 1; reported, never used.
    #[serde(default)]
    pub confidence: Option<f64>,
}

/// The question at a checkpoint. All fields are those of the miner's own pool copy, in
/// which its capital stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RebalanceQuery {
    /// The job.
    pub job_id: String,
    /// The vault.
    pub sn_liquidity_manager_address: String,
    /// The pool.
    pub pair_address: String,
    /// The chain.
    pub chain_id: u64,
    /// The round.
    pub round_id: String,
    /// Evaluation or live.
    pub round_type: RoundType,
    /// Block of the checkpoint; the state is the one after it.
    pub block_number: u64,
    /// Price of token 0 in token 1 in smallest units; for people, never for maths.
    pub current_price: f64,
    /// Square-root price, 64.96-bit, as decimal text.
    #[serde(with = "integer::json")]
    pub sqrt_price_x96: U256,
    /// What the miner holds now; the allocations are what withdrawing would give, fees included.
    pub current_positions: Vec<DesiredPosition>,
    /// What is not placed.
    pub inventory_remaining: Amounts,
    /// Rebalances in this round so far.
    pub rebalances_so_far: u32,
    /// Distance of usable ticks.
    pub tick_spacing: i32,
}

/// What a miner says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct MinerMetadata {
    /// Version of its program.
    #[serde(default)]
    pub version: String,
    /// What decides.
    #[serde(default)]
    pub model_info: String,
}

/// The answer: wanted positions, or a refusal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RebalanceAnswer {
    /// Whether the miner takes part.
    #[serde(default = "accepts")]
    pub accepted: bool,
    /// Why not.
    #[serde(default)]
    pub refusal_reason: Option<String>,
    /// The positions it wants to hold from now on; an empty list withdraws everything, none
    /// at all is no answer.
    #[serde(default)]
    pub desired_positions: Option<Vec<DesiredPosition>>,
    /// What the miner says of itself.
    #[serde(default)]
    pub miner_metadata: Option<MinerMetadata>,
}

const fn accepts() -> bool {
    true
}

/// An answer that says nothing usable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// It is not JSON of the expected shape.
    #[error("the answer does not read: {0}")]
    Malformed(String),
    /// It accepts and wants nothing.
    #[error("accepted without desired_positions")]
    Empty,
    /// More positions or longer texts than any answer may have.
    #[error("{what}: {found} is above {limit}")]
    TooLong {
        /// What is too long.
        what: &'static str,
        /// How long it is.
        found: usize,
        /// How long it may be.
        limit: usize,
    },
    /// A confidence that is none.
    #[error("confidence {0} is not in 0 … 1")]
    Confidence(String),
}

impl RebalanceAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// [`AnswerError`] when it says nothing usable; whether its positions can be held is
    /// the round's business.
    pub fn read(body: &[u8]) -> Result<Self, AnswerError> {
        let answer: Self = serde_json::from_slice(body).map_err(|error| AnswerError::Malformed(error.to_string()))?;
        answer.check()?;
        Ok(answer)
    }

    /// Takes part with these positions.
    #[must_use]
    pub fn positions(positions: Vec<DesiredPosition>) -> Self {
        Self { accepted: true, refusal_reason: None, desired_positions: Some(positions), miner_metadata: None }
    }

    /// Does not take part.
    #[must_use]
    pub fn refuse(reason: &str) -> Self {
        let refusal_reason = Some(reason.to_owned());
        Self { accepted: false, refusal_reason, desired_positions: None, miner_metadata: None }
    }

    fn check(&self) -> Result<(), AnswerError> {
        let text = |what, text: &str| match text.chars().count() {
            found if found > MAX_TEXT => Err(AnswerError::TooLong { what, found, limit: MAX_TEXT }),
            _ => Ok(()),
        };
        text("refusal_reason", self.refusal_reason.as_deref().unwrap_or_default())?;
        if let Some(metadata) = &self.miner_metadata {
            text("version", &metadata.version)?;
            text("model_info", &metadata.model_info)?;
        }
        let positions = self.desired_positions.as_deref().unwrap_or_default();
        if positions.len() > MAX_ANSWER_POSITIONS {
            let (found, limit) = (positions.len(), MAX_ANSWER_POSITIONS);
            return Err(AnswerError::TooLong { what: "desired_positions", found, limit });
        }
        for confidence in positions.iter().filter_map(|position| position.confidence) {
            if !(0.0..=1.0).contains(&confidence) {
                return Err(AnswerError::Confidence(confidence.to_string()));
            }
        }
        if self.accepted && self.desired_positions.is_none() {
            return Err(AnswerError::Empty);
        }
        Ok(())
    }
}
