//! What miners of a job have earned so far, as the next round needs it.

use std::collections::BTreeMap;

use assay_lp::record::Outcome;
use assay_lp::reputation::{Day, Eligibility, PARTICIPATION_DAYS, Reputation, day_of};
use assay_lp::{Entrant, Job, LpError, Mode, RoundRecord, RoundType, hold_score};
use assay_miner::Wire;
use assay_store::database::{DatabaseError, JobsDatabase, MinerRow, MinerScore, Participation, RoundMode};

/// More than one missed answer in this many and the round was not answered.
const MISSED_LIMIT: usize = 5;

/// Scores and participation of a job's miners in one mode.
#[derive(Debug, Clone)]
pub struct Standing {
    job: Job,
    mode: Mode,
    scores: BTreeMap<String, MinerScore>,
    days: BTreeMap<String, BTreeMap<u64, Day>>,
}

/// What a round changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// Score rows, each with the version it was made from.
    pub scores: Vec<MinerScore>,
    /// What is added to days.
    pub participation: Vec<Participation>,
}

/// The mode in the words of the database.
#[must_use]
pub const fn round_mode(mode: Mode) -> RoundMode {
    match mode {
        Mode::Follow => RoundMode::Follow,
        Mode::Practice => RoundMode::Practice,
    }
}

impl Standing {
    /// Reads what the database has, days as a round at `now` (seconds since 1970) needs them.
    ///
    /// # Errors
    /// What the database says.
    pub async fn load(database: &JobsDatabase, job: &Job, mode: Mode, now: u64) -> Result<Self, DatabaseError> {
        let scores = database.scores(&job.job_id, round_mode(mode)).await?;
        let mut days = BTreeMap::new();
        if mode == Mode::Follow {
            let since = date(day_of(now).saturating_sub(PARTICIPATION_DAYS + 1));
            for row in &scores {
                let of_miner = database.participation(&job.job_id, &row.miner, &since).await?;
                let counted = of_miner
                    .iter()
                    .filter_map(|row| Some((day(&row.date)?, Day { offered: row.offered, answered: row.answered })));
                days.insert(row.miner.clone(), counted.collect());
            }
        }
        let scores = scores.into_iter().map(|row| (row.miner.clone(), row)).collect();
        Ok(Self { job: job.clone(), mode, scores, days })
    }

    /// A registered miner as it enters the next round.
    #[must_use]
    pub fn entrant(&self, miner: &MinerRow) -> Entrant {
        Entrant {
            miner: miner.miner.clone(),
            registered_at: u64::try_from(miner.registered_at).unwrap_or(0) / 1_000,
            built_in: false,
            authenticated: miner.wire == Wire::Native.name(),
            combined_before: self.reputation(&miner.miner).combined(),
        }
    }

    /// A miner's reputation.
    #[must_use]
    pub fn reputation(&self, miner: &str) -> Reputation {
        self.scores.get(miner).map_or_else(Reputation::default, |row| Reputation {
            evaluation_ema: row.evaluation_ema,
            live_ema: row.live_ema,
            scored_rounds: row.scored_rounds,
            live_rounds: row.live_rounds,
            excess_sum: row.score_sum,
            excess_square_sum: row.score_square_sum,
        })
    }

    /// Whether a miner may go live in a round that starts at `start` (seconds since 1970).
    #[must_use]
    pub fn eligibility(&self, miner: &str, authenticated: bool, start: u64) -> Eligibility {
        let none = BTreeMap::new();
        let days = self.days.get(miner).unwrap_or(&none);
        Eligibility::of(&self.job, &self.reputation(miner), days, start, authenticated)
    }

    /// Keys of the miners that have a score row.
    pub fn miners(&self) -> impl Iterator<Item = &str> {
        self.scores.keys().map(String::as_str)
    }

