//! What a validator works on: its jobs and the miners that it asks.

use std::path::Path;

pub use assay_lp::Job as Rules;
use assay_lp::Job;
use assay_miner::{MinerEndpoint, Wire};
use assay_store::database::{DatabaseLocation, JobRow, JobsDatabase, MinerRow};
use assay_types::time::{format_utc, parse_utc};
use serde::Serialize;
use tokio::runtime::Runtime;

use crate::error::JobError;
use crate::jobs::lp::job_file::read_job;
use crate::workspace::{Workspace, now_ms};

/// The jobs database in the home folder.
pub(crate) const FILE: &str = "jobs.db";

/// Above are milliseconds, given by mistake.
const MAX_SECONDS: i64 = 100_000_000_000;

/// A job in the database.
#[derive(Debug, Clone, Serialize)]
pub struct JobShown {
    /// The job.
    pub job: Job,
    /// Whether new rounds start.
    pub is_active: bool,
}

/// A registered miner.
#[derive(Debug, Clone, Serialize)]
pub struct MinerShown {
    /// Its key.
    pub miner: String,
    /// Where it is asked.
    pub url: String,
    /// How it is spoken to.
    pub wire: String,
    /// When it was registered, in ms since 1970.
    pub registered_at: i64,
    /// Whether it is asked.
    pub active: bool,
}

/// The jobs database of a command.
pub struct Registry<'a> {
    workspace: &'a Workspace<'a>,
    location: DatabaseLocation,
}

impl<'a> Registry<'a> {
    /// The database given, else the one in the home folder.
    #[must_use]
    pub fn new(workspace: &'a Workspace<'a>, location: Option<DatabaseLocation>) -> Self {
        let location = location.unwrap_or_else(|| DatabaseLocation::Sqlite(workspace.home.path().join(FILE)));
        Self { workspace, location }
    }

    /// Where the database is.
    #[must_use]
    pub const fn location(&self) -> &DatabaseLocation {
        &self.location
    }

    /// Opens the database and does something with it.
    pub(crate) fn with<T>(&self, work: impl AsyncFnOnce(JobsDatabase) -> Result<T, JobError>) -> Result<T, JobError> {
        if self.workspace.dry_run
            && let DatabaseLocation::Sqlite(path) = &self.location
            && !path.exists()
        {
            return Err(JobError::Input(format!(
                "{}: there is no database yet, and a dry run makes none",
                self.location
            )));
        }
        runtime(2)?.block_on(async { work(JobsDatabase::open(&self.location).await?).await })
    }

    /// Stores the job of a file, or its new rules; it is active as the file says.
    ///
    /// # Errors
    /// [`JobError::Input`] for a file that cannot be used.
    pub fn add_job(&self, path: &Path) -> Result<JobShown, JobError> {
        let job = read_job(path)?;
        let shown = JobShown { is_active: job.is_active, job };
        if !self.workspace.dry_run {
            self.with(async |database| Ok(database.put_job(&row(&shown)?).await?))?;
        }
        Ok(shown)
    }

    /// All jobs by name.
    ///
    /// # Errors
    /// What the database says.
    pub fn jobs(&self) -> Result<Vec<JobShown>, JobError> {
        self.with(async |database| database.jobs().await?.iter().map(shown).collect())
    }

    /// A job.
    ///
    /// # Errors
    /// [`JobError::Input`] when there is none of that name.
    pub fn job(&self, job_id: &str) -> Result<JobShown, JobError> {
        self.with(async |database| shown(&find(&database, job_id).await?))
    }

    /// No new rounds of a job start; the one in progress ends as usual.
    ///
    /// # Errors
    /// [`JobError::Input`] when there is none of that name.
    pub fn stop_job(&self, job_id: &str) -> Result<JobShown, JobError> {
        let dry_run = self.workspace.dry_run;
        self.with(async |database| {
            let row = JobRow { is_active: false, updated_at: now_ms(), ..find(&database, job_id).await? };
            if !dry_run {
                database.put_job(&row).await?;
            }
            shown(&row)
        })
    }

