//! How a job tells what it is doing.

use serde::Serialize;

/// How far a stage is.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Advance {
    /// Units done.
    pub done: u64,
    /// Units in all; 0 when unknown.
    pub total: u64,
    /// What is counted: `steps`, `rows`.
    pub unit: &'static str,
    /// Units per second; `None` before there is a measurement.
    pub per_second: Option<f64>,
    /// Seconds left; `None` when unknown.
    pub seconds_left: Option<f64>,
    /// Named figures, such as reward and losses.
    pub figures: Vec<(&'static str, f64)>,
}

/// Receives what a job tells while it works. Implementations must be quick.
pub trait Progress: Sync {
    /// A stage begins.
    fn stage(&self, name: &str);
    /// The current stage moved on.
    fn advance(&self, advance: &Advance);
    /// Something the user should know and that is not an error.
    fn note(&self, text: &str);
    /// The work is over: whatever is drawn must make room for the answer.
    fn done(&self);
}