    /// Takes a finished round in and gives what changes in the database. A miner's averages
    /// move by its counted score; a free refusal counts as offered and refused and moves
    /// nothing. With `executed` false (a live round of which nothing was executed) only
    /// counters move.
    ///
    /// # Errors
    /// Values above 256 bits.
    pub fn take(&mut self, record: &RoundRecord, executed: bool, now_ms: u64) -> Result<Change, LpError> {
        let hold = hold_score(&record.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96)?;
        let now_ms = i64::try_from(now_ms).unwrap_or(i64::MAX);
        let today = day_of(record.start.timestamp);
        let mut change = Change::default();
        for miner in &record.miners {
            let before = self.reputation(&miner.miner);
            let counted = miner.judgement.counted_score.filter(|_| executed);
            let after = counted.map_or(before, |score| before.after(record.round_type, score, hold));
            let refused = miner.answers.first().is_some_and(|answer| answer.outcome == Outcome::Refused);
            let missed = miner.answers.iter().filter(|answer| !answer.outcome.is_answered()).count();
            let row = self
                .scores
                .entry(miner.miner.clone())
                .or_insert_with(|| new_row(record, &miner.miner, self.mode, now_ms));
            row.evaluation_ema = after.evaluation_ema;
            row.live_ema = after.live_ema;
            row.combined = after.combined();
            row.scored_rounds = after.scored_rounds;
            row.live_rounds = after.live_rounds;
            row.score_sum = after.excess_sum;
            row.score_square_sum = after.excess_square_sum;
            row.refusals += u64::from(refused);
            row.missed += missed as u64;
            row.last_active = now_ms;
            row.last_round = Some(record.round_id.clone());
            change.scores.push(row.clone());
            row.version += 1;
            if record.round_type == RoundType::Evaluation && self.mode == Mode::Follow {
                let first = miner.answers.first().is_some_and(|answer| answer.outcome.is_answered());
                let answered = first && !refused && missed * MISSED_LIMIT <= record.checkpoints.len();
                let day = self.days.entry(miner.miner.clone()).or_default().entry(today).or_default();
                day.offered += 1;
                day.answered += u64::from(answered);
                change.participation.push(Participation {
                    job_id: self.job.job_id.clone(),
                    miner: miner.miner.clone(),
                    date: date(today),
                    offered: 1,
                    answered: u64::from(answered),
                    refused: u64::from(refused),
                });
            }
        }
        Ok(change)
    }
}

fn new_row(record: &RoundRecord, miner: &str, mode: Mode, now_ms: i64) -> MinerScore {
    MinerScore {
        job_id: record.job.job_id.clone(),
        miner: miner.to_owned(),
        mode: round_mode(mode),
        version: 0,
        evaluation_ema: 0,
        live_ema: 0,
        combined: 0,
        scored_rounds: 0,
        live_rounds: 0,
        refusals: 0,
        missed: 0,
        score_sum: 0,
        score_square_sum: assay_amm::U256::ZERO,
        first_seen: now_ms,
        last_active: now_ms,
        last_round: None,
    }
}

/// The UTC date of a day counted from 1970-01-01.
fn date(day: u64) -> String {
    let days = i32::try_from(day).unwrap_or(i32::MAX / 400);
    let epoch = jiff::civil::date(1970, 1, 1);
    epoch
        .checked_add(jiff::Span::new().try_days(days).unwrap_or_default())
        .unwrap_or(jiff::civil::Date::MAX)
        .to_string()
}

/// The day of a UTC date.
fn day(date: &str) -> Option<u64> {
    let date: jiff::civil::Date = date.parse().ok()?;
    let since = date.since(jiff::civil::date(1970, 1, 1)).ok()?;
    u64::try_from(since.get_days()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_dates_are_the_same_thing() {
        for (number, text) in [(0, "1970-01-01"), (19_723, "2024-01-01"), (20_778, "2026-11-21")] {
            assert_eq!(date(number), text);
            assert_eq!(day(text), Some(number));
        }
        assert_eq!(day("2024-02-30"), None);
    }
}
