//! The training environment: the simulation's step with a reward.

use std::ops::Range;

use assay_types::{Candles, Target};
use serde::{Deserialize, Serialize};

use crate::error::SimError;
use crate::ledger::Account;
use crate::reward::{Outcome, Reward, RewardState};
use crate::rules::Rules;
use crate::simulation::{End, Simulation, check_range};

/// What the learner gets for a decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Transition {
    /// The reward, by the environment's definition; always finite.
    pub reward: f64,
    /// Set when the episode ended at the close just reached. A truncated episode
    /// still has a value there, a terminated one has none.
    pub end: Option<End>,
}

/// Where an environment stands, for checkpoints. It does not hold the candles, the
/// rules or the name of the reward: restore it into an environment made with them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvironmentState {
    range: Range<usize>,
    index: usize,
    account: Account,
    reward: RewardState,
}

/// A simulation that rewards each decision.
///
/// Observe candle [`Environment::index`] and [`Environment::account_inputs`], decide,
/// [`Environment::step`]; when the transition has an end, [`Environment::reset`].
#[derive(Debug, Clone)]
pub struct Environment<'a> {
    simulation: Simulation<'a>,
    reward: Reward,
    reward_state: RewardState,
}

impl<'a> Environment<'a> {
    /// An environment at the first close of all `candles`.
    ///
    /// # Errors
    /// [`SimError::Range`] for fewer than two candles, [`SimError::Rule`] for rules
    /// that do not hold.
    pub fn new(candles: &'a Candles, rules: &Rules, reward: Reward) -> Result<Self, SimError> {
        check_range(&(0..candles.len()), candles.len(), 2)?;
        let simulation = Simulation::new(candles, rules, 0..candles.len())?;
        Ok(Self { simulation, reward, reward_state: RewardState::new(reward) })
    }

    /// Starts an episode at the close of the first candle of `range`; it has
    /// `range.len() − 1` steps unless the equity is lost before.
    ///
    /// # Errors
    /// [`SimError::Range`] for fewer than two candles or a range past the end.
    pub fn reset(&mut self, range: Range<usize>) -> Result<(), SimError> {
        check_range(&range, self.simulation.candles().len(), 2)?;
        self.simulation.reset(range)?;
        self.reward_state = RewardState::new(self.reward);
        Ok(())
    }

    /// The candle whose close is being observed.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.simulation.index()
    }

    /// The position's sign (−1, 0 or 1) and its return since it was opened: see
    /// [`Account::inputs`].
    #[inline]
    #[must_use]
    pub fn account_inputs(&self) -> [f32; 2] {
        self.simulation.account_inputs()
    }

    /// The simulation inside, for its equity and account.
    #[must_use]
    pub const fn simulation(&self) -> &Simulation<'a> {
        &self.simulation
    }

    /// Fills `target`, moves to the next close and rewards the decision.
    ///
    /// # Errors
    /// As [`Simulation::step`].
    #[inline]
    pub fn step(&mut self, target: Target) -> Result<Transition, SimError> {
        let before = self.simulation.equity();
        let step = self.simulation.step(target)?;
        let outcome = Outcome { before, after: step.equity, fills: self.simulation.fills(), end: step.end };
        Ok(Transition { reward: self.reward_state.reward(&outcome), end: step.end })
    }

    /// Where the environment stands.
    #[must_use]
    pub fn state(&self) -> EnvironmentState {
        EnvironmentState {
            range: self.simulation.range(),
            index: self.simulation.index(),
            account: *self.simulation.account(),
            reward: self.reward_state.clone(),
        }
    }

    /// Goes back to a saved point; the environment must have been made with the
    /// candles, rules and reward that it was saved with.
    ///
    /// # Errors
    /// [`SimError::State`] or [`SimError::Range`] when the state does not fit.
    pub fn restore(&mut self, state: &EnvironmentState) -> Result<(), SimError> {
        if !state.reward.fits(self.reward) {
            return Err(SimError::State("it holds another reward"));
        }
        check_range(&state.range, self.simulation.candles().len(), 2)?;
        self.simulation.resume(state.range.clone(), state.index, state.account)?;
        self.reward_state = state.reward.clone();
        Ok(())
    }
}
