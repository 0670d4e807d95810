//! Rounds of jobs.

use super::lease::hold_if;
use super::{JobLease, JobsDatabase, RoundMode, RoundStatus};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Most rounds in one page.
pub const MAX_PAGE: u32 = 1000;

/// A round and, when it is completed, its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// Its id, the same for every validator.
    pub round_id: String,
    /// Whether it follows the chain.
    pub mode: RoundMode,
    /// Its job.
    pub job_id: String,
    /// `evaluation` or `live`.
    pub round_type: String,
    /// Its number in the job, from 0.
    pub number: u64,
    /// First block; `None` until it is known.
    pub start_block: Option<u64>,
    /// Time of the first block in seconds since 1970.
    pub start_time: Option<u64>,
    /// Last block; `None` until it is known.
    pub end_block: Option<u64>,
    /// Time of the last block in seconds since 1970.
    pub end_time: Option<u64>,
    /// How far it is.
    pub status: RoundStatus,
    /// Why it failed.
    pub reason: Option<String>,
    /// The winner's key.
    pub winner: Option<String>,
    /// The record as canonical JSON.
    pub record: Option<String>,
    /// The record's hash in hexadecimal.
    pub record_hash: Option<String>,
    /// When the row was last written, in ms since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "round_id, mode, job_id, round_type, number, start_block, start_time, end_block, end_time, \
                       status, reason, winner, record, record_hash, updated_at";

const INSERT: &str = "INSERT INTO rounds (round_id, mode, job_id, round_type, number, start_block, start_time, \
    end_block, end_time, status, reason, winner, record, record_hash, updated_at) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) ON CONFLICT DO NOTHING";

const UPDATE: &str = "UPDATE rounds SET start_block = $6, start_time = $7, end_block = $8, end_time = $9, \
    status = $10, reason = $11, winner = $12, record = $13, record_hash = $14, updated_at = $15 \
    WHERE round_id = $1 AND mode = $2 AND job_id = $3 AND round_type = $4 AND number = $5 AND status <> 'completed'";

impl Round {
    /// Writes the round unless it is completed. Of two processes at once the second waits for
    /// the first at the insert, whichever unique key it meets there, and then finds the round as
    /// the first left it.
    pub(super) async fn write(&self, transaction: &mut Transaction) -> Result<(), DatabaseError> {
        for sql in [INSERT, UPDATE] {
            if transaction.execute(self.statement(sql)?).await? == 1 {
                return Ok(());
            }
        }
        let sql = "SELECT round_id FROM rounds WHERE job_id = $1 AND round_type = $2 AND number = $3 AND mode = $4";
        let holder = Statement::new("read a round", sql)
            .bind(&self.job_id)
            .bind(&self.round_type)
            .bind(signed("number", self.number)?)
            .bind(self.mode.name());
        match transaction.fetch_one(holder).await?.map(|row| row.get::<String>("round_id")).transpose()? {
            Some(holder) if holder == self.round_id => {
                Err(DatabaseError::AlreadyCompleted { round_id: self.round_id.clone(), mode: self.mode.name() })
            }
            other => Err(DatabaseError::Mismatch {
                field: "round_id",
                found: self.round_id.clone(),
                expected: other.unwrap_or_else(|| "another job, type or number".to_owned()),
            }),
        }
    }

    fn statement(&self, sql: &'static str) -> Result<Statement, DatabaseError> {
        let optional = |column, number: Option<u64>| -> Result<Argument, DatabaseError> {
            Ok(Argument::Integer(number.map(|number| signed(column, number)).transpose()?))
        };
        Ok(Statement::new("store a round", sql)
            .bind(&self.round_id)
            .bind(self.mode.name())
            .bind(&self.job_id)
            .bind(&self.round_type)
            .bind(signed("number", self.number)?)
            .bind(optional("start_block", self.start_block)?)
            .bind(optional("start_time", self.start_time)?)
            .bind(optional("end_block", self.end_block)?)
            .bind(optional("end_time", self.end_time)?)
            .bind(self.status.name())
            .bind(&self.reason)
            .bind(&self.winner)
            .bind(&self.record)
            .bind(&self.record_hash)
            .bind(self.updated_at))
    }

    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            round_id: row.get("round_id")?,
            mode: row.parse("mode")?,
            job_id: row.get("job_id")?,
            round_type: row.get("round_type")?,
            number: row.count("number")?,
            start_block: row.optional_count("start_block")?,
            start_time: row.optional_count("start_time")?,
            end_block: row.optional_count("end_block")?,
            end_time: row.optional_count("end_time")?,
            status: row.parse("status")?,
            reason: row.get("reason")?,
            winner: row.get("winner")?,
            record: row.get("record")?,
            record_hash: row.get("record_hash")?,
            updated_at: row.get("updated_at")?,
        })
    }
}

