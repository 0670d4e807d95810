//! What a validator says each miner is worth.

use std::collections::BTreeMap;
use std::path::Path;

use assay_store::write_atomic;
use assay_types::canonical_json;
use assay_validator::weigh;
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::lp::registry::Registry;
use crate::workspace::{Workspace, now_ms};

/// The weights and what they follow from.
#[derive(Debug, Clone, Serialize)]
pub struct Weighed {
    /// As of this time, seconds since 1970.
    pub at: u64,
    /// Weight by miner; with `burnt` they sum to 65,535.
    pub weights: BTreeMap<String, u16>,
    /// What slot 0 gets: everything when nobody is eligible.
    pub burnt: u16,
    /// The jobs.
    pub jobs: Vec<TopMiner>,
}

/// The top eligible miner of a job.
#[derive(Debug, Clone, Serialize)]
pub struct TopMiner {
    /// The job.
    pub job_id: String,
    /// The miner; `None` when nobody is eligible.
    pub miner: Option<String>,
    /// Its combined score at 1e-18.
    pub combined: Option<String>,
    /// What the miner with the highest combined score lacks.
    pub missing: Vec<String>,
}

/// Weighs the miners of all active jobs, and stores the result in a file when one is given.
///
/// # Errors
/// What the databases and files say.
pub fn weighed(workspace: &Workspace, registry: &Registry, out: Option<&Path>) -> Result<Weighed, JobError> {
    let at = u64::try_from(now_ms()).unwrap_or(0) / 1_000;
    let weighing = registry.with(async |database| Ok(weigh(&database, at).await?))?;
    let jobs = weighing.jobs.into_iter().map(|job| {
        let (miner, combined) = job.top.map(|(miner, combined)| (miner, combined.to_string())).unzip();
        TopMiner { job_id: job.job_id, miner, combined, missing: job.missing }
    });
    let weighed =
        Weighed { at, weights: weighing.weights.by_miner, burnt: weighing.weights.burnt, jobs: jobs.collect() };
    if let Some(path) = out.filter(|_| !workspace.dry_run) {
        let value = serde_json::to_value(&weighed).map_err(|error| JobError::Failed(error.to_string()))?;
        write_atomic(path, &canonical_json(&value))?;
    }
    Ok(weighed)
}
