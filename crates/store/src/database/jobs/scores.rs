//! The reputation of miners per job.

use ruint::aliases::U256;

use super::{JobsDatabase, RoundMode};
use crate::database::DatabaseError;
use crate::database::statement::{Argument, Row, Statement, signed};

/// The reputation of a miner in a job; practice has rows of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinerScore {
    /// The job.
    pub job_id: String,
    /// The miner's key in hexadecimal.
    pub miner: String,
    /// Whether the rounds followed the chain.
    pub mode: RoundMode,
    /// How often the row was written, as it was read; 0 for a new one. The database raises it.
    pub version: u64,
    /// Average of evaluation scores at 1e-18.
    pub evaluation_ema: i128,
    /// Average of live scores at 1e-18.
    pub live_ema: i128,
    /// Both combined at 1e-18.
    pub combined: i128,
    /// Evaluation rounds with a score.
    pub scored_rounds: u64,
    /// Live rounds with a score.
    pub live_rounds: u64,
    /// Rounds refused.
    pub refusals: u64,
    /// Answers missed or invalid.
    pub missed: u64,
    /// Sum of evaluation scores at 1e-18.
    pub score_sum: i128,
    /// Sum of their squares at 1e-36.
    pub score_square_sum: U256,
    /// When it first took part, in ms since 1970.
    pub first_seen: i64,
    /// When it last took part, in ms since 1970.
    pub last_active: i64,
    /// The last round that changed the row.
    pub last_round: Option<String>,
}

const HEAD: &str = "INSERT INTO miner_scores (job_id, miner, mode, version, evaluation_ema, live_ema, combined, \
    scored_rounds, live_rounds, refusals, missed, score_sum, score_square_sum, first_seen, last_active, last_round)";

/// A row that was written since it was read is not changed, which the caller sees by the count.
const TAIL: &str = "ON CONFLICT (job_id, miner, mode) DO UPDATE SET version = excluded.version, \
    evaluation_ema = excluded.evaluation_ema, live_ema = excluded.live_ema, combined = excluded.combined, \
    scored_rounds = excluded.scored_rounds, live_rounds = excluded.live_rounds, refusals = excluded.refusals, \
    missed = excluded.missed, score_sum = excluded.score_sum, score_square_sum = excluded.score_square_sum, \
    first_seen = excluded.first_seen, last_active = excluded.last_active, last_round = excluded.last_round \
    WHERE miner_scores.version = excluded.version - 1";

pub(super) fn upserts(scores: &[MinerScore]) -> Result<Vec<Statement>, DatabaseError> {
    let mut scores: Vec<&MinerScore> = scores.iter().collect();
    // Two transactions lock rows in the same order and cannot wait for each other.
    scores.sort_by(|a, b| a.miner.cmp(&b.miner));
    let rows = scores
        .into_iter()
        .map(|row| {
            Ok(vec![
                Argument::from(&row.job_id),
                (&row.miner).into(),
                row.mode.name().into(),
                signed("version", row.version.saturating_add(1))?.into(),
                row.evaluation_ema.to_string().into(),
                row.live_ema.to_string().into(),
                row.combined.to_string().into(),
                signed("scored_rounds", row.scored_rounds)?.into(),
                signed("live_rounds", row.live_rounds)?.into(),
                signed("refusals", row.refusals)?.into(),
                signed("missed", row.missed)?.into(),
                row.score_sum.to_string().into(),
                row.score_square_sum.to_string().into(),
                row.first_seen.into(),
                row.last_active.into(),
                (&row.last_round).into(),
            ])
        })
        .collect::<Result<Vec<_>, DatabaseError>>()?;
    Ok(Statement::insert_many("store scores", HEAD, TAIL, rows))
}

fn read(row: &Row) -> Result<MinerScore, DatabaseError> {
    Ok(MinerScore {
        job_id: row.get("job_id")?,
        miner: row.get("miner")?,
        mode: row.parse("mode")?,
        version: row.count("version")?,
        evaluation_ema: row.parse("evaluation_ema")?,
        live_ema: row.parse("live_ema")?,
        combined: row.parse("combined")?,
        scored_rounds: row.count("scored_rounds")?,
        live_rounds: row.count("live_rounds")?,
        refusals: row.count("refusals")?,
        missed: row.count("missed")?,
        score_sum: row.parse("score_sum")?,
        score_square_sum: row.parse("score_square_sum")?,
        first_seen: row.get("first_seen")?,
        last_active: row.get("last_active")?,
        last_round: row.get("last_round")?,
    })
}

impl JobsDatabase {
    /// The scores of a job, the highest combined first, then by key.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn scores(&self, job_id: &str, mode: RoundMode) -> Result<Vec<MinerScore>, DatabaseError> {
        let sql = "SELECT job_id, miner, mode, version, evaluation_ema, live_ema, combined, scored_rounds, \
                   live_rounds, refusals, missed, score_sum, score_square_sum, first_seen, last_active, last_round \
                   FROM miner_scores WHERE job_id = $1 AND mode = $2";
        let rows = self.pool.fetch(Statement::new("read scores", sql).bind(job_id).bind(mode.name())).await?;
        let mut scores = rows.iter().map(read).collect::<Result<Vec<_>, _>>()?;
        scores.sort_by(|a, b| b.combined.cmp(&a.combined).then_with(|| a.miner.cmp(&b.miner)));
        Ok(scores)
    }
}
