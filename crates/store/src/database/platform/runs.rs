//! The catalogue of runs: what lists show without reading every run's folder.

use super::{NewEvent, PlatformDatabase, counters, events};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Row, Statement, signed};

/// A run as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunRow {
    /// Its id.
    pub run_id: String,
    /// Its place in the order in which runs became known, from 1.
    pub number: u64,
    /// The user who may see it.
    pub owner: String,
    /// The job that made it, if one did.
    pub job_id: Option<String>,
    /// What it is, as JSON.
    pub summary: String,
    /// When it became known, in ms since 1970.
    pub created_at: i64,
    /// When the row was last written, in ms since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "run_id, number, owner, job_id, summary, created_at, updated_at";

impl RunRow {
    /// A row that gets its number when it is stored.
    #[must_use]
    pub const fn new(run_id: String, owner: String, job_id: Option<String>, summary: String, now_ms: i64) -> Self {
        Self { run_id, number: 0, owner, job_id, summary, created_at: now_ms, updated_at: now_ms }
    }

    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            run_id: row.get("run_id")?,
            number: row.count("number")?,
            owner: row.get("owner")?,
            job_id: row.get("job_id")?,
            summary: row.get("summary")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

/// Stores a run; the first owner and job stay. The event, when something changed.
pub(super) async fn upsert(transaction: &mut Transaction, run: &RunRow) -> Result<Option<NewEvent>, DatabaseError> {
    let known = Statement::new("read a run", format!("SELECT {COLUMNS} FROM runs WHERE run_id = $1")).bind(&run.run_id);
    let mut owner = run.owner.clone();
    match transaction.fetch_one(known).await?.map(|row| RunRow::read(&row)).transpose()? {
        Some(known) if known.summary == run.summary => return Ok(None),
        Some(known) => {
            owner = known.owner;
            let sql = "UPDATE runs SET summary = $2, updated_at = $3 WHERE run_id = $1";
            let statement = Statement::new("store a run", sql).bind(&run.run_id).bind(&run.summary);
            transaction.execute(statement.bind(run.updated_at)).await?;
        }
        None => {
            let number = signed("number", counters::take(transaction, "runs", 1).await?)?;
            let sql = "INSERT INTO runs (run_id, number, owner, job_id, summary, created_at, updated_at) \
                       VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (run_id) DO NOTHING";
            let statement = Statement::new("store a run", sql)
                .bind(&run.run_id)
                .bind(number)
                .bind(&run.owner)
                .bind(&run.job_id)
                .bind(&run.summary)
                .bind(run.created_at)
                .bind(run.updated_at);
            transaction.execute(statement).await?;
        }
    }
    let (topic, subject) = ("run".to_owned(), run.run_id.clone());
    Ok(Some(NewEvent { topic, subject, owner: Some(owner), payload: run.summary.clone() }))
}

impl PlatformDatabase {
    /// Stores runs that were found, or changed, outside of any job; rows that say the same
    /// already stay as they are.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_runs(&self, runs: &[RunRow], now_ms: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        let mut told = Vec::new();
        for run in runs {
            told.extend(upsert(&mut transaction, run).await?);
        }
        events::append(&mut transaction, &told, now_ms).await?;
        transaction.commit().await
    }

    /// The run with that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn run(&self, run_id: &str) -> Result<Option<RunRow>, DatabaseError> {
        let statement = Statement::new("read a run", format!("SELECT {COLUMNS} FROM runs WHERE run_id = $1"));
        self.pool.fetch(statement.bind(run_id)).await?.first().map(RunRow::read).transpose()
    }

    /// Runs, newest first, those before the number `before`, of `owner` alone or of everyone;
    /// at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn runs(
        &self,
        owner: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<RunRow>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM runs WHERE ($1 IS NULL OR owner = $1) AND number < $2 ORDER BY number DESC LIMIT $3"
        );
        let before = before.map_or(Ok(i64::MAX), |before| signed("number", before))?;
        let statement = Statement::new("list runs", sql).bind(&owner.map(str::to_owned)).bind(before);
        self.pool.fetch(statement.bind(i64::from(limit))).await?.iter().map(RunRow::read).collect()
    }
}
