//! What miners answered at checkpoints.

use std::collections::BTreeSet;

use super::lease::hold_if;
use super::{JobLease, JobsDatabase, RoundMode, RoundStatus};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

/// What a miner answered at a checkpoint, or that it did not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prediction {
    /// The round.
    pub round_id: String,
    /// Whether the round follows the chain.
    pub mode: RoundMode,
    /// The miner's key in hexadecimal.
    pub miner: String,
    /// Number of the checkpoint, from 0.
    pub checkpoint: u64,
    /// What came of it, in the validator's words.
    pub outcome: String,
    /// Whether the miner accepted.
    pub accepted: bool,
    /// Why it refused; zero bytes are stored as U+FFFD.
    pub refusal_reason: Option<String>,
    /// The answer's text as revealed; zero bytes are stored as U+FFFD.
    pub answer: Option<String>,
    /// The commitment in hexadecimal.
    pub commitment: Option<String>,
    /// The salt in hexadecimal.
    pub salt: Option<String>,
    /// Whether the answer was signed.
    pub authenticated: bool,
    /// Time until the commitment came, in ms.
    pub response_ms: Option<u64>,
    /// When it came, in ms since 1970.
    pub received_at: Option<i64>,
}

const HEAD: &str = "INSERT INTO predictions (round_id, mode, miner, checkpoint, outcome, accepted, refusal_reason, \
    answer, commitment, salt, authenticated, response_ms, received_at)";

const TAIL: &str = "ON CONFLICT (round_id, mode, miner, checkpoint) DO UPDATE SET outcome = excluded.outcome, \
    accepted = excluded.accepted, refusal_reason = excluded.refusal_reason, answer = excluded.answer, \
    commitment = excluded.commitment, salt = excluded.salt, authenticated = excluded.authenticated, \
    response_ms = excluded.response_ms, received_at = excluded.received_at";

/// A miner's text: PostgreSQL cannot hold zero bytes, and a hostile one must not stop the
/// round from being stored.
fn foreign(text: &Option<String>) -> Argument {
    Argument::Text(text.as_ref().map(|text| text.replace('\0', "\u{fffd}")))
}

pub(super) fn upserts(predictions: &[Prediction]) -> Result<Vec<Statement>, DatabaseError> {
    let rows = predictions
        .iter()
        .map(|row| {
            let response_ms = row.response_ms.map(|number| signed("response_ms", number)).transpose()?;
            Ok(vec![
                Argument::from(&row.round_id),
                row.mode.name().into(),
                (&row.miner).into(),
                signed("checkpoint", row.checkpoint)?.into(),
                (&row.outcome).into(),
                row.accepted.into(),
                foreign(&row.refusal_reason),
                foreign(&row.answer),
                (&row.commitment).into(),
                (&row.salt).into(),
                row.authenticated.into(),
                response_ms.into(),
                row.received_at.into(),
            ])
        })
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    Ok(Statement::insert_many("store answers", HEAD, TAIL, rows))
}

/// Refuses when a round is completed, and until the transaction ends keeps others from
/// completing it.
async fn goes_on(transaction: &mut Transaction, round_id: &str, mode: RoundMode) -> Result<(), DatabaseError> {
    let sql = "UPDATE rounds SET updated_at = updated_at WHERE round_id = $1 AND mode = $2 RETURNING status";
    let statement = Statement::new("store answers", sql).bind(round_id).bind(mode.name());
    let status = transaction.fetch_one(statement).await?.map(|row| row.parse::<RoundStatus>("status")).transpose()?;
    match status {
        Some(RoundStatus::Completed) => {
            Err(DatabaseError::AlreadyCompleted { round_id: round_id.to_owned(), mode: mode.name() })
        }
        _ => Ok(()),
    }
}

fn read(row: &Row) -> Result<Prediction, DatabaseError> {
    Ok(Prediction {
        round_id: row.get("round_id")?,
        mode: row.parse("mode")?,
        miner: row.get("miner")?,
        checkpoint: row.count("checkpoint")?,
        outcome: row.get("outcome")?,
        accepted: row.get("accepted")?,
        refusal_reason: row.get("refusal_reason")?,
        answer: row.get("answer")?,
        commitment: row.get("commitment")?,
        salt: row.get("salt")?,
        authenticated: row.get("authenticated")?,
        response_ms: row.optional_count("response_ms")?,
        received_at: row.get("received_at")?,
    })
}

impl JobsDatabase {
    /// Stores answers of rounds that go on, all or none.
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyCompleted`] when one of their rounds is;
    /// [`DatabaseError::LeaseLost`] when the lease given is another's now;
    /// [`DatabaseError::Sql`], also when one miner has two answers to a checkpoint here.
    pub async fn put_predictions(
        &self,
        predictions: &[Prediction],
        lease: Option<&JobLease>,
    ) -> Result<(), DatabaseError> {
        let statements = upserts(predictions)?;
        let mut transaction = self.pool.begin().await?;
        hold_if(&mut transaction, lease).await?;
        let rounds: BTreeSet<_> = predictions.iter().map(|row| (row.round_id.as_str(), row.mode)).collect();
        for (round_id, mode) in rounds {
            goes_on(&mut transaction, round_id, mode).await?;
        }
        transaction.execute_all(statements).await?;
        transaction.commit().await
    }

    /// The answers of a round by checkpoint, then miner.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn predictions(&self, round_id: &str, mode: RoundMode) -> Result<Vec<Prediction>, DatabaseError> {
        let sql = "SELECT round_id, mode, miner, checkpoint, outcome, accepted, refusal_reason, answer, commitment, \
                   salt, authenticated, response_ms, received_at FROM predictions WHERE round_id = $1 AND mode = $2";
        let rows = self.pool.fetch(Statement::new("read answers", sql).bind(round_id).bind(mode.name())).await?;
        let mut predictions = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        predictions.sort_by(|a, b| (a.checkpoint, &a.miner).cmp(&(b.checkpoint, &b.miner)));
        Ok(predictions)
    }
}
