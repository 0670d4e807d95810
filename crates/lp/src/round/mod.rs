//! A round as it happens: questions, answers, requests of the market, and the record.

mod finish;

pub use finish::Executed;

use assay_amm::U256;
use assay_amm::replay::ReplayPool;

use crate::clock::{BlockTime, Checkpoint};
use crate::decision::{Decision, decide, parts_per_million};
use crate::error::LpError;
use crate::job::Job;
use crate::market::{Market, Recorded, Request};
use crate::participant::{Held, Holdings, Participant};
use crate::query::{DesiredPosition, RebalanceAnswer, RebalanceQuery, RoundType};
use crate::record::{AnswerRecord, Mode, Outcome, PathPoint, Placed};
use crate::value::{price_float, value_in_token1};

/// Points of the price's path that a record keeps.
pub const PATH_POINTS: usize = 200;

/// A miner that takes part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entrant {
    /// Its key, or the name of a built-in strategy.
    pub miner: String,
    /// When it registered, seconds since 1970.
    pub registered_at: u64,
    /// A built-in baseline.
    pub built_in: bool,
    /// Whether its answers are signed and sealed.
    pub authenticated: bool,
    /// Combined score before the round, 1e-18.
    pub combined_before: i128,
}

/// What came of asking a miner.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// An answer in time, read.
    Answer(RebalanceAnswer),
    /// None in time, or none revealed; the reason is for the validator's own notes.
    Missed(String),
    /// One that does not read or does not fit its commitment.
    Invalid(String),
}

/// The state that a round starts from.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The block after which the round starts.
    pub start: BlockTime,
    /// The pool of each miner, before its capital stands in it.
    pool: ReplayPool,
    /// The fee that the next swap is expected to pay, in millionths, when one is known.
    fee_pips: Option<u32>,
}

impl Opening {
    /// What a round that starts now would start from.
    ///
    /// # Errors
    /// A pool without a price, or a fee out of range.
    pub fn of(market: &Market, start: BlockTime) -> Result<Self, LpError> {
        Ok(Self { start, pool: market.round_pool(start.number)?, fee_pips: market.fee_pips() })
    }

    /// The square-root price.
    #[must_use]
    pub fn sqrt_price_x96(&self) -> U256 {
        self.pool.core().sqrt_price_x96
    }
}

#[derive(Debug, Clone)]
struct Seat {
    entrant: Entrant,
    participant: Participant,
    answers: Vec<AnswerRecord>,
    shown: Option<RebalanceQuery>,
    /// What the miner asked for last, once it asked for anything.
    wanted: Option<Vec<DesiredPosition>>,
    pending: Option<Vec<DesiredPosition>>,
    refused: bool,
    max_il_ppm: u32,
}

/// A round in progress.
#[derive(Debug, Clone)]
pub struct Round {
    job: Job,
    mode: Mode,
    round_type: RoundType,
    number: u64,
    start: BlockTime,
    start_sqrt_price_x96: U256,
    sqrt_price_x96: U256,
    fee_pips: Option<u32>,
    checkpoints: Vec<Checkpoint>,
    /// Where the answers of the last checkpoint took effect; 0 while it is open.
    effective_block: u64,
    seats: Vec<Seat>,
    requests: u64,
    unexplained: u64,
    path: Vec<PathPoint>,
}

impl Round {
    /// A round that starts with the market's state after block `start`.
    ///
    /// # Errors
    /// A job that cannot be used, a pool without price, or an inventory worth nothing.
    pub fn start(
        job: &Job,
        mode: Mode,
        round_type: RoundType,
        number: u64,
        start: BlockTime,
        market: &Market,
        entrants: Vec<Entrant>,
    ) -> Result<Self, LpError> {
        job.check()?;
        Self::open(job, mode, round_type, number, &Opening::of(market, start)?, entrants)
    }

    /// As [`Self::start`], from a state that was kept.
    ///
    /// # Errors
    /// As there.
    pub fn open(
        job: &Job,
        mode: Mode,
        round_type: RoundType,
        number: u64,
        opening: &Opening,
        mut entrants: Vec<Entrant>,
    ) -> Result<Self, LpError> {
        job.check()?;
        let Opening { start, pool, fee_pips } = opening;
        let (start, fee_pips) = (*start, *fee_pips);
        let price = pool.core().sqrt_price_x96;
        if value_in_token1(job.inventory, price).is_none_or(|value| value.is_zero()) {
            return Err(LpError::Order("the inventory is worth nothing in token 1 at the start".into()));
        }
        entrants.sort_by(|a, b| (a.registered_at, &a.miner).cmp(&(b.registered_at, &b.miner)));
        if let Some(pair) = entrants.windows(2).find(|pair| pair[0].miner == pair[1].miner) {
            return Err(LpError::Order(format!("{} takes part twice", pair[0].miner)));
        }
        let seat = |entrant: Entrant| -> Result<Seat, LpError> {
            Ok(Seat {
                entrant,
                participant: Participant::new(pool.clone(), job.inventory, start.number)?,
                answers: Vec::new(),
                shown: None,
                wanted: None,
                pending: None,
                refused: false,
                max_il_ppm: 0,
            })
        };
        let seats = entrants.into_iter().map(seat).collect::<Result<Vec<_>, _>>()?;
        let path = vec![PathPoint { block: start.number, sqrt_price_x96: price }];
        Ok(Self {
            job: job.clone(),
            mode,
            round_type,
            number,
            start,
            start_sqrt_price_x96: price,
            sqrt_price_x96: price,
            fee_pips,
            checkpoints: Vec::new(),
            effective_block: 0,
            seats,
            requests: 0,
            unexplained: 0,
            path,
        })
    }

