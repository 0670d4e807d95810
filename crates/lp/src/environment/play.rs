//! One miner in recorded rounds, one after the other.

use assay_amm::U256;
use serde::{Deserialize, Serialize};

use super::action::ACTIONS;
use super::observer::{Limits, Observation, Observer, share};
use super::recorded::RecordedRound;
use crate::error::LpError;
use crate::fixed::ONE;
use crate::job::Job;
use crate::judge::hold_score;
use crate::placement::total_allocation;
use crate::query::{RebalanceQuery, RoundType};
use crate::record::Mode;
use crate::round::{Entrant, Reply, Round};
use crate::value::value_in_token1;

/// Rewards are in units of one in this many: basis points.
const REWARD_UNIT: f64 = 10_000.0;

/// What a step gave.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// Change of the value beyond holding, as a share of the value at the start, in basis
    /// points. Over a round the rewards sum to its score beyond the score of holding.
    pub reward: f64,
    /// Score of the round beyond holding at 1e-18, when it ended here; the next one has begun.
    pub over_hold: Option<i128>,
}

/// What an environment is to be brought back from: the rounds are not part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentState {
    /// Place of the round in the list.
    round: usize,
    /// The memory before the round.
    observer: Observer,
    /// What was chosen in it so far.
    actions: Vec<usize>,
}

/// A miner in recorded rounds: after the last one comes the first again. Rounds without a
/// checkpoint are passed over.
#[derive(Debug, Clone)]
pub struct Environment<'a> {
    job: &'a Job,
    rounds: &'a [RecordedRound],
    limits: Limits,
    state: EnvironmentState,
    observer: Observer,
    observation: Observation,
    round: Round,
    query: RebalanceQuery,
    /// Value at the start of the round.
    value_start: U256,
    /// Value beyond holding so far, in basis points.
    potential: f64,
}

impl<'a> Environment<'a> {
    /// At the start of the round at place `first` of `rounds`.
    ///
    /// # Errors
    /// [`LpError`] when there is no round with a checkpoint, or one cannot start.
    pub fn new(job: &'a Job, rounds: &'a [RecordedRound], limits: Limits, first: usize) -> Result<Self, LpError> {
        if !rounds.iter().any(|round| round.checkpoints() > 0) {
            return Err(LpError::Order("no round has a checkpoint".to_owned()));
        }
        let place = next_with_checkpoint(rounds, first % rounds.len());
        Self::at(job, rounds, limits, place, Observer::new(limits))
    }

    fn at(
        job: &'a Job,
        rounds: &'a [RecordedRound],
        limits: Limits,
        place: usize,
        mut observer: Observer,
    ) -> Result<Self, LpError> {
        let state = EnvironmentState { round: place, observer: observer.clone(), actions: Vec::new() };
        let (round, query) = begin(job, &rounds[place])?;
        let observation = observe(&mut observer, &query)?;
        let overflow = || LpError::Overflow { what: "the inventory's value" };
        let value_start =
            value_in_token1(job.inventory, rounds[place].opening.sqrt_price_x96()).ok_or_else(overflow)?;
        Ok(Self { job, rounds, limits, state, observer, observation, round, query, value_start, potential: 0.0 })
    }

    /// What is observed now.
    #[must_use]
    pub const fn observation(&self) -> &Observation {
        &self.observation
    }

    /// Place of the current round in the list.
    #[must_use]
    pub const fn place(&self) -> usize {
        self.state.round
    }

