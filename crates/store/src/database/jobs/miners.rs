//! Registered miners, and the jobs they are asked about.

use super::JobsDatabase;
use crate::database::DatabaseError;
use crate::database::statement::{Row, Statement};

/// A registered miner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerRow {
    /// Its public key in hexadecimal.
    pub miner: String,
    /// Where it is asked.
    pub url: String,
    /// The name of the protocol it speaks.
    pub wire: String,
    /// When it was first registered, in ms since 1970; later registrations keep it.
    pub registered_at: i64,
    /// Whether it is asked.
    pub active: bool,
}

/// A job as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its name.
    pub job_id: String,
    /// Its configuration as JSON.
    pub config: String,
    /// Whether new rounds start.
    pub is_active: bool,
    /// When it was first stored, in ms since 1970.
    pub created_at: i64,
    /// When it was last changed, in ms since 1970.
    pub updated_at: i64,
}

impl JobsDatabase {
    /// Registers a miner or changes it; the first time of registration stays.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_miner(&self, row: &MinerRow) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO miners (miner, url, wire, registered_at, active) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (miner) DO UPDATE SET url = excluded.url, wire = excluded.wire, \
                   active = excluded.active";
        let statement = Statement::new("store a miner", sql)
            .bind(&row.miner)
            .bind(&row.url)
            .bind(&row.wire)
            .bind(row.registered_at)
            .bind(row.active);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// All miners, by registration, then key.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn miners(&self) -> Result<Vec<MinerRow>, DatabaseError> {
        let sql = "SELECT miner, url, wire, registered_at, active FROM miners";
        let rows = self.pool.fetch(Statement::new("list miners", sql)).await?;
        let mut miners = rows
            .iter()
            .map(|row| {
                Ok(MinerRow {
                    miner: row.get("miner")?,
                    url: row.get("url")?,
                    wire: row.get("wire")?,
                    registered_at: row.get("registered_at")?,
                    active: row.get("active")?,
                })
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        // Sorted here: the order of texts in PostgreSQL depends on its locale.
        miners.sort_by(|a, b| (a.registered_at, &a.miner).cmp(&(b.registered_at, &b.miner)));
        Ok(miners)
    }

    /// Stores a job or changes it; the first time of storing stays.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_job(&self, row: &JobRow) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO jobs (job_id, config, is_active, created_at, updated_at) VALUES ($1, $2, $3, $4, $5) \
                   ON CONFLICT (job_id) DO UPDATE SET config = excluded.config, is_active = excluded.is_active, \
                   updated_at = excluded.updated_at";
        let statement = Statement::new("store a job", sql)
            .bind(&row.job_id)
            .bind(&row.config)
            .bind(row.is_active)
            .bind(row.created_at)
            .bind(row.updated_at);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// A job; `None` when there is none of that name.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn job(&self, job_id: &str) -> Result<Option<JobRow>, DatabaseError> {
        let sql = "SELECT job_id, config, is_active, created_at, updated_at FROM jobs WHERE job_id = $1";
        let rows = self.pool.fetch(Statement::new("read a job", sql).bind(job_id)).await?;
        rows.first().map(job).transpose()
    }

    /// All jobs by name.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn jobs(&self) -> Result<Vec<JobRow>, DatabaseError> {
        let sql = "SELECT job_id, config, is_active, created_at, updated_at FROM jobs";
        let rows = self.pool.fetch(Statement::new("list jobs", sql)).await?;
        let mut jobs = rows.iter().map(job).collect::<Result<Vec<_>, _>>()?;
        jobs.sort_by(|a, b| a.job_id.cmp(&b.job_id));
        Ok(jobs)
    }
}

fn job(row: &Row) -> Result<JobRow, DatabaseError> {
    Ok(JobRow {
        job_id: row.get("job_id")?,
        config: row.get("config")?,
        is_active: row.get("is_active")?,
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}
