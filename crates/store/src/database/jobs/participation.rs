//! How many rounds a miner was offered and answered, by day: follow mode alone.

use super::JobsDatabase;
use crate::database::DatabaseError;
use crate::database::statement::{Argument, Statement, signed};

/// Rounds of a miner in a job on one UTC date, or a change of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participation {
    /// The job.
    pub job_id: String,
    /// The miner's key in hexadecimal.
    pub miner: String,
    /// The UTC date as `YYYY-MM-DD`.
    pub date: String,
    /// Rounds offered.
    pub offered: u64,
    /// Rounds answered.
    pub answered: u64,
    /// Rounds refused.
    pub refused: u64,
}

const HEAD: &str = "INSERT INTO miner_participation (job_id, miner, date, offered, answered, refused)";

const ADD: &str = "ON CONFLICT (job_id, miner, date) DO UPDATE SET \
    offered = miner_participation.offered + excluded.offered, \
    answered = miner_participation.answered + excluded.answered, \
    refused = miner_participation.refused + excluded.refused";

const REPLACE: &str = "ON CONFLICT (job_id, miner, date) DO UPDATE SET offered = excluded.offered, \
    answered = excluded.answered, refused = excluded.refused";

fn upserts(rows: &[Participation], tail: &str) -> Result<Vec<Statement>, DatabaseError> {
    let mut rows: Vec<&Participation> = rows.iter().collect();
    rows.sort_by(|a, b| (&a.job_id, &a.miner, &a.date).cmp(&(&b.job_id, &b.miner, &b.date)));
    let rows = rows
        .into_iter()
        .map(|row| {
            check_date(&row.date)?;
            Ok(vec![
                Argument::from(&row.job_id),
                (&row.miner).into(),
                (&row.date).into(),
                signed("offered", row.offered)?.into(),
                signed("answered", row.answered)?.into(),
                signed("refused", row.refused)?.into(),
            ])
        })
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    Ok(Statement::insert_many("store participation", HEAD, tail, rows))
}

pub(super) fn increments(rows: &[Participation]) -> Result<Vec<Statement>, DatabaseError> {
    upserts(rows, ADD)
}

/// Dates are compared as texts, so each must have all its digits.
fn check_date(date: &str) -> Result<(), DatabaseError> {
    let shape = |(index, byte): (usize, u8)| if matches!(index, 4 | 7) { byte == b'-' } else { byte.is_ascii_digit() };
    if date.len() == 10 && date.bytes().enumerate().all(shape) {
        return Ok(());
    }
    Err(DatabaseError::Mismatch { field: "date", found: date.to_owned(), expected: "YYYY-MM-DD".to_owned() })
}

impl JobsDatabase {
    /// Sets days to these counts, whatever they were.
    ///
    /// # Errors
    /// [`DatabaseError::Mismatch`] for a date that is none; [`DatabaseError::Sql`].
    pub async fn set_participation(&self, rows: &[Participation]) -> Result<(), DatabaseError> {
        let statements = upserts(rows, REPLACE)?;
        let mut transaction = self.pool.begin().await?;
        transaction.execute_all(statements).await?;
        transaction.commit().await
    }

    /// The days of a miner in a job from `since` (`YYYY-MM-DD`) on, by date.
    ///
    /// # Errors
    /// [`DatabaseError::Mismatch`] for a date that is none; [`DatabaseError::Sql`].
    pub async fn participation(
        &self,
        job_id: &str,
        miner: &str,
        since: &str,
    ) -> Result<Vec<Participation>, DatabaseError> {
        check_date(since)?;
        let sql = "SELECT job_id, miner, date, offered, answered, refused FROM miner_participation \
                   WHERE job_id = $1 AND miner = $2 AND date >= $3 ORDER BY date";
        let statement = Statement::new("read participation", sql).bind(job_id).bind(miner).bind(since);
        self.pool
            .fetch(statement)
            .await?
            .iter()
            .map(|row| {
                Ok(Participation {
                    job_id: row.get("job_id")?,
                    miner: row.get("miner")?,
                    date: row.get("date")?,
                    offered: row.count("offered")?,
                    answered: row.count("answered")?,
                    refused: row.count("refused")?,
                })
            })
            .collect()
    }
}
