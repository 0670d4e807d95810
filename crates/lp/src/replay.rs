//! A round over recorded events, as fast as possible: the same engine and rules as a round
//! that follows the chain.

use assay_amm::event::Located;

use crate::clock::{BlockTime, BlockTimes, Checkpoint, CheckpointAt, Window};
use crate::error::LpError;
use crate::job::Job;
use crate::market::{Market, Recorded};
use crate::query::{RebalanceQuery, RoundType};
use crate::record::{Mode, RoundRecord};
use crate::round::{Entrant, Reply, Round};

/// When everything of a round happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The round's number.
    pub number: u64,
    /// First block; the state after it is the start.
    pub start: BlockTime,
    /// Last block, the first one of the next round.
    pub end: BlockTime,
    /// Checkpoints, each with the block after which its answers take effect.
    pub checkpoints: Vec<(Checkpoint, u64)>,
}

impl Plan {
    /// The plan of a round whose blocks all exist; `None` when they do not.
    #[must_use]
    pub fn of(job: &Job, round_type: RoundType, number: u64, times: &BlockTimes) -> Option<Self> {
        let window = Window::of(job, number)?;
        let start = times.first_at(window.from).filter(|block| block.timestamp < window.until)?;
        let end = times.first_at(window.until)?;
        let mut checkpoints = Vec::new();
        while let CheckpointAt::Known(checkpoint) =
            window.checkpoint(job, round_type, start, checkpoints.len() as u32, times)
        {
            let effect = times.first_at(checkpoint.revealed_by)?;
            checkpoints.push((checkpoint, effect.number));
        }
        Some(Self { number, start, end, checkpoints })
    }
}

/// Events of a pool in order, taken block by block into the market.
#[derive(Debug)]
pub struct Tape<'a> {
    events: &'a [Located],
    next: usize,
}

impl<'a> Tape<'a> {
    /// From the first of `events`.
    #[must_use]
    pub const fn new(events: &'a [Located]) -> Self {
        Self { events, next: 0 }
    }

    /// Moves the market to the state after `block` and gives what was asked on the way.
    ///
    /// # Errors
    /// Events that do not fit together.
    pub fn advance(&mut self, market: &mut Market, block: u64) -> Result<Vec<Recorded>, LpError> {
        let mut recorded = Vec::new();
        while let Some(event) = self.events.get(self.next).filter(|event| event.place.block <= block) {
            recorded.extend(market.apply(event)?);
            self.next += 1;
        }
        Ok(recorded)
    }
}

/// Runs an evaluation round over a tape: the market must stand at or before the round's
/// start, and stands after its end then. `ask` is given the questions of a checkpoint (none
/// for miners that refused the round), in the order of `entrants` by registration and key,
/// and gives the replies.
///
/// # Errors
/// Events that do not fit together, or a round that cannot start.
pub fn replay_round(
    job: &Job,
    plan: &Plan,
    market: &mut Market,
    tape: &mut Tape<'_>,
    entrants: Vec<Entrant>,
    mut ask: impl FnMut(&Checkpoint, &[Option<RebalanceQuery>]) -> Vec<Option<Reply>>,
) -> Result<RoundRecord, LpError> {
    tape.advance(market, plan.start.number)?;
    let mut round =
        Round::start(job, Mode::Practice, RoundType::Evaluation, plan.number, plan.start, market, entrants)?;
    for (checkpoint, effect) in &plan.checkpoints {
        round.apply(&tape.advance(market, checkpoint.block)?)?;
        let queries = round.ask(*checkpoint)?;
        for (miner, reply) in ask(checkpoint, &queries).into_iter().enumerate() {
            if let (Some(reply), Some(Some(_))) = (reply, queries.get(miner)) {
                round.note(miner, reply)?;
            }
        }
        round.apply(&tape.advance(market, *effect)?)?;
        round.take_effect(*effect)?;
    }
    round.apply(&tape.advance(market, plan.end.number)?)?;
    round.finish(plan.end)
}
