//! All jobs of a database at once, each in a task of its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::Job;
use assay_miner::MinerClient;
use assay_store::database::{DatabaseError, JobRow, JobsDatabase, MinerRow};
use tokio::sync::watch;
use tokio::task::{JoinError, JoinSet};

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
    let (registered, watching) = watch::channel(registry);
    let (stopping, stopped) = watch::channel(false);
    let mut work = Work {
        database,
        source,
        settings,
        watching,
        stopped,
        tasks: JoinSet::new(),
        begun: BTreeSet::new(),
        ended: 0,
        failed: None,
    };
    work.begin(&rows);
    tokio::pin!(stop);
    while !work.is_over() {
        tokio::select! {
            () = &mut stop => break,
            Some(joined) = work.tasks.join_next() => {
                let active = registered.borrow().active.clone();
                work.end(joined, &active);
            }
            () = tokio::time::sleep(REFRESH) => {
                // While the database is away, what was registered stays.
                if let Ok((registry, rows)) = read(&work.database).await {
                    _ = registered.send(registry);
                    work.begin(&rows);
                }
            }
        }
    }
    _ = stopping.send(true);
    while let Some(joined) = work.tasks.join_next().await {
        work.end(joined, &BTreeSet::new());
    }
    work.failed.map_or(Ok(()), Err)
}

/// The jobs at work.
struct Work {
    database: JobsDatabase,
    source: Arc<dyn EventSource>,
    settings: Settings,
    watching: watch::Receiver<Registry>,
    stopped: watch::Receiver<bool>,
    tasks: JoinSet<(String, Result<(), ValidatorError>)>,
    /// Jobs that are not to be begun: they run, or stopped for good.
    begun: BTreeSet<String>,
    /// Jobs whose source has no more blocks.
    ended: usize,
    failed: Option<ValidatorError>,
}

impl Work {
    /// Begins the active jobs that do not run.
    fn begin(&mut self, rows: &[JobRow]) {
        // A stepped clock must not move while jobs are being started.
        let _starting = self.source.clock().hold();
        let wanted = |job_id: &str| self.settings.jobs.as_ref().is_none_or(|jobs| jobs.contains(job_id));
        let new: Vec<&JobRow> = rows
            .iter()
            .filter(|row| row.is_active && wanted(&row.job_id) && !self.begun.contains(&row.job_id))
            .collect();
        for row in new {
            self.begun.insert(row.job_id.clone());
            let job = match read_job(row) {
                Ok(job) => job,
                Err(error) => {
                    self.fail(row.job_id.clone(), error);
                    continue;
                }
            };
            let (database, source, settings) = (self.database.clone(), Arc::clone(&self.source), self.settings.clone());
            let (watching, stopped) = (self.watching.clone(), self.stopped.clone());
            let hold = source.clock().hold();
            self.tasks.spawn(async move {
                let job_id = job.job_id.clone();
                (job_id, follow_job(job, &database, &*source, &settings, watching, stopped, hold).await)
            });
        }
    }

    /// Takes in how a job ended.
    fn end(&mut self, joined: Result<(String, Result<(), ValidatorError>), JoinError>, active: &BTreeSet<String>) {
        match joined {
            Ok((job_id, Ok(()))) if active.contains(&job_id) => self.ended += 1,
            // It may be made active again.
            Ok((job_id, Ok(()))) => _ = self.begun.remove(&job_id),
            Ok((job_id, Err(error))) => self.fail(job_id, error),
            Err(error) => {
                let job_id = "unknown".to_owned();
                self.fail(job_id.clone(), ValidatorError::Stopped { job_id, reason: error.to_string() });
            }
        }
    }

    fn fail(&mut self, job_id: String, error: ValidatorError) {
        self.settings.reporter.say(Report::Stopped { job_id: job_id.clone(), reason: error.to_string() });
        if may_pass(&error) {
            self.begun.remove(&job_id);
        } else {
            self.failed = Some(error);
        }
    }

    /// Whether no job runs and none will.
    fn is_over(&self) -> bool {
        self.tasks.is_empty() && (self.ended > 0 || self.failed.is_some())
    }
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
