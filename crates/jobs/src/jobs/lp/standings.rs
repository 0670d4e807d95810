//! What a job's miners have earned, and what they lack to go live.

use assay_lp::reputation::{Eligibility, PARTICIPATION_DAYS};
use assay_lp::{Job, Mode};
use assay_store::database::{JobsDatabase, MinerScore, RoundMode};
use assay_validator::Standing;
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::JobError;
use crate::jobs::lp::registry::Registry;
use crate::workspace::now_ms;

/// A miner's standing.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = MinerStanding)]
pub struct StandingShown {
    /// Its key.
    pub miner: String,
    /// Both averages combined, at 1e-18.
    pub combined: String,
    /// Average of evaluation scores, at 1e-18.
    pub evaluation_ema: String,
    /// Average of live scores, at 1e-18.
    pub live_ema: String,
    /// Evaluation rounds scored.
    pub scored_rounds: u64,
    /// Live rounds scored.
    pub live_rounds: u64,
    /// Rounds refused.
    pub refusals: u64,
    /// Answers missed or invalid.
    pub missed: u64,
    /// Complete days of the last seven that count, such as `5 of 7 days`.
    pub days: String,
    /// Whether it may go live.
    pub eligible: bool,
    /// What it lacks.
    pub missing: Vec<String>,
    /// The last round that it took part in.
    #[schema(required)]
    pub last_round: Option<String>,
}

/// The miners of a job, the highest combined score first; those of practice rounds apart.
///
/// # Errors
/// [`JobError::Input`] when there is no such job.
pub fn standings(registry: &Registry, job_id: &str, practice: bool) -> Result<Vec<StandingShown>, JobError> {
    let job = registry.job(job_id)?.job;
    registry.with(async |database| standings_of(&database, &job, practice).await)
}

/// [`standings`] of a job that is read already.
///
/// # Errors
/// When the database cannot be read.
pub async fn standings_of(database: &JobsDatabase, job: &Job, practice: bool) -> Result<Vec<StandingShown>, JobError> {
    let now = u64::try_from(now_ms()).unwrap_or(0) / 1_000;
    let (mode, rows) = if practice { (Mode::Practice, RoundMode::Practice) } else { (Mode::Follow, RoundMode::Follow) };
    let standing = Standing::load(database, job, mode, now).await?;
    let miners = database.miners().await?;
    let rows = database.scores(&job.job_id, rows).await?;
    let line = |row: MinerScore| {
        let native = miners.iter().any(|miner| miner.miner == row.miner && miner.wire == "native");
        let eligibility = standing.eligibility(&row.miner, native, now);
        let eligible = !practice && eligibility.is_eligible();
        let Eligibility { days, missing } = eligibility;
        StandingShown {
            miner: row.miner,
            combined: row.combined.to_string(),
            evaluation_ema: row.evaluation_ema.to_string(),
            live_ema: row.live_ema.to_string(),
            scored_rounds: row.scored_rounds,
            live_rounds: row.live_rounds,
            refusals: row.refusals,
            missed: row.missed,
            days: format!("{days} of {PARTICIPATION_DAYS} days"),
            eligible,
            missing: if practice { vec!["practice earns nothing".to_owned()] } else { missing },
            last_round: row.last_round,
        }
    };
    Ok(rows.into_iter().map(line).collect())
}
