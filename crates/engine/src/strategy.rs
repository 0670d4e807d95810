//! A trained policy at work: one candle in, one decision out, in replay, paper and
//! live alike.

use assay_features::FeatureStream;
use assay_model::{Decision, Policy};
use assay_types::Candle;

use crate::error::EngineError;

/// A policy with the indicators that feed it.
pub struct PolicyStrategy {
    stream: FeatureStream,
    policy: Policy,
}

impl PolicyStrategy {
    /// Joins them; the stream must compute the policy's columns in their order.
    ///
    /// # Errors
    /// [`EngineError::Columns`] when the columns differ.
    pub fn new(stream: FeatureStream, policy: Policy) -> Result<Self, EngineError> {
        if stream.spec().columns != policy.columns() {
            return Err(EngineError::Columns);
        }
        Ok(Self { stream, policy })
    }

    /// Takes a closed candle without deciding: history before the first decision.
    ///
    /// # Errors
    /// [`EngineError::Features`] when the candle comes out of order.
    pub fn observe(&mut self, candle: &Candle) -> Result<(), EngineError> {
        self.stream.update(candle)?;
        Ok(())
    }

    /// Takes a closed candle and decides at its close, given the account's two inputs
    /// (position, unrealised return).
    ///
    /// # Errors
    /// [`EngineError::Features`] when the candle comes out of order,
    /// [`EngineError::NotWarm`] when some feature has no value yet.
    pub fn decide(&mut self, candle: &Candle, account: [f32; 2]) -> Result<Decision, EngineError> {
        let row = self.stream.update(candle)?;
        decide_at(&self.policy, row, candle, account)
    }
}

/// Decides at the close of `candle` from its feature row: the one way from features to a
/// decision, also where many policies read one row.
///
/// # Errors
/// [`EngineError::NotWarm`] when some feature has no value yet.
pub(crate) fn decide_at(
    policy: &Policy,
    row: &[f64],
    candle: &Candle,
    account: [f32; 2],
) -> Result<Decision, EngineError> {
    if row.iter().any(|value| value.is_nan()) {
        return Err(EngineError::NotWarm { open_time_ms: candle.open_time_ms });
    }
    Ok(policy.act(row, account))
}