    /// Keys of the miners, in the order of all lists here.
    pub fn miners(&self) -> impl Iterator<Item = &Entrant> {
        self.seats.iter().map(|seat| &seat.entrant)
    }

    /// The miner's capital.
    #[must_use]
    pub fn participant(&self, miner: usize) -> &Participant {
        &self.seats[miner].participant
    }

    /// The block after which the round starts.
    #[must_use]
    pub const fn start_block(&self) -> BlockTime {
        self.start
    }

    /// The next requests of the market, in order.
    ///
    /// # Errors
    /// When a miner's books overflow.
    pub fn apply(&mut self, recorded: &[Recorded]) -> Result<(), LpError> {
        for seat in &mut self.seats {
            seat.participant.apply(recorded)?;
        }
        for event in recorded {
            if let Request::Swap { exact, fee_pips, .. } = event.request {
                self.unexplained += u64::from(!exact);
                self.fee_pips = fee_pips.or(self.fee_pips);
            }
            match self.path.last_mut() {
                Some(point) if point.block == event.place.block => point.sqrt_price_x96 = event.sqrt_price_x96,
                _ => {
                    let (block, sqrt_price_x96) = (event.place.block, event.sqrt_price_x96);
                    self.path.push(PathPoint { block, sqrt_price_x96 });
                }
            }
            self.sqrt_price_x96 = event.sqrt_price_x96;
        }
        self.requests += recorded.len() as u64;
        Ok(())
    }

    /// Opens a checkpoint: one question per miner, none for those that refused the round.
    ///
    /// # Errors
    /// A checkpoint out of order, or amounts that overflow.
    pub fn ask(&mut self, checkpoint: Checkpoint) -> Result<Vec<Option<RebalanceQuery>>, LpError> {
        if checkpoint.index as usize != self.checkpoints.len() {
            let reason = format!("checkpoint {} follows {}", checkpoint.index, self.checkpoints.len());
            return Err(LpError::Order(reason));
        }
        if checkpoint.block < self.effective_block || !self.checkpoints.is_empty() && self.effective_block == 0 {
            let seconds = self.job.answer_seconds;
            let reason = format!(
                "checkpoint {} at block {} comes before the answers of the one before take effect: {seconds} s to \
                 answer do not fit between checkpoints; lower answer_seconds or ask less often",
                checkpoint.index, checkpoint.block
            );
            return Err(LpError::Order(reason));
        }
        self.effective_block = 0;
        self.checkpoints.push(checkpoint);
        let mut queries = Vec::with_capacity(self.seats.len());
        for index in 0..self.seats.len() {
            self.seats[index].participant.advance(checkpoint.block);
            self.note_loss(index)?;
            let query = if self.seats[index].refused { None } else { Some(self.query(index, checkpoint)?) };
            self.seats[index].shown.clone_from(&query);
            queries.push(query);
        }
        Ok(queries)
    }

    fn query(&self, miner: usize, checkpoint: Checkpoint) -> Result<RebalanceQuery, LpError> {
        let participant = &self.seats[miner].participant;
        let mut current_positions = Vec::with_capacity(participant.held().len());
        for held in participant.held() {
            let [principal, owed] = participant.worth(held)?;
            let total = principal.checked_add(owed).ok_or(LpError::Overflow { what: "a position" })?;
            current_positions.push(DesiredPosition {
                tick_lower: held.tick_lower,
                tick_upper: held.tick_upper,
                allocation0: total.amount0,
                allocation1: total.amount1,
                confidence: None,
            });
        }
        let sqrt_price_x96 = participant.core().sqrt_price_x96;
        Ok(RebalanceQuery {
            job_id: self.job.job_id.clone(),
            sn_liquidity_manager_address: self.job.sn_liquidity_manager_address.clone(),
            pair_address: self.job.pair_address.clone(),
            chain_id: self.job.chain_id,
            round_id: self.job.round_id(self.round_type, self.number),
            round_type: self.round_type,
            block_number: checkpoint.block,
            current_price: price_float(sqrt_price_x96),
            sqrt_price_x96,
            current_positions,
            inventory_remaining: participant.inventory(),
            rebalances_so_far: participant.rebalances(),
            tick_spacing: self.job.pool.tick_spacing,
        })
    }

