//! The record of a round: all that its result follows from, and the result. Whoever has
//! the record recomputes every number; whoever has the pool's events too re-executes it.

use assay_amm::{U256, integer};
use assay_types::{Hash, Hasher, canonical_json};
use serde::{Deserialize, Serialize};

use crate::amounts::Amounts;
use crate::clock::{BlockTime, Checkpoint, Window};
use crate::error::LpError;
use crate::job::Job;
use crate::judge::judge;
use crate::query::{DesiredPosition, RoundType};

/// Version of the record's rule; the prefix of its hash.
pub const RECORD_RULE: &str = "assay/round/1";

/// Whether a round counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// New events until the deadline; the only one that earns reputation.
    Follow,
    /// Recorded events, as fast as possible; never touches reputation.
    Practice,
}

impl Mode {
    /// `follow` or `practice`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Follow => "follow",
            Self::Practice => "practice",
        }
    }
}

/// A signed amount: `true` is at or above zero.
pub type Signed = (bool, U256);

/// How a miner's capital was simulated.
pub const RE_EXECUTED: &str = "re-executed";
/// The score of a live round comes from what the executor confirmed.
pub const EXECUTED: &str = "executed";

/// What became of the question at a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A valid answer that keeps what stands.
    Kept,
    /// A valid answer with new positions.
    Rebalanced,
    /// A refusal: free at the first checkpoint, later it keeps what stands.
    Refused,
    /// No answer in time, or none revealed.
    Missed,
    /// An answer that cannot be used.
    Invalid,
}

impl Outcome {
    /// The name in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Rebalanced => "rebalanced",
            Self::Refused => "refused",
            Self::Missed => "missed",
            Self::Invalid => "invalid",
        }
    }

    /// Whether the miner gave a valid answer.
    #[must_use]
    pub const fn is_answered(self) -> bool {
        matches!(self, Self::Kept | Self::Rebalanced | Self::Refused)
    }
}

/// A miner's answer at a checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnswerRecord {
    /// Number of the checkpoint.
    pub checkpoint: u32,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it was refused or invalid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The wanted positions of a rebalance, without confidences.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub positions: Vec<DesiredPosition>,
    /// The block after which they stood; `None` when nothing changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_block: Option<u64>,
    /// What they took when they were placed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub placed: Vec<Placed>,
}

/// What a position took when it was placed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Placed {
    /// First tick of the range.
    pub tick_lower: i32,
    /// First tick above the range.
    pub tick_upper: i32,
    /// Tokens.
    pub amounts: Amounts,
}

/// A point of the price's path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathPoint {
    /// After this block.
    pub block: u64,
    /// The recorded pool's square-root price.
    #[serde(with = "integer::json")]
    pub sqrt_price_x96: U256,
}

/// Numbers of a miner that the simulation gives and the score follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Tokens at the end that are not placed.
    pub inventory: Amounts,
    /// Tokens at the end in positions, fees left out.
    pub principal: Amounts,
    /// Fees at the end that are not collected.
    pub owed: Amounts,
    /// Fees collected at rebalances, part of the inventory or placed again.
    pub collected: Amounts,
    /// Tokens paid into the pool to swap the inventory.
    pub swapped: Amounts,
    /// Times that gas was paid.
    pub executions: u32,
    /// Rebalances, the first deployment not counted.
    pub rebalances: u32,
    /// Blocks of the round.
    pub blocks: u64,
    /// Blocks with a position in range.
    pub blocks_in_range: u64,
    /// Largest loss of inventory and principal against holding at a checkpoint or the end,
    /// fees left out, in millionths of the holding's value.
    pub max_il_ppm: u32,
    /// Recorded requests that the miner's pool refused.
    pub skipped: u32,
    /// Loss against a rebalancing portfolio in units of token 1.
    #[serde(with = "signed")]
    pub lvr: Signed,
    /// What rounding left in the miner's pool (above zero) or took out of it, token 0.
    #[serde(with = "signed")]
    pub dust0: Signed,
    /// The same of token 1.
    #[serde(with = "signed")]
    pub dust1: Signed,
}