    /// Registers a miner, or its new address. `registered_at` is a UTC time or seconds since
    /// 1970 that several validators agree on, now when `None`; the first registration stays.
    ///
    /// # Errors
    /// [`JobError::Input`] for a key, address, wire or time that cannot be used, and for a
    /// miner that is registered since another time than the one given.
    pub fn add_miner(
        &self,
        key: &str,
        url: &str,
        wire: &str,
        registered_at: Option<&str>,
    ) -> Result<MinerShown, JobError> {
        let input = |error: assay_miner::MinerError| JobError::Input(error.to_string());
        let wire: Wire = wire.parse().map_err(input)?;
        let endpoint = MinerEndpoint::new(key, url, wire).map_err(input)?;
        let agreed = registered_at.map(registration).transpose()?;
        let mut row = MinerRow {
            miner: endpoint.key().to_owned(),
            url: url.to_owned(),
            wire: wire.name().to_owned(),
            // Records hold whole seconds.
            registered_at: agreed.unwrap_or_else(|| now_ms() / 1_000 * 1_000),
            active: true,
        };
        let dry_run = self.workspace.dry_run;
        if dry_run && matches!(&self.location, DatabaseLocation::Sqlite(path) if !path.exists()) {
            return Ok(miner(&row));
        }
        self.with(async |database| {
            let before = database.miners().await?.into_iter().find(|before| before.miner == row.miner);
            if let Some(before) = before {
                if agreed.is_some_and(|agreed| agreed != before.registered_at) {
                    let since = format_utc(before.registered_at);
                    let reason = format!("{} is registered since {since}, and the first registration stays", row.miner);
                    return Err(JobError::Input(reason));
                }
                row.registered_at = before.registered_at;
            }
            if !dry_run {
                database.put_miner(&row).await?;
            }
            Ok(miner(&row))
        })
    }

    /// All miners by registration.
    ///
    /// # Errors
    /// What the database says.
    pub fn miners(&self) -> Result<Vec<MinerShown>, JobError> {
        self.with(async |database| Ok(database.miners().await?.iter().map(miner).collect()))
    }
}

/// A time of registration in ms: a UTC time, or seconds since 1970.
fn registration(text: &str) -> Result<i64, JobError> {
    let ms = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let seconds = text.parse().ok().filter(|seconds| *seconds < MAX_SECONDS);
        seconds.map(|seconds: i64| seconds * 1_000)
    } else {
        parse_utc(text).ok().filter(|ms| *ms >= 0 && ms % 1_000 == 0)
    };
    ms.ok_or_else(|| {
        let given: String = text.chars().take(64).collect();
        JobError::Input(format!(
            "--registered-at `{given}` is no whole second: give 2024-01-31T12:00:00Z or seconds since 1970"
        ))
    })
}

/// A runtime for one command.
pub(crate) fn runtime(threads: usize) -> Result<Runtime, JobError> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(threads.max(2)).enable_all().build();
    runtime.map_err(|error| JobError::Failed(format!("the system gives no threads: {error}")))
}

async fn find(database: &JobsDatabase, job_id: &str) -> Result<JobRow, JobError> {
    let missing =
        || JobError::Input(format!("there is no job `{job_id}`: `assay lp job list` shows the jobs there are"));
    database.job(job_id).await?.ok_or_else(missing)
}

fn row(shown: &JobShown) -> Result<JobRow, JobError> {
    let config = serde_json::to_string(&shown.job).map_err(|error| JobError::Failed(error.to_string()))?;
    let now = now_ms();
    let job_id = shown.job.job_id.clone();
    Ok(JobRow { job_id, config, is_active: shown.is_active, created_at: now, updated_at: now })
}

/// A stored job as it is shown.
pub(crate) fn shown(row: &JobRow) -> Result<JobShown, JobError> {
    let damaged =
        |error: serde_json::Error| JobError::Check(format!("job {} as stored does not read: {error}", row.job_id));
    Ok(JobShown { job: serde_json::from_str(&row.config).map_err(damaged)?, is_active: row.is_active })
}

fn miner(row: &MinerRow) -> MinerShown {
    let MinerRow { miner, url, wire, registered_at, active } = row.clone();
    MinerShown { miner, url, wire, registered_at, active }
}
