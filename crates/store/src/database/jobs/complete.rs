//! The end of a round: everything it changes, at once and once.

use super::lease::hold_if;
use super::{JobLease, JobsDatabase, MinerScore, Participation, Prediction, Round, RoundMode, RoundStatus};
use super::{participation, predictions, scores};
use crate::database::DatabaseError;

/// Everything that a completed round changes.
#[derive(Debug, Clone, Copy)]
pub struct CompletedRound<'a> {
    /// The round with its record; its status is [`RoundStatus::Completed`].
    pub round: &'a Round,
    /// Its answers.
    pub predictions: &'a [Prediction],
    /// The new scores of its miners, each made from the version it carries.
    pub scores: &'a [MinerScore],
    /// What is added to days; none in practice.
    pub participation: &'a [Participation],
}

impl JobsDatabase {
    /// Stores a completed round with its answers, scores and participation: all, or nothing
    /// at an error. A round is completed once, whatever number of processes try.
    ///
    /// # Errors
    /// [`DatabaseError::AlreadyCompleted`]; [`DatabaseError::LeaseLost`] when the lease given
    /// is another's now; [`DatabaseError::ScoresMoved`] when a score was written since it was
    /// read; [`DatabaseError::Mismatch`] for rows of another round or job;
    /// [`DatabaseError::Sql`].
    pub async fn complete_round(
        &self,
        completed: CompletedRound<'_>,
        lease: Option<&JobLease>,
    ) -> Result<(), DatabaseError> {
        completed.check(lease)?;
        let CompletedRound { round, .. } = completed;
        let predictions = predictions::upserts(completed.predictions)?;
        let scores = scores::upserts(completed.scores)?;
        let participation = participation::increments(completed.participation)?;
        let mut transaction = self.pool.begin().await?;
        hold_if(&mut transaction, lease).await?;
        // First of all changes: it makes a second process wait here, and then finds it completed.
        round.write(&mut transaction).await?;
        transaction.execute_all(predictions).await?;
        if transaction.execute_all(scores).await? != completed.scores.len() as u64 {
            return Err(DatabaseError::ScoresMoved { job_id: round.job_id.clone() });
        }
        transaction.execute_all(participation).await?;
        transaction.commit().await
    }
}

impl CompletedRound<'_> {
    fn check(&self, lease: Option<&JobLease>) -> Result<(), DatabaseError> {
        let Round { round_id, job_id, mode, status, .. } = self.round;
        same("status", status.name(), RoundStatus::Completed.name())?;
        for prediction in self.predictions {
            same("round_id", &prediction.round_id, round_id)?;
            same("mode", prediction.mode.name(), mode.name())?;
        }
        for score in self.scores {
            same("job_id", &score.job_id, job_id)?;
            same("mode", score.mode.name(), mode.name())?;
        }
        for row in self.participation {
            same("job_id", &row.job_id, job_id)?;
            same("mode", RoundMode::Follow.name(), mode.name())?;
        }
        lease.map_or(Ok(()), |lease| same("job_id", &lease.job_id, job_id))
    }
}

fn same(field: &'static str, found: &str, expected: &str) -> Result<(), DatabaseError> {
    if found == expected {
        return Ok(());
    }
    Err(DatabaseError::Mismatch { field, found: found.to_owned(), expected: expected.to_owned() })
}