impl JobsDatabase {
    /// Stores a round that is pending or active. Rounds are completed with
    /// [`JobsDatabase::complete_round`] and fail with [`JobsDatabase::fail_round`].
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyCompleted`]; [`DatabaseError::Mismatch`] for another status, and
    /// when another round has its job, type and number; [`DatabaseError::LeaseLost`] when the
    /// lease given is another's now; [`DatabaseError::Sql`].
    pub async fn put_round(&self, round: &Round, lease: Option<&JobLease>) -> Result<(), DatabaseError> {
        if !matches!(round.status, RoundStatus::Pending | RoundStatus::Active) {
            return Err(DatabaseError::Mismatch {
                field: "status",
                found: round.status.name().to_owned(),
                expected: "pending or active".to_owned(),
            });
        }
        let mut transaction = self.pool.begin().await?;
        hold_if(&mut transaction, lease).await?;
        round.write(&mut transaction).await?;
        transaction.commit().await
    }

    /// Marks a round as failed, with the reason.
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyCompleted`] when it is completed or there is none;
    /// [`DatabaseError::LeaseLost`] when the lease given is another's now;
    /// [`DatabaseError::Sql`].
    pub async fn fail_round(
        &self,
        round_id: &str,
        mode: RoundMode,
        reason: &str,
        now_ms: i64,
        lease: Option<&JobLease>,
    ) -> Result<(), DatabaseError> {
        let sql = "UPDATE rounds SET status = 'failed', reason = $3, updated_at = $4 \
                   WHERE round_id = $1 AND mode = $2 AND status <> 'completed'";
        let statement = Statement::new("fail a round", sql).bind(round_id).bind(mode.name()).bind(reason).bind(now_ms);
        let mut transaction = self.pool.begin().await?;
        hold_if(&mut transaction, lease).await?;
        match transaction.execute(statement).await? {
            0 => Err(DatabaseError::AlreadyCompleted { round_id: round_id.to_owned(), mode: mode.name() }),
            _ => transaction.commit().await,
        }
    }

    /// A round; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn round(&self, round_id: &str, mode: RoundMode) -> Result<Option<Round>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM rounds WHERE round_id = $1 AND mode = $2");
        let rows = self.pool.fetch(Statement::new("read a round", sql).bind(round_id).bind(mode.name())).await?;
        rows.first().map(Round::read).transpose()
    }

    /// Rounds of a job with a number below `before` (`None`: from the newest), the newest
    /// first, at most `limit` and [`MAX_PAGE`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn rounds(
        &self,
        job_id: &str,
        round_type: &str,
        mode: RoundMode,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Round>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM rounds WHERE job_id = $1 AND round_type = $2 AND mode = $3 AND number < $4 \
             ORDER BY number DESC LIMIT $5"
        );
        let before = before.map_or(Ok(i64::MAX), |before| signed("number", before))?;
        let statement = Statement::new("list rounds", sql)
            .bind(job_id)
            .bind(round_type)
            .bind(mode.name())
            .bind(before)
            .bind(i64::from(limit.min(MAX_PAGE)));
        self.pool.fetch(statement).await?.iter().map(Round::read).collect()
    }

    /// Pending and active rounds of a job, or of all, by job, type and number: what a killed
    /// validator left.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn unfinished_rounds(&self, job_id: Option<&str>) -> Result<Vec<Round>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM rounds WHERE status IN ('pending', 'active') AND (job_id = $1 OR $2)");
        let statement =
            Statement::new("list unfinished rounds", sql).bind(job_id.unwrap_or_default()).bind(job_id.is_none());
        let rows = self.pool.fetch(statement).await?;
        let mut rounds = rows.iter().map(Round::read).collect::<Result<Vec<_>, _>>()?;
        rounds.sort_by(|a, b| {
            (&a.job_id, &a.round_type, a.number, a.mode).cmp(&(&b.job_id, &b.round_type, b.number, b.mode))
        });
        Ok(rounds)
    }
}
