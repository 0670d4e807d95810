//! Who runs a job: one worker at a time, for as long as it sends heartbeats.
//!
//! The clock is the caller's. Clocks that disagree can end a lease early, but never let two
//! workers end a job: each taking raises a token, and every write checks it.

use super::submit::interrupted;
use super::{COLUMNS, JobStatus, ScheduledJob, locked, store};
use crate::database::DatabaseError;
use crate::database::platform::{PlatformDatabase, events};
use crate::database::pool::Transaction;
use crate::database::statement::Statement;

/// How often a job is taken again after its worker vanished, before a user has to resume it.
pub const MAX_ATTEMPTS: u64 = 5;
/// Jobs whose leases have ended that are looked after at once.
const MAX_EXPIRED: i64 = 100;

/// The right to run a job until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLease {
    /// The job.
    pub job_id: String,
    /// The worker.
    pub worker: String,
    /// Raised with each taking.
    pub token: i64,
    /// When it ends, in ms since 1970.
    pub expires_at: i64,
}

/// A job that a worker has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeasedJob {
    /// The job.
    pub job: ScheduledJob,
    /// The right to run it.
    pub lease: WorkerLease,
}

impl PlatformDatabase {
    /// Takes the next queued job of one of `kinds` until `expires_at`: among the users with the
    /// fewest running jobs the one that was queued first. Jobs whose leases have ended at
    /// `now_ms` are queued again before.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn lease_job(
        &self,
        worker: &str,
        kinds: &[&str],
        now_ms: i64,
        expires_at: i64,
    ) -> Result<Option<LeasedJob>, DatabaseError> {
        if kinds.is_empty() || !self.is_job_waiting(now_ms).await? {
            return Ok(None);
        }
        let mut transaction = self.begin().await?;
        requeue(&mut transaction, now_ms).await?;
        let places: Vec<String> = (2..kinds.len() + 2).map(|place| format!("${place}")).collect();
        // Two workers at once: the second passes over the row that the first has locked.
        let lock = if transaction.is_postgres() { "FOR UPDATE OF j SKIP LOCKED" } else { "" };
        let sql = format!(
            "SELECT {COLUMNS} FROM scheduled_jobs j WHERE j.status = 'queued' AND j.lease_expires_at <= $1 \
             AND j.kind IN ({}) ORDER BY (SELECT COUNT(*) FROM scheduled_jobs other WHERE other.owner = j.owner \
             AND other.status IN ('running', 'cancelling')), j.number LIMIT 1 {lock}",
            places.join(", ")
        );
        let statement =
            kinds.iter().fold(Statement::new("take a job", sql).bind(now_ms), |statement, kind| statement.bind(*kind));
        let Some(row) = transaction.fetch_one(statement).await? else {
            transaction.commit().await?;
            return Ok(None);
        };
        let (mut job, token) = (ScheduledJob::read(&row)?, row.get::<i64>("lease_token")? + 1);
        job.status = JobStatus::Running;
        job.attempts += 1;
        // What an attempt before told is no news of this one.
        job.progress = None;
        job.started_at = job.started_at.or(Some(now_ms));
        job.updated_at = now_ms;
        job.lease_owner = Some(worker.to_owned());
        store(&mut transaction, &job, token, expires_at).await?;
        events::append(&mut transaction, &[job.event()], now_ms).await?;
        transaction.commit().await?;
        let lease = WorkerLease { job_id: job.job_id.clone(), worker: worker.to_owned(), token, expires_at };
        Ok(Some(LeasedJob { job, lease }))
    }

    /// The job of a lease that is still held.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`]; [`DatabaseError::Sql`].
    pub async fn leased_job(&self, lease: &WorkerLease) -> Result<ScheduledJob, DatabaseError> {
        let mut transaction = self.begin().await?;
        held(&mut transaction, lease).await
    }

    /// Holds a lease until a later time and stores what the job told; whether the job's end is
    /// asked for.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`]; [`DatabaseError::Sql`].
    pub async fn job_heartbeat(
        &self,
        lease: &mut WorkerLease,
        progress: Option<&str>,
        now_ms: i64,
        expires_at: i64,
    ) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut job = held(&mut transaction, lease).await?;
        let is_cancelling = job.status == JobStatus::Cancelling;
        let told = progress.filter(|progress| job.progress.as_deref() != Some(progress)).map(str::to_owned);
        let has_changed = told.is_some();
        job.progress = told.or(job.progress);
        job.updated_at = now_ms;
        store(&mut transaction, &job, lease.token, expires_at).await?;
        if has_changed {
            events::append(&mut transaction, &[job.event()], now_ms).await?;
        }
        transaction.commit().await?;
        lease.expires_at = expires_at;
        Ok(is_cancelling)
    }

    /// Queues jobs again whose leases have ended at `now_ms`; those that were to be cancelled
    /// are, and those that were taken [`MAX_ATTEMPTS`] times fail with `interrupted: resume`.
    /// How many jobs changed.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn requeue_expired_jobs(&self, now_ms: i64) -> Result<u64, DatabaseError> {
        if !self.is_job_waiting(now_ms).await? {
            return Ok(0);
        }
        let mut transaction = self.begin().await?;
        let changed = requeue(&mut transaction, now_ms).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Whether there is anything to take or to queue again: read first, because an idle
    /// worker asks often and should not write.
    async fn is_job_waiting(&self, now_ms: i64) -> Result<bool, DatabaseError> {
        let sql = "SELECT job_id FROM scheduled_jobs WHERE status IN ('queued', 'running', 'cancelling') \
                   AND lease_expires_at <= $1 LIMIT 1";
        Ok(!self.pool.fetch(Statement::new("look for a job", sql).bind(now_ms)).await?.is_empty())
    }
}