/// The score with its terms; recomputed from the rest of the record.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Judgement {
    /// Value at the start in units of token 1.
    #[serde(with = "integer::json")]
    pub value_start: U256,
    /// Value at the end in units of token 1, gas subtracted.
    #[serde(with = "signed")]
    pub value_end: Signed,
    /// What holding the start's tokens is worth at the end.
    #[serde(with = "integer::json")]
    pub value_hold: U256,
    /// Value of inventory and principal beyond holding, fees left out.
    #[serde(with = "signed")]
    pub principal_change: Signed,
    /// Value of all fees earned, at the end price.
    #[serde(with = "integer::json")]
    pub fees: U256,
    /// Gas paid in units of token 1.
    #[serde(with = "integer::json")]
    pub rebalance_cost: U256,
    /// Relative gain in token 1, 1e-18.
    #[serde(with = "integer::json::native")]
    pub gain: i128,
    /// The same against holding, 1e-18.
    #[serde(with = "integer::json::native")]
    pub gain_over_hold: i128,
    /// Relative loss of token 0, 1e-18.
    #[serde(with = "integer::json::native")]
    pub loss0: i128,
    /// Relative loss of token 1, 1e-18.
    #[serde(with = "integer::json::native")]
    pub loss1: i128,
    /// `e^(∓10 · the larger loss)`, 1e-18.
    #[serde(with = "integer::json::native")]
    pub penalty: i128,
    /// The miner's own score, 1e-18.
    #[serde(with = "integer::json::native")]
    pub score: i128,
    /// What counts for its reputation, 1e-18; `None` after a free refusal.
    #[serde(with = "optional_native")]
    pub counted_score: Option<i128>,
    /// Place in the ranking, from 1; `None` for the unranked.
    pub rank: Option<u32>,
    /// Why it is not ranked, or why its score was cut.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
    /// The key of the miner whose positions it repeats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clone_of: Option<String>,
}

/// A miner in a round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MinerRecord {
    /// Its key, or the name of a built-in strategy.
    pub miner: String,
    /// When it registered, seconds since 1970.
    pub registered_at: u64,
    /// A built-in baseline: never a clone, never paid.
    pub built_in: bool,
    /// Whether its answers were signed and sealed.
    pub authenticated: bool,
    /// Combined score before the round, 1e-18.
    #[serde(with = "integer::json::native")]
    pub combined_before: i128,
    /// Its answers in order.
    pub answers: Vec<AnswerRecord>,
    /// What the simulation measured.
    pub measured: Measured,
    /// What follows from it.
    pub judgement: Judgement,
}

/// A finished round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RoundRecord {
    /// [`RECORD_RULE`].
    pub rule: String,
    /// Follow or practice.
    pub mode: Mode,
    /// [`RE_EXECUTED`] or [`EXECUTED`].
    pub simulation: String,
    /// Id of the round.
    pub round_id: String,
    /// Evaluation or live.
    pub round_type: RoundType,
    /// Number of the round.
    pub round_number: u64,
    /// The job with all its constants.
    pub job: Job,
    /// First block; the state after it is the start.
    pub start: BlockTime,
    /// Last block; the state after it is the end.
    pub end: BlockTime,
    /// The recorded pool's square-root price at the start.
    #[serde(with = "integer::json")]
    pub start_sqrt_price_x96: U256,
    /// The same at the end; both values are measured with these.
    #[serde(with = "integer::json")]
    pub end_sqrt_price_x96: U256,
    /// The checkpoints.
    pub checkpoints: Vec<Checkpoint>,
    /// Recorded requests that ran again.
    pub requests: u64,
    /// Those of them that the recorded pool itself does not explain to the unit.
    pub unexplained: u64,
    /// Rewards have no price here: they are left out of values and scores.
    pub rewards: String,
    /// The price's path, at most [`crate::round::PATH_POINTS`] points.
    pub path: Vec<PathPoint>,
    /// The miners, by registration and key.
    pub miners: Vec<MinerRecord>,
    /// The best ranked miner that is not built in.
    pub winner: Option<String>,
}

impl RoundRecord {
    /// SHA-256 over the rule's prefix and the canonical JSON of the record.
    #[must_use]
    pub fn hash(&self) -> Hash {
        let mut hasher = Hasher::with_prefix(RECORD_RULE);
        hasher.update(b"\n");
        hasher.update(&self.canonical());
        hasher.finish()
    }

