//! A policy as the decider of a back-test.

use std::ops::Range;

use assay_engine::{EngineError, PolicyStrategy};
use assay_sim::Simulation;
use assay_types::{Candles, Target};

/// Feeds a strategy the candles as the simulation reaches them. The simulation cannot
/// take an error, so the first one is kept and told by [`PolicyDecider::finish`].
pub struct PolicyDecider<'a> {
    strategy: PolicyStrategy,
    candles: &'a Candles,
    error: Option<EngineError>,
}

impl<'a> PolicyDecider<'a> {
    /// Feeds the history before `range`, from the dataset's first candle, so that
    /// recursive indicators stand where training saw them (R3).
    ///
    /// # Errors
    /// When the candles are not in order.
    pub fn new(mut strategy: PolicyStrategy, candles: &'a Candles, range: Range<usize>) -> Result<Self, EngineError> {
        for index in 0..range.start {
            strategy.observe(&candles.get(index))?;
        }
        Ok(Self { strategy, candles, error: None })
    }

    /// Decides at the close where `view` stands.
    pub fn decide(&mut self, view: &Simulation<'_>) -> Target {
        self.decide_at(view.index(), view.account_inputs())
    }

    /// Decides at the close of the candle at `index`.
    pub fn decide_at(&mut self, index: usize, account: [f32; 2]) -> Target {
        match self.strategy.decide(&self.candles.get(index), account) {
            Ok(decision) => decision.target,
            Err(error) => {
                self.error.get_or_insert(error);
                Target::Flat
            }
        }
    }

    /// Whether every decision could be made.
    ///
    /// # Errors
    /// The first error of a decision.
    pub fn finish(self) -> Result<(), EngineError> {
        self.error.map_or(Ok(()), Err)
    }
}