    /// Takes the action at an index of [`ACTIONS`].
    ///
    /// # Errors
    /// [`LpError`] when the books of the round do not balance or overflow.
    ///
    /// # Panics
    /// When there is no such action.
    pub fn step(&mut self, action: usize) -> Result<Step, LpError> {
        let checkpoint = self.state.actions.len();
        self.state.actions.push(action);
        let recorded = &self.rounds[self.state.round];
        let answer = self.observer.answer(&self.query, ACTIONS[action], "");
        self.round.note(0, Reply::Answer(answer))?;
        let (_, effect) = recorded.plan.checkpoints[checkpoint];
        self.round.apply(&recorded.stretches[checkpoint][1])?;
        self.round.take_effect(effect)?;
        if let (Some((next, _)), Some(stretch)) =
            (recorded.plan.checkpoints.get(checkpoint + 1), recorded.stretches.get(checkpoint + 1))
        {
            self.round.apply(&stretch[0])?;
            self.query = ask(&mut self.round, *next)?;
            self.observation = observe(&mut self.observer, &self.query)?;
            let potential = self.over_hold()?;
            let reward = potential - self.potential;
            self.potential = potential;
            return Ok(Step { reward, over_hold: None });
        }
        self.round.apply(&recorded.rest)?;
        let place = next_with_checkpoint(self.rounds, (self.state.round + 1) % self.rounds.len());
        // After the last round the past is another one.
        let observer = if place > self.state.round { self.observer.clone() } else { Observer::new(self.limits) };
        let next = Self::at(self.job, self.rounds, self.limits, place, observer)?;
        let over = std::mem::replace(self, next);
        let record = over.round.finish(recorded.plan.end)?;
        let hold = hold_score(self.job, record.start_sqrt_price_x96, record.end_sqrt_price_x96)?;
        let score = record.miners[0].judgement.score - hold;
        Ok(Step { reward: score as f64 / ONE as f64 * REWARD_UNIT - over.potential, over_hold: Some(score) })
    }

    /// Value beyond holding at the latest question, in basis points of the start's.
    fn over_hold(&self) -> Result<f64, LpError> {
        let overflow = || LpError::Overflow { what: "a value" };
        let price = self.query.sqrt_price_x96;
        let standing = total_allocation(&self.query.current_positions).ok_or_else(overflow)?;
        let tokens = self.query.inventory_remaining.checked_add(standing).ok_or_else(overflow)?;
        let value = value_in_token1(tokens, price).ok_or_else(overflow)?;
        let hold = value_in_token1(self.job.inventory, price).ok_or_else(overflow)?;
        let gas = self.job.gas.cost_token1(self.round.participant(0).executions()).ok_or_else(overflow)?;
        Ok(REWARD_UNIT * share(value, hold.saturating_add(gas), self.value_start))
    }

    /// What brings the environment back here.
    #[must_use]
    pub const fn state(&self) -> &EnvironmentState {
        &self.state
    }

    /// Goes back to where `state` was taken, in the same rounds.
    ///
    /// # Errors
    /// [`LpError::Order`] for a state of other rounds.
    pub fn restore(&mut self, state: &EnvironmentState) -> Result<(), LpError> {
        let fits = |round: &RecordedRound| state.actions.len() < round.checkpoints();
        if !self.rounds.get(state.round).is_some_and(fits)
            || state.actions.iter().any(|action| *action >= ACTIONS.len())
        {
            return Err(LpError::Order(format!("a state in round {} of other rounds", state.round)));
        }
        *self = Self::at(self.job, self.rounds, self.limits, state.round, state.observer.clone())?;
        for action in &state.actions {
            self.step(*action)?;
        }
        Ok(())
    }
}

fn next_with_checkpoint(rounds: &[RecordedRound], from: usize) -> usize {
    let mut places = (from..rounds.len()).chain(0..from);
    places.find(|place| rounds[*place].checkpoints() > 0).unwrap_or(from)
}

/// A round of one miner, at its first question.
fn begin(job: &Job, recorded: &RecordedRound) -> Result<(Round, RebalanceQuery), LpError> {
    let entrant = Entrant {
        miner: "policy".to_owned(),
        registered_at: 0,
        built_in: false,
        authenticated: false,
        combined_before: 0,
    };
    let (mode, number) = (Mode::Practice, recorded.plan.number);
    let mut round = Round::open(job, mode, RoundType::Evaluation, number, &recorded.opening, vec![entrant])?;
    round.apply(&recorded.stretches[0][0])?;
    let query = ask(&mut round, recorded.plan.checkpoints[0].0)?;
    Ok((round, query))
}

fn ask(round: &mut Round, checkpoint: crate::Checkpoint) -> Result<RebalanceQuery, LpError> {
    let query = round.ask(checkpoint)?.into_iter().next().flatten();
    query.ok_or_else(|| LpError::Order("the miner is not asked".to_owned()))
}

fn observe(observer: &mut Observer, query: &RebalanceQuery) -> Result<Observation, LpError> {
    observer.observe(query).ok_or(LpError::Overflow { what: "an observed value" })
}
