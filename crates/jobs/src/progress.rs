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
    /// Whether the work is to end: it keeps what it can and gives [`JobError::Cancelled`].
    /// Asked often.
    ///
    /// [`JobError::Cancelled`]: crate::JobError::Cancelled
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// Tells nobody.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str) {}
    fn advance(&self, _: &Advance) {}
    fn note(&self, _: &str) {}
    fn done(&self) {}
}