    /// Takes what came of asking a miner at the open checkpoint and says what it means. The
    /// positions change when [`Self::take_effect`] is called.
    ///
    /// # Errors
    /// A miner that was not asked, or twice.
    pub fn note(&mut self, miner: usize, reply: Reply) -> Result<Outcome, LpError> {
        let Some(checkpoint) = self.checkpoints.last().map(|checkpoint| checkpoint.index) else {
            return Err(LpError::Order("no checkpoint is open".into()));
        };
        let seat = &mut self.seats[miner];
        let Some(shown) = seat.shown.take() else {
            let reason = format!("{} was not asked at checkpoint {checkpoint}, or answered", seat.entrant.miner);
            return Err(LpError::Order(reason));
        };
        let mut answer = AnswerRecord {
            checkpoint,
            outcome: Outcome::Kept,
            reason: None,
            positions: vec![],
            effective_block: None,
            placed: vec![],
        };
        match reply {
            // Why the line was silent is the validator's own observation and no part of the record.
            Reply::Missed(_) => answer.outcome = Outcome::Missed,
            Reply::Invalid(reason) => (answer.outcome, answer.reason) = (Outcome::Invalid, Some(reason)),
            Reply::Answer(RebalanceAnswer { accepted: false, refusal_reason, .. }) => {
                (answer.outcome, answer.reason) = (Outcome::Refused, refusal_reason);
                seat.refused = checkpoint == 0;
            }
            Reply::Answer(RebalanceAnswer { desired_positions: None, .. }) => {
                (answer.outcome, answer.reason) = (Outcome::Invalid, Some("accepted without desired_positions".into()));
            }
            Reply::Answer(RebalanceAnswer { desired_positions: Some(mut desired), .. }) => {
                desired.iter_mut().for_each(|position| position.confidence = None);
                let counts = seat.participant.executions() > 0;
                match decide(&self.job, &shown, seat.wanted.as_deref(), counts, &desired) {
                    Ok(Decision::Keep) => {}
                    Ok(Decision::Rebalance) => {
                        answer.outcome = Outcome::Rebalanced;
                        answer.positions.clone_from(&desired);
                        seat.pending = Some(desired);
                    }
                    Err(reason) => (answer.outcome, answer.reason) = (Outcome::Invalid, Some(reason)),
                }
            }
        }
        let outcome = answer.outcome;
        seat.answers.push(answer);
        Ok(outcome)
    }

    /// Lets the answers of the open checkpoint take effect after `block`. Miners that were
    /// asked and not noted have missed it.
    ///
    /// # Errors
    /// When a miner's books overflow.
    pub fn take_effect(&mut self, block: u64) -> Result<(), LpError> {
        self.effective_block = block;
        for miner in 0..self.seats.len() {
            if self.seats[miner].shown.is_some() {
                self.note(miner, Reply::Missed("no answer before the deadline".into()))?;
            }
            let (swaps, fee_pips) = (self.job.allow_rebalance_swap, self.fee_pips);
            let seat = &mut self.seats[miner];
            let Some(desired) = seat.pending.take() else { continue };
            let done = seat.participant.rebalance(&desired, swaps, fee_pips, block);
            let Some(answer) = seat.answers.last_mut() else { continue };
            match done {
                Ok(()) => {
                    answer.effective_block = Some(block);
                    let placed = |held: &Held| Placed {
                        tick_lower: held.tick_lower,
                        tick_upper: held.tick_upper,
                        amounts: held.placed,
                    };
                    answer.placed = seat.participant.held().iter().map(placed).collect();
                    seat.wanted = Some(desired);
                }
                Err(error) => {
                    answer.outcome = Outcome::Invalid;
                    answer.reason = Some(error.to_string());
                    answer.positions.clear();
                }
            }
        }
        Ok(())
    }

    /// The positions that the open checkpoint's answer asks for and that do not stand yet.
    #[must_use]
    pub fn pending(&self, miner: usize) -> Option<&[DesiredPosition]> {
        self.seats[miner].pending.as_deref()
    }

    /// Takes the open checkpoint's decision back because nobody could execute it: what stood
    /// stands on, and the miner is not blamed.
    pub fn not_executed(&mut self, miner: usize, reason: &str) {
        let seat = &mut self.seats[miner];
        if seat.pending.take().is_none() {
            return;
        }
        if let Some(answer) = seat.answers.last_mut() {
            answer.outcome = Outcome::Kept;
            answer.reason = Some(format!("not executed: {reason}"));
            answer.positions.clear();
        }
    }

    /// Keeps the largest loss of inventory and principal against holding.
    fn note_loss(&mut self, miner: usize) -> Result<(), LpError> {
        let overflow = || LpError::Overflow { what: "a value" };
        let seat = &mut self.seats[miner];
        let price = seat.participant.core().sqrt_price_x96;
        let Holdings { inventory, principal, .. } = seat.participant.holdings()?;
        let own = inventory.checked_add(principal).ok_or_else(overflow)?;
        let own = value_in_token1(own, price).ok_or_else(overflow)?;
        // Collected fees are part of the inventory and no principal.
        let collected = value_in_token1(seat.participant.collected(), price).ok_or_else(overflow)?;
        let hold = value_in_token1(self.job.inventory, price).ok_or_else(overflow)?;
        let loss = hold.saturating_sub(own.saturating_sub(collected));
        seat.max_il_ppm = seat.max_il_ppm.max(parts_per_million(loss, hold));
        Ok(())
    }
}
