//! All jobs of a database at once, each in a task of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::Job;
use assay_miner::MinerClient;
use assay_store::database::{DatabaseError, JobRow, JobsDatabase, MinerRow};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::ValidatorError;
use crate::executor::Executor;
use crate::follower::follow_job;
use crate::report::{Report, Reporter};
use crate::source::EventSource;

/// How often registered miners and jobs are read again.
const REFRESH: Duration = Duration::from_secs(5);

/// What a validator works with.
#[derive(Clone)]
pub struct Settings {
    /// Asks the miners; its key is the validator's identity and owns the leases.
    pub client: MinerClient,
    /// Whether the client can ask miners on the v10 axon wire.
    pub asks_axon: bool,
    /// Only these jobs; all active ones when `None`.
    pub jobs: Option<BTreeSet<String>>,
    /// Moves the money of live rounds; without one there are none.
    pub executor: Option<Arc<dyn Executor>>,
    /// Told what happens.
    pub reporter: Reporter,
}

/// What is registered, as last read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Registry {
    pub(crate) miners: Vec<MinerRow>,
    pub(crate) active: BTreeSet<String>,
}

/// Runs the jobs of a database until `stop` is done or the source has no more blocks. What is
/// queued for the database is written before it returns.
///
/// # Errors
/// [`ValidatorError`] when the database or a job cannot be read at the start, or when a job
/// stopped for good; such a job is reported at once and leaves the others alone.
pub async fn run(
    database: JobsDatabase,
    source: Arc<dyn EventSource>,
    settings: Settings,
    stop: impl Future<Output = ()> + Send,
) -> Result<(), ValidatorError> {
    let (registry, rows) = read(&database).await?;
    for job_id in settings.jobs.iter().flatten() {
        if rows.iter().all(|row| row.job_id != *job_id) {
            return Err(ValidatorError::UnknownJob { job_id: job_id.clone() });
        }
    }
    let wanted = |job_id: &str| settings.jobs.as_ref().is_none_or(|jobs| jobs.contains(job_id));
    let (registered, watching) = watch::channel(registry);
    let (stopping, stopped) = watch::channel(false);
    let mut running = BTreeSet::new();
    let mut tasks = JoinSet::new();
    // A stepped clock must not move while jobs are being started.
    let mut starting = Some(source.clock().hold());
    let mut rows = rows;
    let (mut ended, mut failed) = (0, None);
    tokio::pin!(stop);
    loop {
        for row in rows.iter().filter(|row| row.is_active && wanted(&row.job_id)) {
            if running.contains(&row.job_id) {
                continue;
            }
            let job = read_job(row)?;
            running.insert(job.job_id.clone());
            let work = (job, database.clone(), Arc::clone(&source), settings.clone(), watching.clone(), stopped.clone());
            let hold = source.clock().hold();
            tasks.spawn(async move {
                let (job, database, source, settings, watching, stopped) = work;
                let job_id = job.job_id.clone();
                let done = follow_job(job, &database, &*source, &settings, watching, stopped, hold).await;
                (job_id, done)
            });
        }
        drop(starting.take());
        tokio::select! {
            () = &mut stop => break,
            joined = tasks.join_next(), if !tasks.is_empty() => {
                if let Some(Ok((job_id, done))) = joined {
                    let active = registered.borrow().active.contains(&job_id);
                    match done {
                        // It may be made active again.
                        Ok(()) if !active => _ = running.remove(&job_id),
                        Ok(()) => ended += 1,
                        Err(error) => {
                            settings.reporter.say(Report::Stopped { job_id: job_id.clone(), reason: error.to_string() });
                            if may_pass(&error) {
                                running.remove(&job_id);
                            } else {
                                failed = Some(error);
                            }
                        }
                    }
                }
                if tasks.is_empty() && (ended > 0 || failed.is_some()) {
                    break;
                }
            }
            () = tokio::time::sleep(REFRESH) => {
                // While the database is away, what was registered stays.
                if let Ok((registry, read)) = read(&database).await {
                    rows = read;
                    _ = registered.send(registry);
                }
            }
        }
    }
    _ = stopping.send(true);
    while let Some(joined) = tasks.join_next().await {
        if let Ok((job_id, Err(error))) = joined {
            settings.reporter.say(Report::Stopped { job_id, reason: error.to_string() });
            failed = Some(error);
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Whether a job that stopped this way is tried again.
fn may_pass(error: &ValidatorError) -> bool {
    matches!(error, ValidatorError::Database(error)
        if error.is_retryable() || matches!(error, DatabaseError::LeaseHeld { .. } | DatabaseError::LeaseLost { .. }))
}

async fn read(database: &JobsDatabase) -> Result<(Registry, Vec<JobRow>), ValidatorError> {
    let rows = database.jobs().await?;
    let active = rows.iter().filter(|row| row.is_active).map(|row| row.job_id.clone()).collect();
    Ok((Registry { miners: database.miners().await?, active }, rows))
}

/// The job of a row.
pub(crate) fn read_job(row: &JobRow) -> Result<Job, ValidatorError> {
    let fail = |reason: String| ValidatorError::StoredJob { job_id: row.job_id.clone(), reason };
    let job: Job = serde_json::from_str(&row.config).map_err(|error| fail(error.to_string()))?;
    job.check().map_err(|error| fail(error.to_string()))?;
    Ok(job)
}
