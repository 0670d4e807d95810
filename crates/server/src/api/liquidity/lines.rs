//! Liquidity jobs, rounds and miners as lists show them.

use assay_store::database::{JobRow, MinerRow, Round};
use assay_types::time::format_utc;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A liquidity job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LiquidityJob {
    /// Its name.
    pub job_id: String,
    /// Whether new rounds start.
    pub is_active: bool,
    /// Its configuration.
    #[schema(value_type = Object)]
    pub config: Value,
    /// When it was first stored, ISO-8601 UTC.
    pub created_at: String,
    /// When it was last changed, ISO-8601 UTC.
    pub updated_at: String,
}

/// A round without its record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RoundLine {
    /// Its id.
    pub round_id: String,
    /// Its job.
    pub job_id: String,
    /// `evaluation` or `live`.
    pub round_type: String,
    /// `follow`, or `practice` for replayed rounds, which earn nothing.
    pub mode: String,
    /// Its number in the job.
    pub number: u64,
    /// `pending`, `active`, `completed` or `failed`.
    pub status: String,
    /// Why it failed.
    #[schema(required)]
    pub reason: Option<String>,
    /// Its first block.
    #[schema(required)]
    pub start_block: Option<u64>,
    /// Its last block.
    #[schema(required)]
    pub end_block: Option<u64>,
    /// When it started, ISO-8601 UTC.
    #[schema(required)]
    pub started_at: Option<String>,
    /// When it ended, ISO-8601 UTC.
    #[schema(required)]
    pub ended_at: Option<String>,
    /// The winning miner.
    #[schema(required)]
    pub winner: Option<String>,
    /// SHA-256 of its record.
    #[schema(required)]
    pub record_hash: Option<String>,
}

/// A registered miner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MinerLine {
    /// Its public key in hexadecimal.
    pub miner: String,
    /// How it is spoken to.
    pub wire: String,
    /// Whether it is asked.
    pub active: bool,
    /// When it was first registered, ISO-8601 UTC.
    pub registered_at: String,
}

impl LiquidityJob {
    pub(crate) fn of(row: JobRow) -> Self {
        Self {
            config: serde_json::from_str(&row.config).unwrap_or_else(|_| Value::Object(serde_json::Map::new())),
            job_id: row.job_id,
            is_active: row.is_active,
            created_at: format_utc(row.created_at),
            updated_at: format_utc(row.updated_at),
        }
    }
}

impl RoundLine {
    pub(crate) fn of(round: &Round) -> Self {
        let seconds =
            |time: Option<u64>| time.and_then(|time| i64::try_from(time).ok()?.checked_mul(1_000)).map(format_utc);
        Self {
            round_id: round.round_id.clone(),
            job_id: round.job_id.clone(),
            round_type: round.round_type.clone(),
            mode: round.mode.name().to_owned(),
            number: round.number,
            status: round.status.name().to_owned(),
            reason: round.reason.clone(),
            start_block: round.start_block,
            end_block: round.end_block,
            started_at: seconds(round.start_time),
            ended_at: seconds(round.end_time),
            winner: round.winner.clone(),
            record_hash: round.record_hash.clone(),
        }
    }
}

impl MinerLine {
    pub(crate) fn of(row: MinerRow) -> Self {
        Self { miner: row.miner, wire: row.wire, active: row.active, registered_at: format_utc(row.registered_at) }
    }
}