/// The job of a lease, which nobody else can take until the transaction ends.
pub(super) async fn held(transaction: &mut Transaction, lease: &WorkerLease) -> Result<ScheduledJob, DatabaseError> {
    let lost = || DatabaseError::LeaseLost { job_id: lease.job_id.clone() };
    let (job, token) = locked(transaction, &lease.job_id).await?.ok_or_else(lost)?;
    let is_at_work = matches!(job.status, JobStatus::Running | JobStatus::Cancelling);
    if token != lease.token || !is_at_work || job.lease_owner.as_deref() != Some(&lease.worker) {
        return Err(lost());
    }
    Ok(job)
}

/// Gives a job whose worker is gone to the next one, or ends it. The next may take it from
/// `available_at` on.
pub(super) async fn give_up(
    transaction: &mut Transaction,
    mut job: ScheduledJob,
    token: i64,
    now_ms: i64,
    available_at: i64,
) -> Result<(), DatabaseError> {
    let mut available_at = available_at;
    job.lease_owner = None;
    job.updated_at = now_ms;
    if job.status == JobStatus::Cancelling {
        job.status = JobStatus::Cancelled;
    } else if job.attempts >= MAX_ATTEMPTS {
        job.status = JobStatus::Failed;
        job.error = Some(interrupted());
    } else {
        job.status = JobStatus::Queued;
    }
    if job.status.is_over() {
        job.finished_at = Some(now_ms);
        available_at = 0;
    }
    store(transaction, &job, token, available_at).await?;
    events::append(transaction, &[job.event()], now_ms).await
}

async fn requeue(transaction: &mut Transaction, now_ms: i64) -> Result<u64, DatabaseError> {
    let lock = if transaction.is_postgres() { "FOR UPDATE SKIP LOCKED" } else { "" };
    let sql = format!(
        "SELECT {COLUMNS} FROM scheduled_jobs WHERE status IN ('running', 'cancelling') AND lease_expires_at <= $1 \
         ORDER BY number LIMIT {MAX_EXPIRED} {lock}"
    );
    let rows = transaction.fetch(Statement::new("look for ended leases", sql).bind(now_ms)).await?;
    for row in &rows {
        give_up(transaction, ScheduledJob::read(row)?, row.get("lease_token")?, now_ms, 0).await?;
    }
    Ok(rows.len() as u64)
}
