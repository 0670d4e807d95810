//! Scheduled jobs: queued by users, taken by workers under leases, ended once.

mod finish;
mod lease;
mod status;
mod submit;

pub use finish::{JobEffects, JobEnding};
pub use lease::{LeasedJob, MAX_ATTEMPTS, WorkerLease};
pub use status::JobStatus;
pub use submit::NewJob;

use serde_json::{Value, json};

use super::{NewEvent, PlatformDatabase};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Most jobs in one page.
const MAX_PAGE: u32 = 1_000;

/// A job and how far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduledJob {
    /// Its id, 32 hexadecimal digits.
    pub job_id: String,
    /// Its place in the order of submission, from 1.
    pub number: u64,
    /// What kind of work.
    pub kind: String,
    /// The request as JSON.
    pub request: String,
    /// The user who submitted it.
    pub owner: String,
    /// How far it is.
    pub status: JobStatus,
    /// How often a worker has taken it since it was submitted or resumed.
    pub attempts: u64,
    /// What its worker last told, as JSON.
    pub progress: Option<String>,
    /// Its result as JSON, once it is done.
    pub result: Option<String>,
    /// Why it failed, as JSON with `code` and `message`.
    pub error: Option<String>,
    /// When it was submitted, in ms since 1970.
    pub created_at: i64,
    /// When the row was last written, in ms since 1970.
    pub updated_at: i64,
    /// When a worker first took it, in ms since 1970.
    pub started_at: Option<i64>,
    /// When it ended, in ms since 1970.
    pub finished_at: Option<i64>,
    /// The worker that has it.
    pub lease_owner: Option<String>,
}

/// Which jobs a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// Those of this user alone.
    pub owner: Option<String>,
    /// Those with this status alone.
    pub status: Option<JobStatus>,
    /// Those of this kind alone.
    pub kind: Option<String>,
}

const COLUMNS: &str = "job_id, number, kind, request, owner, status, attempts, progress, result, error, created_at, \
                       updated_at, started_at, finished_at, lease_owner, lease_token, lease_expires_at";

impl ScheduledJob {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            job_id: row.get("job_id")?,
            number: row.count("number")?,
            kind: row.get("kind")?,
            request: row.get("request")?,
            owner: row.get("owner")?,
            status: row.parse("status")?,
            attempts: row.count("attempts")?,
            progress: row.get("progress")?,
            result: row.get("result")?,
            error: row.get("error")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
            started_at: row.get("started_at")?,
            finished_at: row.get("finished_at")?,
            lease_owner: row.get("lease_owner")?,
        })
    }

    /// The change as those see it who watch: everything but request and result, which may be
    /// long.
    fn event(&self) -> NewEvent {
        let value = |text: &Option<String>| text.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let payload = json!({
            "job_id": self.job_id,
            "kind": self.kind,
            "status": self.status.name(),
            "attempts": self.attempts,
            "progress": value(&self.progress),
            "error": value(&self.error),
        });
        NewEvent {
            topic: "job".to_owned(),
            subject: self.job_id.clone(),
            owner: Some(self.owner.clone()),
            payload: payload.to_string(),
        }
    }
}

impl PlatformDatabase {
    /// The job with that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn job(&self, job_id: &str) -> Result<Option<ScheduledJob>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM scheduled_jobs WHERE job_id = $1");
        let rows = self.pool.fetch(Statement::new("read a job", sql).bind(job_id)).await?;
        rows.first().map(ScheduledJob::read).transpose()
    }

    /// The jobs whose id begins with `prefix`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn jobs_by_prefix(&self, prefix: &str, limit: u32) -> Result<Vec<ScheduledJob>, DatabaseError> {
        // The ids are hexadecimal, so that no letter sorts behind `g`.
        let sql = format!(
            "SELECT {COLUMNS} FROM scheduled_jobs WHERE substr(job_id, 1, length($1)) = $1 ORDER BY number LIMIT $2"
        );
        let statement = Statement::new("find a job", sql).bind(prefix).bind(i64::from(limit.min(MAX_PAGE)));
        self.pool.fetch(statement).await?.iter().map(ScheduledJob::read).collect()
    }

    /// Jobs, newest first, those before the number `before`, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<ScheduledJob>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM scheduled_jobs WHERE ($1 IS NULL OR owner = $1) AND ($2 IS NULL OR status = $2) \
             AND ($3 IS NULL OR kind = $3) AND number < $4 ORDER BY number DESC LIMIT $5"
        );
        let before = before.map_or(Ok(i64::MAX), |before| signed("number", before))?;
        let statement = Statement::new("list jobs", sql)
            .bind(&filter.owner)
            .bind(Argument::Text(filter.status.map(|status| status.name().to_owned())))
            .bind(&filter.kind)
            .bind(before)
            .bind(i64::from(limit.min(MAX_PAGE)));
        self.pool.fetch(statement).await?.iter().map(ScheduledJob::read).collect()
    }
}

/// A job within a transaction; its row stays as it is until the transaction ends.
async fn locked(transaction: &mut Transaction, job_id: &str) -> Result<Option<(ScheduledJob, i64)>, DatabaseError> {
    let sql = if transaction.is_postgres() {
        format!("SELECT {COLUMNS} FROM scheduled_jobs WHERE job_id = $1 FOR UPDATE")
    } else {
        format!("SELECT {COLUMNS} FROM scheduled_jobs WHERE job_id = $1")
    };
    let row = transaction.fetch_one(Statement::new("read a job", sql).bind(job_id)).await?;
    row.map(|row| Ok((ScheduledJob::read(&row)?, row.get("lease_token")?))).transpose()
}

/// Writes back what can change about a job; nobody has a lease on it afterwards unless
/// `lease` says who and until when.
async fn store(
    transaction: &mut Transaction,
    job: &ScheduledJob,
    token: i64,
    expires_at: i64,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE scheduled_jobs SET status = $2, attempts = $3, progress = $4, result = $5, error = $6, \
               updated_at = $7, started_at = $8, finished_at = $9, lease_owner = $10, lease_token = $11, \
               lease_expires_at = $12 WHERE job_id = $1";
    let statement = Statement::new("store a job", sql)
        .bind(&job.job_id)
        .bind(job.status.name())
        .bind(signed("attempts", job.attempts)?)
        .bind(&job.progress)
        .bind(&job.result)
        .bind(&job.error)
        .bind(job.updated_at)
        .bind(job.started_at)
        .bind(job.finished_at)
        .bind(&job.lease_owner)
        .bind(token)
        .bind(expires_at);
    transaction.execute(statement).await?;
    Ok(())
}

/// The column `error`.
fn error_text(code: &str, message: &str) -> String {
    json!({ "code": code, "message": message }).to_string()
}