    /// The canonical JSON of the record.
    #[must_use]
    pub fn canonical(&self) -> Vec<u8> {
        canonical_json(&serde_json::to_value(self).expect("a record is plain data"))
    }

    /// Recomputes every judgement, rank and the winner from the rest of the record.
    ///
    /// # Errors
    /// [`LpError::Record`] naming the first miner and number that differ, or a record that
    /// no round could have written.
    pub fn verify(&self) -> Result<(), LpError> {
        if self.rule != RECORD_RULE {
            return Err(LpError::Record(format!("rule `{}`; this program knows {RECORD_RULE}", self.rule)));
        }
        self.job.check()?;
        self.check_times()?;
        let mut again = self.clone();
        judge(&mut again)?;
        for (recorded, own) in self.miners.iter().zip(&again.miners) {
            if recorded.judgement != own.judgement {
                let value = |judgement: &Judgement| serde_json::to_value(judgement).unwrap_or_default();
                let (theirs, ours) = (value(&recorded.judgement), value(&own.judgement));
                let field =
                    theirs.as_object().into_iter().flatten().find(|(name, value)| ours.get(name) != Some(value));
                let text = field.map_or_else(
                    || "a field is missing".to_owned(),
                    |(name, value)| format!("{name} is {value}, recomputed {}", ours[name.as_str()]),
                );
                return Err(LpError::Record(format!("{}: {text}", recorded.miner)));
            }
        }
        if self.winner != again.winner {
            return Err(LpError::Record(format!("winner {:?}, recomputed {:?}", self.winner, again.winner)));
        }
        Ok(())
    }
}

impl RoundRecord {
    /// Checks that id, window and checkpoints are those of the job and the number.
    fn check_times(&self) -> Result<(), LpError> {
        let wrong = |field: String, found: &dyn std::fmt::Display, right: &dyn std::fmt::Display| {
            Err(LpError::Record(format!("{field} is {found}, recomputed {right}")))
        };
        let id = self.job.round_id(self.round_type, self.round_number);
        if self.round_id != id {
            return wrong("round_id".into(), &self.round_id, &id);
        }
        let window = Window::of(&self.job, self.round_number)
            .ok_or_else(|| LpError::Record(format!("round {} is beyond the end of time", self.round_number)))?;
        if !(window.from..window.until).contains(&self.start.timestamp) {
            return wrong("start.timestamp".into(), &self.start.timestamp, &format!("{} …", window.from));
        }
        if self.end.timestamp < window.until || self.end.number <= self.start.number {
            return wrong("end.timestamp".into(), &self.end.timestamp, &format!("{} …", window.until));
        }
        let interval = self.job.interval_blocks(self.round_type);
        for (index, checkpoint) in self.checkpoints.iter().enumerate() {
            let block = interval.saturating_mul(index as u64).saturating_add(self.start.number);
            let closes_at = checkpoint.timestamp.saturating_add(self.job.answer_seconds);
            let revealed_by = closes_at.saturating_add(self.job.reveal_seconds);
            for (field, found, right) in [
                ("index", u64::from(checkpoint.index), index as u64),
                ("block", checkpoint.block, block),
                ("closes_at", checkpoint.closes_at, closes_at),
                ("revealed_by", checkpoint.revealed_by, revealed_by),
            ] {
                if found != right {
                    return wrong(format!("checkpoints[{index}].{field}"), &found, &right);
                }
            }
        }
        Ok(())
    }
}

/// Signed amounts as decimal text.
pub mod signed {
    use assay_amm::U256;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::Signed;

    /// Writes `-12` or `12`.
    ///
    /// # Errors
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Signed, serializer: S) -> Result<S::Ok, S::Error> {
        let sign = if value.0 || value.1.is_zero() { "" } else { "-" };
        serializer.collect_str(&format_args!("{sign}{}", value.1))
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    /// Text that is no integer of 256 bits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Signed, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let magnitude: U256 = match digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            true => return Err(serde::de::Error::custom(format!("`{text}` is no integer"))),
            false => digits.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is above 256 bits")))?,
        };
        Ok((digits.len() == text.len() || magnitude.is_zero(), magnitude))
    }
}

/// Optional 128-bit integers as decimal text.
mod optional_native {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(value: &Option<i128>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i128>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| serde::de::Error::custom(format!("`{text}` is no integer"))))
            .transpose()
    }
}
