//! What the rounds so far say each miner is worth.

use assay_lp::weights::{Weights, weights};
use assay_lp::{Job, Mode};
use assay_miner::Wire;
use assay_store::database::JobsDatabase;

use crate::error::ValidatorError;
use crate::standing::Standing;
use crate::validator::read_job;

/// The top eligible miner of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobWeight {
    /// The job.
    pub job_id: String,
    /// Its top eligible miner and that one's combined score at 1e-18; `None` when nobody is.
    pub top: Option<(String, i128)>,
    /// Why the miner with the highest combined score is not eligible, if so.
    pub missing: Vec<String>,
}

/// Weights with what they follow from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Weighing {
    /// By job.
    pub jobs: Vec<JobWeight>,
    /// The weights.
    pub weights: Weights,
}

/// Weighs the miners of all active jobs as of `now` (seconds since 1970). Ties within a job
/// go to the earlier registration, then the lower key.
///
/// # Errors
/// [`ValidatorError`] for a database that is away or a job that does not read.
pub async fn weigh(database: &JobsDatabase, now: u64) -> Result<Weighing, ValidatorError> {
    let miners = database.miners().await?;
    let mut jobs = Vec::new();
    for row in database.jobs().await?.iter().filter(|row| row.is_active) {
        let job: Job = read_job(row)?;
        let standing = Standing::load(database, &job, Mode::Follow, now).await?;
        // The database lists miners by registration, then key, and the sort is stable.
        let mut candidates: Vec<_> = miners
            .iter()
            .map(|miner| {
                let eligibility = standing.eligibility(&miner.miner, miner.wire == Wire::Native.name(), now);
                (standing.reputation(&miner.miner).combined(), miner, eligibility)
            })
            .collect();
        candidates.sort_by_key(|(combined, ..)| std::cmp::Reverse(*combined));
        let top = candidates.iter().find(|(_, miner, eligibility)| miner.active && eligibility.is_eligible());
        let missing = candidates.first().map(|(.., eligibility)| eligibility.missing.clone()).unwrap_or_default();
        let top = top.map(|(combined, miner, _)| (miner.miner.clone(), *combined));
        jobs.push(JobWeight { job_id: job.job_id, top, missing });
    }
    let tops: Vec<_> = jobs.iter().filter_map(|job| job.top.clone()).collect();
    Ok(Weighing { weights: weights(&tops), jobs })
}
