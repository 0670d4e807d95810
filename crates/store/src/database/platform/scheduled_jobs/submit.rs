//! What users do with jobs: submit, cancel, resume.

use super::{COLUMNS, JobStatus, ScheduledJob, error_text, locked, store};
use crate::database::DatabaseError;
use crate::database::platform::{PlatformDatabase, counters, events};
use crate::database::statement::{Argument, Statement, signed};

/// A job to be queued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// What kind of work; workers choose by it.
    pub kind: String,
    /// The request as JSON.
    pub request: String,
    /// The user who submits it.
    pub owner: String,
}

impl PlatformDatabase {
    /// Queues a job, unless its owner has `quota` unfinished ones already.
    ///
    /// # Errors
    /// [`DatabaseError::Quota`]; [`DatabaseError::Sql`].
    pub async fn submit_job(&self, job: &NewJob, quota: u32, now_ms: i64) -> Result<ScheduledJob, DatabaseError> {
        let mut transaction = self.begin().await?;
        // The counter's row makes submissions wait for each other, so that the count holds.
        let number = counters::take(&mut transaction, "scheduled_jobs", 1).await?;
        let sql = "SELECT COUNT(*) AS unfinished FROM scheduled_jobs \
                   WHERE owner = $1 AND status IN ('queued', 'running', 'cancelling')";
        let counted = transaction.fetch_one(Statement::new("count jobs", sql).bind(&job.owner)).await?;
        let unfinished = counted.map_or(Ok(0), |row| row.count("unfinished"))?;
        if unfinished >= u64::from(quota) {
            return Err(DatabaseError::Quota { owner: job.owner.clone(), unfinished, quota });
        }
        let queued = ScheduledJob {
            job_id: new_id()?,
            number,
            kind: job.kind.clone(),
            request: job.request.clone(),
            owner: job.owner.clone(),
            status: JobStatus::Queued,
            attempts: 0,
            progress: None,
            result: None,
            error: None,
            created_at: now_ms,
            updated_at: now_ms,
            started_at: None,
            finished_at: None,
            lease_owner: None,
        };
        let nothing = Argument::Text(None);
        let row: Vec<Argument> = vec![
            (&queued.job_id).into(),
            signed("number", number)?.into(),
            (&queued.kind).into(),
            (&queued.request).into(),
            (&queued.owner).into(),
            queued.status.name().into(),
            0.into(),
            nothing.clone(),
            nothing.clone(),
            nothing.clone(),
            now_ms.into(),
            now_ms.into(),
            Argument::Integer(None),
            Argument::Integer(None),
            nothing,
            0.into(),
            0.into(),
        ];
        let head = format!("INSERT INTO scheduled_jobs ({COLUMNS})");
        transaction.execute_all(Statement::insert_many("queue a job", &head, "", [row])).await?;
        events::append(&mut transaction, &[queued.event()], now_ms).await?;
        transaction.commit().await?;
        Ok(queued)
    }

    /// Asks for the end of a job: a queued one is cancelled at once, a running one by its
    /// worker. Asking again, or after the end, changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownJob`]; [`DatabaseError::Sql`].
    pub async fn cancel_job(&self, job_id: &str, now_ms: i64) -> Result<ScheduledJob, DatabaseError> {
        let mut transaction = self.begin().await?;
        let unknown = || DatabaseError::UnknownJob { job_id: job_id.to_owned() };
        let (mut job, token) = locked(&mut transaction, job_id).await?.ok_or_else(unknown)?;
        match job.status {
            JobStatus::Queued => {
                job.status = JobStatus::Cancelled;
                job.finished_at = Some(now_ms);
                job.updated_at = now_ms;
                store(&mut transaction, &job, token, 0).await?;
            }
            JobStatus::Running => {
                job.status = JobStatus::Cancelling;
                job.updated_at = now_ms;
                let sql = "UPDATE scheduled_jobs SET status = 'cancelling', updated_at = $2 WHERE job_id = $1";
                transaction.execute(Statement::new("cancel a job", sql).bind(job_id).bind(now_ms)).await?;
            }
            _ => return Ok(job),
        }
        events::append(&mut transaction, &[job.event()], now_ms).await?;
        transaction.commit().await?;
        Ok(job)
    }

    /// Queues a cancelled or failed job again; it goes on from what it kept.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownJob`]; [`DatabaseError::JobState`] for a job that is not over, or
    /// done; [`DatabaseError::Quota`]; [`DatabaseError::Sql`].
    pub async fn resume_job(&self, job_id: &str, quota: u32, now_ms: i64) -> Result<ScheduledJob, DatabaseError> {
        let mut transaction = self.begin().await?;
        // As at submission: the counter's row makes those wait for each other who raise the count.
        counters::take(&mut transaction, "scheduled_jobs", 0).await?;
        let unknown = || DatabaseError::UnknownJob { job_id: job_id.to_owned() };
        let (mut job, token) = locked(&mut transaction, job_id).await?.ok_or_else(unknown)?;
        if !matches!(job.status, JobStatus::Cancelled | JobStatus::Failed) {
            let status = job.status.name();
            return Err(DatabaseError::JobState { job_id: job_id.to_owned(), status, action: "resumed" });
        }
        let sql = "SELECT COUNT(*) AS unfinished FROM scheduled_jobs \
                   WHERE owner = $1 AND status IN ('queued', 'running', 'cancelling')";
        let counted = transaction.fetch_one(Statement::new("count jobs", sql).bind(&job.owner)).await?;
        let unfinished = counted.map_or(Ok(0), |row| row.count("unfinished"))?;
        if unfinished >= u64::from(quota) {
            return Err(DatabaseError::Quota { owner: job.owner, unfinished, quota });
        }
        job.status = JobStatus::Queued;
        job.attempts = 0;
        job.error = None;
        job.finished_at = None;
        job.updated_at = now_ms;
        store(&mut transaction, &job, token, 0).await?;
        events::append(&mut transaction, &[job.event()], now_ms).await?;
        transaction.commit().await?;
        Ok(job)
    }
}

/// What a job says whose worker vanished once too often.
pub(super) fn interrupted() -> String {
    error_text("interrupted", "interrupted: resume")
}

fn new_id() -> Result<String, DatabaseError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|error| DatabaseError::Random { reason: error.to_string() })?;
    Ok(hex::encode(bytes))
}
