//! Who may run a job: one process at a time.
//!
//! The clock is the caller's. Clocks that disagree can end a lease early, but never let two
//! processes write: each taking raises a token, and writes check it.

use super::JobsDatabase;
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::Statement;

/// The right to run a job until a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLease {
    /// The job.
    pub job_id: String,
    /// Who has it.
    pub owner: String,
    /// Raised with each taking.
    pub token: i64,
    /// When it ends, in ms since 1970.
    pub expires_at: i64,
}

impl JobsDatabase {
    /// Takes the lease on a job until `expires_at`: when nobody has it, it has ended at
    /// `now_ms`, or the owner had it before (which ends what it took earlier).
    ///
    /// # Errors
    /// [`DatabaseError::LeaseHeld`] when another owner has it; [`DatabaseError::Sql`].
    pub async fn take_lease(
        &self,
        job_id: &str,
        owner: &str,
        now_ms: i64,
        expires_at: i64,
    ) -> Result<JobLease, DatabaseError> {
        let sql = "INSERT INTO job_leases (job_id, owner, token, expires_at) VALUES ($1, $2, 1, $3) \
                   ON CONFLICT (job_id) DO UPDATE SET owner = excluded.owner, token = job_leases.token + 1, \
                   expires_at = excluded.expires_at \
                   WHERE job_leases.owner = excluded.owner OR job_leases.expires_at <= $4 RETURNING token";
        let action = "take the lease on a job";
        let mut transaction = self.pool.begin().await?;
        let taken = Statement::new(action, sql).bind(job_id).bind(owner).bind(expires_at).bind(now_ms);
        if let Some(row) = transaction.fetch_one(taken).await? {
            let token = row.get("token")?;
            transaction.commit().await?;
            return Ok(JobLease { job_id: job_id.to_owned(), owner: owner.to_owned(), token, expires_at });
        }
        let holder = Statement::new(action, "SELECT owner FROM job_leases WHERE job_id = $1").bind(job_id);
        let row = transaction.fetch_one(holder).await?;
        let owner = row.map_or(Ok("another process".to_owned()), |row| row.get("owner"))?;
        Err(DatabaseError::LeaseHeld { job_id: job_id.to_owned(), owner })
    }

    /// Holds a lease until a later time.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`] when it was taken by another process;
    /// [`DatabaseError::Sql`].
    pub async fn renew_lease(&self, lease: &mut JobLease, expires_at: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        hold(&mut transaction, lease, expires_at).await?;
        transaction.commit().await?;
        lease.expires_at = expires_at;
        Ok(())
    }

    /// Gives a lease back; does nothing when another process has taken it.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn release_lease(&self, lease: JobLease) -> Result<(), DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        match hold(&mut transaction, &lease, 0).await {
            Err(DatabaseError::LeaseLost { .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(()) => transaction.commit().await,
        }
    }
}

/// As [`hold`], for changes that may go without a lease.
pub(super) async fn hold_if(transaction: &mut Transaction, lease: Option<&JobLease>) -> Result<(), DatabaseError> {
    match lease {
        Some(lease) => hold(transaction, lease, lease.expires_at).await,
        None => Ok(()),
    }
}

/// Refuses when the lease is lost, and until the transaction ends keeps others from taking it.
pub(super) async fn hold(
    transaction: &mut Transaction,
    lease: &JobLease,
    expires_at: i64,
) -> Result<(), DatabaseError> {
    let sql = "UPDATE job_leases SET expires_at = $4 WHERE job_id = $1 AND owner = $2 AND token = $3";
    let statement = Statement::new("hold the lease on a job", sql)
        .bind(&lease.job_id)
        .bind(&lease.owner)
        .bind(lease.token)
        .bind(expires_at);
    match transaction.execute(statement).await? {
        0 => Err(DatabaseError::LeaseLost { job_id: lease.job_id.clone() }),
        _ => Ok(()),
    }
}
