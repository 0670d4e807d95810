//! A liquidity round on the bundled synthetic pool.

use std::path::PathBuf;

use assay_store::write_atomic;
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::lp::events::Source;
use crate::jobs::lp::miners::ALL;
use crate::jobs::lp::round::{First, RoundRequest, RoundShown};
use crate::sample::pool::{events_csv, sample_pool};
use crate::workspace::Workspace;

/// A round of every built-in miner on the sample.
#[derive(Debug, Serialize)]
pub struct SampleRound {
    /// The job's file.
    pub job: PathBuf,
    /// The events' file.
    pub events: PathBuf,
    /// The times of its blocks, as an option reads them.
    pub block_clock: String,
    /// Events in the file, all generated.
    pub event_count: usize,
    /// Always: nothing of it says anything about a real pool.
    pub synthetic: bool,
    /// The round.
    pub round: RoundShown,
}

/// Writes the sample of `seed` to the home and runs its last round.
///
/// # Errors
/// When files cannot be written or the round fails.
pub fn sample_round(workspace: &Workspace, seed: u64) -> Result<SampleRound, JobError> {
    let sample = sample_pool(seed).map_err(|error| JobError::Failed(format!("the sample pool: {error}")))?;
    let folder = workspace.home.path().join("samples").join("liquidity");
    let (job, events) = (folder.join("job.json"), folder.join("events.csv"));
    let text = serde_json::to_string_pretty(&sample.job).expect("a job is plain data");
    write_atomic(&job, text.as_bytes())?;
    write_atomic(&events, events_csv(&sample.events).as_bytes())?;
    let source = Source { events: events.clone(), block_clock: Some(sample.block_clock), sqrt_price: None };
    let (miners, first) = (ALL.to_owned(), First::Last);
    let request = RoundRequest { job: job.clone(), source, miners, first, rounds: 1, out: None, report: None };
    let round = request.run(workspace)?.rounds.pop();
    let round = round.ok_or_else(|| JobError::Failed("the sample holds no round".to_owned()))?;
    let (block_clock, event_count) = (sample.block_clock.to_string(), sample.events.len());
    Ok(SampleRound { job, events, block_clock, event_count, synthetic: true, round })
}
