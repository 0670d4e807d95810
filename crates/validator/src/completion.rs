//! From a finished round to the rows that store it.

use assay_lp::{LpError, Mode, RoundRecord};
use assay_store::database::{
    CompletedRound, DatabaseError, JobsDatabase, MinerScore, Participation, Prediction, Round, RoundStatus,
};

use crate::standing::{Change, Standing, round_mode};

/// Everything that a completed round writes, in one transaction.
#[derive(Debug, Clone)]
pub(crate) struct Completion {
    pub(crate) round: Round,
    pub(crate) predictions: Vec<Prediction>,
    pub(crate) scores: Vec<MinerScore>,
    pub(crate) participation: Vec<Participation>,
}

impl Completion {
    pub(crate) fn new(record: &RoundRecord, predictions: Vec<Prediction>, change: Change, now_ms: u64) -> Self {
        let Change { scores, participation } = change;
        Self { round: completed(record, now_ms), predictions, scores, participation }
    }

    pub(crate) fn rows(&self) -> CompletedRound<'_> {
        let Self { round, predictions, scores, participation } = self;
        CompletedRound { round, predictions, scores, participation }
    }
}

fn completed(record: &RoundRecord, now_ms: u64) -> Round {
    Round {
        round_id: record.round_id.clone(),
        mode: round_mode(record.mode),
        job_id: record.job.job_id.clone(),
        round_type: record.round_type.name().to_owned(),
        number: record.round_number,
        start_block: Some(record.start.number),
        start_time: Some(record.start.timestamp),
        end_block: Some(record.end.number),
        end_time: Some(record.end.timestamp),
        status: RoundStatus::Completed,
        reason: None,
        winner: record.winner.clone(),
        // Canonical JSON is text in UTF-8.
        record: String::from_utf8(record.canonical()).ok(),
        record_hash: Some(record.hash().to_string()),
        updated_at: i64::try_from(now_ms).unwrap_or(i64::MAX),
    }
}

/// Why a practice round was not stored.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// It is none.
    #[error("round {0} follows the chain; only practice is stored this way")]
    NotPractice(String),
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The engine.
    #[error(transparent)]
    Engine(#[from] LpError),
}

/// Stores a practice round with score rows of its own; what miners earned is not touched.
///
/// # Errors
/// [`PracticeError`]; nothing is stored then.
pub async fn store_practice(database: &JobsDatabase, record: &RoundRecord, now_ms: u64) -> Result<(), PracticeError> {
    if record.mode != Mode::Practice {
        return Err(PracticeError::NotPractice(record.round_id.clone()));
    }
    let mut standing = Standing::load(database, &record.job, Mode::Practice, record.start.timestamp).await?;
    let change = standing.take(record, true, now_ms)?;
    let completion = Completion::new(record, Vec::new(), change, now_ms);
    Ok(database.complete_round(completion.rows(), None).await?)
}
