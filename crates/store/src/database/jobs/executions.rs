//! What was sent to the chain for live rounds.

use super::lease::hold_if;
use super::{JobLease, JobsDatabase, TransactionStatus};
use crate::database::DatabaseError;
use crate::database::statement::{Row, Statement, signed};

/// One execution of a live round: at most one per job, round and step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its id.
    pub execution_id: String,
    /// The round.
    pub round_id: String,
    /// The job.
    pub job_id: String,
    /// The miner whose positions are taken.
    pub miner: String,
    /// Number of the step in the round, from 0.
    pub step: u64,
    /// What was decided, as JSON.
    pub strategy: String,
    /// The transaction's hash; `None` until it is sent.
    pub tx_hash: Option<String>,
    /// What became of it.
    pub tx_status: TransactionStatus,
    /// What the chain did, as JSON; `None` until it is known.
    pub actual: Option<String>,
    /// When it was decided, in ms since 1970.
    pub executed_at: i64,
    /// When its end was known, in ms since 1970.
    pub confirmed_at: Option<i64>,
}

const COLUMNS: &str = "execution_id, round_id, job_id, miner, step, strategy, tx_hash, tx_status, actual, \
                       executed_at, confirmed_at";

impl Execution {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            execution_id: row.get("execution_id")?,
            round_id: row.get("round_id")?,
            job_id: row.get("job_id")?,
            miner: row.get("miner")?,
            step: row.count("step")?,
            strategy: row.get("strategy")?,
            tx_hash: row.get("tx_hash")?,
            tx_status: row.parse("tx_status")?,
            actual: row.get("actual")?,
            executed_at: row.get("executed_at")?,
            confirmed_at: row.get("confirmed_at")?,
        })
    }
}

impl JobsDatabase {
    /// Claims a step before it is executed; `false` when the step or the id is taken, so that
    /// it must not be executed again.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`] when the lease given is another's now;
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn claim_execution(&self, row: &Execution, lease: Option<&JobLease>) -> Result<bool, DatabaseError> {
        let sql = "INSERT INTO live_executions (execution_id, round_id, job_id, miner, step, strategy, tx_hash, \
                   tx_status, actual, executed_at, confirmed_at) \
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING";
        let statement = Statement::new("claim an execution", sql)
            .bind(&row.execution_id)
            .bind(&row.round_id)
            .bind(&row.job_id)
            .bind(&row.miner)
            .bind(signed("step", row.step)?)
            .bind(&row.strategy)
            .bind(&row.tx_hash)
            .bind(row.tx_status.name())
            .bind(&row.actual)
            .bind(row.executed_at)
            .bind(row.confirmed_at);
        self.change_one(statement, lease).await
    }

    /// Notes the hash, status, result and time of a pending execution; `false` when it is not
    /// pending any more or there is none.
    ///
    /// # Errors
    /// [`DatabaseError::LeaseLost`] when the lease given is another's now;
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn update_execution(&self, row: &Execution, lease: Option<&JobLease>) -> Result<bool, DatabaseError> {
        let sql = "UPDATE live_executions SET tx_hash = $2, tx_status = $3, actual = $4, confirmed_at = $5 \
                   WHERE execution_id = $1 AND tx_status = 'pending'";
        let statement = Statement::new("note an execution", sql)
            .bind(&row.execution_id)
            .bind(&row.tx_hash)
            .bind(row.tx_status.name())
            .bind(&row.actual)
            .bind(row.confirmed_at);
        self.change_one(statement, lease).await
    }

    async fn change_one(&self, statement: Statement, lease: Option<&JobLease>) -> Result<bool, DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        hold_if(&mut transaction, lease).await?;
        let changed = transaction.execute(statement).await?;
        transaction.commit().await?;
        Ok(changed == 1)
    }

    /// The executions of a round by step.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn executions(&self, round_id: &str) -> Result<Vec<Execution>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM live_executions WHERE round_id = $1 ORDER BY step");
        let rows = self.pool.fetch(Statement::new("read executions", sql).bind(round_id)).await?;
        rows.iter().map(Execution::read).collect()
    }

    /// Executions of a job whose end is not known, the oldest first.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn pending_executions(&self, job_id: &str) -> Result<Vec<Execution>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM live_executions WHERE job_id = $1 AND tx_status = 'pending' \
             ORDER BY executed_at, step"
        );
        let rows = self.pool.fetch(Statement::new("read pending executions", sql).bind(job_id)).await?;
        rows.iter().map(Execution::read).collect()
    }
}
