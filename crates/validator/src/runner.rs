//! One round at work: the same steps as a replayed round, each as soon as its block is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_lp::record::Outcome;
use assay_lp::{
    BlockTime, Checkpoint, CheckpointAt, Job, LpError, RebalanceQuery, Reply, Round, RoundRecord, RoundType, Window,
};
use assay_miner::{MinerClient, MinerEndpoint};
use assay_store::database::Prediction;

use crate::clock::Hold;
use crate::feed::{Ended, Feed};
use crate::ledger::{Ledger, Write};
use crate::live::Acting;
use crate::questions::{Answered, ask, stored_reply};
use crate::report::{Report, Reporter};

/// What all rounds of a job share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) job: Job,
    pub(crate) feed: Arc<Feed>,
    pub(crate) ledger: Ledger,
    pub(crate) client: MinerClient,
    pub(crate) reporter: Reporter,
}

/// How a round ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It has a record.
    Finished {
        record: Box<RoundRecord>,
        predictions: Vec<Prediction>,
        /// Whether something was executed, or nothing had to be.
        executed: bool,
    },
    /// It does not count.
    Abandoned(String),
    /// The source has no more blocks; the round may be resumed.
    Ended,
}

/// Why a round stops early.
#[derive(Debug)]
pub(crate) enum Stop {
    Abandoned(String),
    Ended,
}

impl From<LpError> for Stop {
    fn from(error: LpError) -> Self {
        Self::Abandoned(error.to_string())
    }
}

impl From<Ended> for Stop {
    fn from(_: Ended) -> Self {
        Self::Ended
    }
}

impl From<Stop> for Ending {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Abandoned(reason) => Self::Abandoned(reason),
            Stop::Ended => Self::Ended,
        }
    }
}

/// Whether a question put at `now_ms` leaves the miners at least half of their time.
pub(crate) fn in_time(job: &Job, timestamp: u64, now_ms: u64) -> bool {
    now_ms <= timestamp.saturating_mul(1_000).saturating_add(job.answer_seconds.saturating_mul(500))
}

/// A round in progress.
pub(crate) struct Runner {
    pub(crate) shared: Shared,
    /// Away only while the engine works on it.
    round: Option<Round>,
    pub(crate) round_type: RoundType,
    pub(crate) window: Window,
    /// Where the entrants are asked, by key.
    pub(crate) endpoints: BTreeMap<String, MinerEndpoint>,
    /// Answers that an earlier run of the program stored, by checkpoint.
    pub(crate) stored: BTreeMap<u64, Vec<Prediction>>,
    pub(crate) acting: Option<Acting>,
    applied: usize,
    predictions: Vec<Prediction>,
}

impl Runner {
    pub(crate) fn new(
        shared: Shared,
        round: Round,
        round_type: RoundType,
        window: Window,
        endpoints: BTreeMap<String, MinerEndpoint>,
        stored: Vec<Prediction>,
        acting: Option<Acting>,
    ) -> Self {
        let mut by_checkpoint = BTreeMap::<u64, Vec<Prediction>>::new();
        for row in stored {
            by_checkpoint.entry(row.checkpoint).or_default().push(row);
        }
        let (applied, predictions, round) = (0, Vec::new(), Some(round));
        Self { shared, round, round_type, window, endpoints, stored: by_checkpoint, acting, applied, predictions }
    }

    /// Works until the round has its record or cannot have one.
    pub(crate) async fn run(mut self, mut hold: Hold) -> Ending {
        match self.work(&mut hold).await {
            Ok(end) => self.finish(end).await.unwrap_or_else(Ending::from),
            Err(stop) => stop.into(),
        }
    }

    async fn work(&mut self, hold: &mut Hold) -> Result<BlockTime, Stop> {
        let start = self.round()?.start_block();
        for index in 0.. {
            let checkpoint = {
                let Self { shared: Shared { job, feed, .. }, round_type, window, .. } = &*self;
                feed.wait(hold, |times, through| match window.checkpoint(job, *round_type, start, index, times) {
                    CheckpointAt::Known(checkpoint) if checkpoint.block <= through => Some(Some(checkpoint)),
                    CheckpointAt::Never => Some(None),
                    _ => None,
                })
                .await?
            };
            let Some(checkpoint) = checkpoint else { break };
            self.checkpoint(checkpoint, hold).await?;
        }
        let until = self.window.until;
        self.block_at(until, hold).await
    }

    /// The first block at or after a time, once the market has reached it.
    async fn block_at(&self, time: u64, hold: &mut Hold) -> Result<BlockTime, Stop> {
        let reached =
            |times: &assay_lp::BlockTimes, through| times.first_at(time).filter(|block| block.number <= through);
        Ok(self.shared.feed.wait(hold, reached).await?)
    }

    async fn checkpoint(&mut self, checkpoint: Checkpoint, hold: &mut Hold) -> Result<(), Stop> {
        if let Some(acting) = &mut self.acting {
            acting.look_again(&self.shared, hold).await.map_err(Stop::Abandoned)?;
        }
        let recorded = self.recorded(checkpoint.block);
        let queries = self
            .compute(move |round| {
                round.apply(&recorded)?;
                round.ask(checkpoint)
            })
            .await?;
        let asked: Vec<(usize, RebalanceQuery)> =
            queries.into_iter().enumerate().filter_map(|(miner, query)| Some((miner, query?))).collect();
        let answers = self.answers(&checkpoint, asked, hold).await?;
        self.note(&checkpoint, answers)?;
        let effect = self.block_at(checkpoint.revealed_by, hold).await?;
        if let (Some(acting), Some(round)) = (&mut self.acting, &mut self.round) {
            let done = acting.execute(round, &self.shared, &self.window, checkpoint.index, effect, hold).await;
            done.map_err(Stop::Abandoned)?;
        }
        let recorded = self.recorded(effect.number);
        self.compute(move |round| {
            round.apply(&recorded)?;
            round.take_effect(effect.number)
        })
        .await
    }

