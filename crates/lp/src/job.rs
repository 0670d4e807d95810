//! Jobs: a pool, a budget and the rules of its rounds.

use assay_amm::concentrated::PIPS;
use assay_amm::kind::slipstream::{MAX_FEE_PIPS, MAX_UNSTAKED_FEE_PIPS};
use assay_amm::{PoolKind, U256, integer};
use serde::{Deserialize, Serialize};

use crate::amounts::Amounts;

/// A job: what miners are asked about, and by which rules they are judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// Name of the job, unique: letters, digits, `-`, `_` and `.`, at most 64.
    pub job_id: String,
    /// Address of the vault whose money live rounds move: `0x` and 40 hexadecimal digits.
    pub sn_liquidity_manager_address: String,
    /// Address of the pool: `0x` and 40 hexadecimal digits.
    pub pair_address: String,
    /// What the job wants; `PoL` (keep both tokens, grow them) is the only one.
    #[serde(default = "default_target")]
    pub target: String,
    /// The chain, 8453 by default.
    #[serde(default = "default_chain_id")]
    pub chain_id: u64,
    /// Start of round 0 in seconds since 1970.
    pub genesis: u64,
    /// From start to start of two rounds in seconds, 900 by default.
    #[serde(default = "default_round_duration_seconds")]
    pub round_duration_seconds: u64,
    /// Blocks between the checkpoints of an evaluation round, 100 by default.
    #[serde(default = "default_evaluation_interval_blocks")]
    pub evaluation_interval_blocks: u64,
    /// Blocks between the checkpoints of a live round, 150 by default.
    #[serde(default = "default_live_interval_blocks")]
    pub live_interval_blocks: u64,
    /// Seconds after a checkpoint until commitments close, 60 by default.
    #[serde(default = "default_answer_seconds")]
    pub answer_seconds: u64,
    /// Seconds after that until the answers must be revealed, 10 by default. They take effect
    /// after the first block at or after that time, so that nobody profits from waiting.
    #[serde(default = "default_reveal_seconds")]
    pub reveal_seconds: u64,
    /// Whether new rounds start.
    #[serde(default = "default_true")]
    pub is_active: bool,
    /// What a miner starts each evaluation round with.
    pub inventory: Amounts,
    /// The pool's kind and fees.
    pub pool: PoolRule,
    /// What an answer may ask for.
    #[serde(default)]
    pub constraints: Constraints,
    /// Whether the inventory may be swapped in the pool at a rebalance, paying fee and impact.
    #[serde(default)]
    pub allow_rebalance_swap: bool,
    /// What a rebalance costs.
    #[serde(default)]
    pub gas: GasRule,
    /// Live rounds need this many scored rounds of a miner; no minimum when 0.
    #[serde(default)]
    pub live_minimum_rounds: u64,
    /// Live rounds need the 95 % lower bound of the mean score above the score of holding.
    #[serde(default)]
    pub live_needs_confidence: bool,
}

/// What a pool is and how its fees are counted; constants of each round.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolRule {
    /// `uniswap-v3`, `pancake-v3` or `slipstream`.
    #[serde(with = "kind_name")]
    pub kind: PoolKind,
    /// Distance of usable ticks.
    pub tick_spacing: i32,
    /// Where the fee of a swap comes from.
    pub fee: FeeRule,
    /// The gauge's part of the fees of unstaked liquidity in millionths: 100,000 by default
    /// on Slipstream, 0 elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unstaked_fee_pips: Option<u32>,
}

impl PoolRule {
    /// The gauge's part of the fees of unstaked liquidity in millionths.
    #[must_use]
    pub fn unstaked_fee_pips(&self) -> u32 {
        self.unstaked_fee_pips.unwrap_or(if self.kind == PoolKind::Slipstream { 100_000 } else { 0 })
    }
}

/// Where the fee of a swap comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FeeRule {
    /// The same for every swap, in millionths of the input.
    Pips(u32),
    /// The fee of each recorded swap, as its record says or its amounts show (Slipstream).
    Events,
}

/// What an answer may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constraints {
    /// Largest loss of the principal against holding, in millionths of the holding's value.
    pub max_il_ppm: u32,
    /// Narrowest range in ticks.
    pub min_tick_width: i32,
    /// Rebalances in a round, the first deployment not counted.
    pub max_rebalances: u32,
    /// Positions held at once.
    pub max_positions: usize,
}

impl Default for Constraints {
    fn default() -> Self {
        Self { max_il_ppm: 100_000, min_tick_width: 60, max_rebalances: 4, max_positions: 8 }
    }
}

/// What a rebalance costs; constants of each round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GasRule {
    /// Price of a unit of gas in wei.
    #[serde(with = "integer::json")]
    pub price_wei: U256,
    /// Units of gas of one rebalance.
    pub per_rebalance: u64,
    /// Units of token 1 that a wei is worth, 2^96 for one.
    #[serde(with = "integer::json")]
    pub token1_per_wei_x96: U256,
}

impl GasRule {
    /// What `rebalances` cost in units of token 1, rounded up; `None` above 256 bits.
    #[must_use]
    pub fn cost_token1(&self, rebalances: u32) -> Option<U256> {
        let wei = self.price_wei.checked_mul(U256::from(self.per_rebalance))?.checked_mul(U256::from(rebalances))?;
        integer::mul_div_up(wei, self.token1_per_wei_x96, U256::ONE << 96)
    }
}

