//! The end of a job under its lease: all effects at once, and once.

use super::lease::{WorkerLease, give_up, held};
use super::{JobStatus, ScheduledJob, error_text, store};
use crate::StoreError;
use crate::database::DatabaseError;
use crate::database::platform::{DatasetRow, PlatformDatabase, RunRow, datasets, events, runs};

/// What a finished job leaves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobEffects {
    /// Its result as JSON.
    pub result: String,
    /// Ids and summaries (JSON) of the runs that it made.
    pub runs: Vec<(String, String)>,
    /// Names and summaries (JSON) of the datasets that it wrote.
    pub datasets: Vec<(String, String)>,
}

/// How an attempt at a job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnding {
    /// It is done.
    Done(JobEffects),
    /// It cannot be done; a code that stays the same, and the words.
    Failed {
        /// The code.
        code: String,
        /// What, where and how to fix it.
        message: String,
    },
    /// It ended on request and kept how far it is.
    Cancelled,
    /// Its process vanished; another attempt may be made at once.
    Interrupted,
    /// Something it needs is in use: another attempt, which does not count, is made after this
    /// many ms.
    Later {
        /// How long to wait, in ms.
        after_ms: i64,
    },
}

impl PlatformDatabase {
    /// Ends an attempt: status, result, catalogue and events in one transaction that refuses
    /// when the lease is lost. `publish` makes the attempt's files visible within it, and is
    /// called only while the lease is held.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`]; [`DatabaseError::Publish`] with the error of `publish`;
    /// [`DatabaseError::Sql`].
    pub async fn finish_job(
        &self,
        lease: &WorkerLease,
        ending: &JobEnding,
        now_ms: i64,
        publish: impl FnOnce() -> Result<(), StoreError> + Send,
    ) -> Result<ScheduledJob, DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut job = held(&mut transaction, lease).await?;
        match ending {
            JobEnding::Interrupted => {
                give_up(&mut transaction, job.clone(), lease.token, now_ms, 0).await?;
                transaction.commit().await?;
                return Ok(job);
            }
            JobEnding::Later { after_ms } => {
                job.attempts = job.attempts.saturating_sub(1);
                let available_at = now_ms.saturating_add(*after_ms);
                give_up(&mut transaction, job.clone(), lease.token, now_ms, available_at).await?;
                transaction.commit().await?;
                return Ok(job);
            }
            JobEnding::Cancelled => job.status = JobStatus::Cancelled,
            JobEnding::Failed { code, message } => {
                job.status = JobStatus::Failed;
                job.error = Some(error_text(code, message));
            }
            JobEnding::Done(effects) => {
                job.status = JobStatus::Done;
                job.result = Some(effects.result.clone());
                job.error = None;
            }
        }
        job.lease_owner = None;
        job.updated_at = now_ms;
        job.finished_at = Some(now_ms);
        store(&mut transaction, &job, lease.token, 0).await?;
        let mut told = vec![job.event()];
        if let JobEnding::Done(effects) = ending {
            for (run_id, summary) in &effects.runs {
                let (owner, job_id) = (job.owner.clone(), Some(job.job_id.clone()));
                let row = RunRow::new(run_id.clone(), owner, job_id, summary.clone(), now_ms);
                told.extend(runs::upsert(&mut transaction, &row).await?);
            }
            for (dataset, summary) in &effects.datasets {
                let row =
                    DatasetRow { dataset: dataset.clone(), number: 0, summary: summary.clone(), updated_at: now_ms };
                told.extend(datasets::upsert(&mut transaction, &row).await?);
            }
        }
        events::append(&mut transaction, &told, now_ms).await?;
        publish()
            .map_err(|source| DatabaseError::Publish { job_id: lease.job_id.clone(), source: Box::new(source) })?;
        transaction.commit().await?;
        Ok(job)
    }
}