    /// What came of the questions of a checkpoint, by place of the miner: as stored, or asked
    /// now.
    async fn answers(
        &mut self,
        checkpoint: &Checkpoint,
        asked: Vec<(usize, RebalanceQuery)>,
        hold: &mut Hold,
    ) -> Result<Vec<(usize, Answered)>, Stop> {
        let names: Vec<String> = self.round()?.miners().map(|entrant| entrant.miner.clone()).collect();
        if let Some(rows) = self.stored.remove(&u64::from(checkpoint.index)) {
            let place = |row: &Prediction| names.iter().position(|name| *name == row.miner);
            let known = |row: Prediction| Some((place(&row)?, Answered { reply: stored_reply(&row), row }));
            let answers: Vec<_> = rows.into_iter().filter_map(known).collect();
            let missing = asked.iter().any(|(miner, _)| answers.iter().all(|(place, _)| place != miner));
            return if missing {
                Err(Stop::Abandoned("its stored answers are not complete".into()))
            } else {
                Ok(answers)
            };
        }
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let Shared { job, client, reporter, .. } = &self.shared;
        if !in_time(job, checkpoint.timestamp, hold.clock().now_ms()) {
            let reason = format!("checkpoint {} could not be asked in time: its block was seen late", checkpoint.index);
            return Err(Stop::Abandoned(reason));
        }
        let (places, questions): (Vec<usize>, Vec<_>) = asked
            .into_iter()
            .filter_map(|(miner, query)| Some((miner, (self.endpoints.get(&names[miner])?.clone(), query))))
            .unzip();
        let answered = ask(client, checkpoint, job.reveal_seconds, questions, hold).await;
        let usable = answered.iter().filter(|answered| matches!(answered.reply, Reply::Answer(_))).count();
        reporter.say(Report::Answered {
            round_id: job.round_id(self.round_type, self.window.number),
            checkpoint: checkpoint.index,
            asked: places.len(),
            answered: usable,
        });
        Ok(places.into_iter().zip(answered).collect())
    }

    /// Lets the round take the answers, and stores them with what they came to.
    fn note(&mut self, checkpoint: &Checkpoint, answers: Vec<(usize, Answered)>) -> Result<(), Stop> {
        let mut rows = Vec::with_capacity(answers.len());
        for (miner, Answered { reply, mut row }) in answers {
            let accepted = matches!(&reply, Reply::Answer(answer) if answer.accepted);
            if let Reply::Answer(answer) = &reply {
                row.refusal_reason.clone_from(&answer.refusal_reason);
            }
            let outcome = self.round.as_mut().ok_or_else(broken)?.note(miner, reply)?;
            outcome.name().clone_into(&mut row.outcome);
            row.accepted = accepted && outcome != Outcome::Invalid;
            debug_assert_eq!(row.checkpoint, u64::from(checkpoint.index));
            rows.push(row);
        }
        self.predictions.extend(rows.iter().cloned());
        if !rows.is_empty() {
            self.shared.ledger.write(Write::Answers(rows));
        }
        Ok(())
    }

    async fn finish(mut self, end: BlockTime) -> Result<Ending, Stop> {
        let recorded = self.recorded(end.number);
        self.compute(move |round| round.apply(&recorded)).await?;
        let Self { round, shared, acting, predictions, .. } = self;
        let round = round.ok_or_else(broken)?;
        let (record, executed) = match acting {
            None => (offload(move || round.finish(end)).await??, true),
            Some(acting) => {
                let report = acting.report(&shared, end).await.map_err(Stop::Abandoned)?;
                let executed = report.executed.executions > 0 || !acting.has_ordered();
                (offload(move || round.finish_executed(end, report.executed)).await??, executed)
            }
        };
        Ok(Ending::Finished { record: Box::new(record), predictions, executed })
    }

    /// Requests that the round has not seen, through `block`.
    fn recorded(&mut self, block: u64) -> Vec<assay_lp::Recorded> {
        let recorded = self.shared.feed.recorded(self.applied, block);
        self.applied += recorded.len();
        recorded
    }

    /// Runs the engine off the threads that keep the clock and the network.
    async fn compute<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Round) -> Result<T, LpError> + Send + 'static,
    ) -> Result<T, Stop> {
        let mut round = self.round.take().ok_or_else(broken)?;
        let (round, done) = offload(move || {
            let done = work(&mut round);
            (round, done)
        })
        .await?;
        self.round = Some(round);
        Ok(done?)
    }

    fn round(&self) -> Result<&Round, Stop> {
        self.round.as_ref().ok_or_else(broken)
    }
}

/// After the engine failed.
fn broken() -> Stop {
    Stop::Abandoned("the engine failed".into())
}

async fn offload<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Stop> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Stop::Abandoned(format!("the engine failed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::empty_row;

    #[test]
    fn stored_rows_give_back_the_reply() {
        let mut row = empty_row("round", "miner", 0);
        row.outcome = "missed".into();
        row.refusal_reason = Some("question: late".into());
        assert_eq!(stored_reply(&row), Reply::Missed("question: late".into()));
        row.outcome = "invalid".into();
        assert_eq!(stored_reply(&row), Reply::Invalid("question: late".into()));
        row.answer = Some(r#"{"accepted":true,"desired_positions":[]}"#.into());
        assert!(matches!(stored_reply(&row), Reply::Answer(_)));
    }
}