/// What is wrong with a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field} of the job: {reason}")]
pub struct JobError {
    /// The field.
    pub field: &'static str,
    /// What is wrong, with the value, and what would be right.
    pub reason: String,
}

impl Job {
    /// Checks that every field can be used.
    ///
    /// # Errors
    /// [`JobError`] naming the first field that cannot.
    pub fn check(&self) -> Result<(), JobError> {
        let fail = |field, reason: String| Err(JobError { field, reason });
        let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.job_id.is_empty() || self.job_id.len() > 64 || !self.job_id.chars().all(name) {
            return fail("job_id", format!("`{}` is not 1 to 64 letters, digits, `-`, `_` or `.`", self.job_id));
        }
        for (field, address) in
            [("sn_liquidity_manager_address", &self.sn_liquidity_manager_address), ("pair_address", &self.pair_address)]
        {
            let digits = address.strip_prefix("0x").unwrap_or_default();
            if digits.len() != 40 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                return fail(field, format!("`{address}` is not 0x and 40 hexadecimal digits"));
            }
        }
        if self.target != "PoL" {
            return fail("target", format!("`{}` is unknown; `PoL` is the only target", self.target));
        }
        for (field, value) in [
            ("round_duration_seconds", self.round_duration_seconds),
            ("evaluation_interval_blocks", self.evaluation_interval_blocks),
            ("live_interval_blocks", self.live_interval_blocks),
            ("answer_seconds", self.answer_seconds),
        ] {
            if value == 0 {
                return fail(field, "0 is not above zero".into());
            }
        }
        if self.answer_seconds.saturating_add(self.reveal_seconds) >= self.round_duration_seconds {
            let (answer, reveal) = (self.answer_seconds, self.reveal_seconds);
            let round = self.round_duration_seconds;
            return fail(
                "answer_seconds",
                format!("{answer} s and {reveal} s to reveal do not fit a round of {round} s"),
            );
        }
        if self.inventory.is_zero() {
            return fail("inventory", "both amounts are 0: there is nothing to place".into());
        }
        if self.inventory.pair().iter().any(|amount| amount.bit_len() > 127) {
            return fail("inventory", format!("{} is above 2^127 − 1", self.inventory));
        }
        self.check_pool()?;
        self.check_constraints()
    }

    fn check_pool(&self) -> Result<(), JobError> {
        let fail = |field, reason: String| Err(JobError { field, reason });
        let slipstream = match self.pool.kind {
            PoolKind::UniswapV3 | PoolKind::PancakeV3 => false,
            PoolKind::Slipstream => true,
            other => {
                let reason = format!(
                    "rounds need a concentrated pool (uniswap-v3, pancake-v3, slipstream), not {}",
                    other.name()
                );
                return fail("pool.kind", reason);
            }
        };
        if !(1..=16_383).contains(&self.pool.tick_spacing) {
            return fail("pool.tick_spacing", format!("{} is not in 1 … 16383", self.pool.tick_spacing));
        }
        let limit = if slipstream { MAX_FEE_PIPS } else { PIPS - 1 };
        match self.pool.fee {
            FeeRule::Pips(pips) if pips > limit => {
                fail("pool.fee", format!("{pips} millionths are above the {limit} of this kind"))
            }
            FeeRule::Events if !slipstream => {
                fail("pool.fee", format!("the fee of {} is fixed: give it in millionths", self.pool.kind.name()))
            }
            _ if self.pool.unstaked_fee_pips() > if slipstream { MAX_UNSTAKED_FEE_PIPS } else { 0 } => {
                let reason =
                    format!("{} millionths are too many for {}", self.pool.unstaked_fee_pips(), self.pool.kind.name());
                fail("pool.unstaked_fee_pips", reason)
            }
            _ => Ok(()),
        }
    }

    fn check_constraints(&self) -> Result<(), JobError> {
        let fail = |field, reason: String| Err(JobError { field, reason });
        let limits = &self.constraints;
        if limits.max_il_ppm > 1_000_000 {
            return fail("constraints.max_il_ppm", format!("{} is above one million", limits.max_il_ppm));
        }
        if limits.min_tick_width < 1 {
            return fail("constraints.min_tick_width", format!("{} is below 1", limits.min_tick_width));
        }
        if !(1..=64).contains(&limits.max_positions) {
            return fail("constraints.max_positions", format!("{} is not in 1 … 64", limits.max_positions));
        }
        Ok(())
    }

    /// Blocks between the checkpoints of a round.
    #[must_use]
    pub const fn interval_blocks(&self, round_type: crate::RoundType) -> u64 {
        match round_type {
            crate::RoundType::Evaluation => self.evaluation_interval_blocks,
            crate::RoundType::Live => self.live_interval_blocks,
        }
    }

    /// The id of a round, the same for every validator.
    #[must_use]
    pub fn round_id(&self, round_type: crate::RoundType, number: u64) -> String {
        format!("{}_{}_{number}", self.job_id, round_type.name())
    }
}

fn default_target() -> String {
    "PoL".to_owned()
}

const fn default_chain_id() -> u64 {
    8453
}

const fn default_round_duration_seconds() -> u64 {
    900
}

const fn default_evaluation_interval_blocks() -> u64 {
    100
}

const fn default_live_interval_blocks() -> u64 {
    150
}

const fn default_answer_seconds() -> u64 {
    60
}

const fn default_reveal_seconds() -> u64 {
    10
}

const fn default_true() -> bool {
    true
}

mod kind_name {
    use assay_amm::PoolKind;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(kind: &PoolKind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(kind.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PoolKind, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
