//! What can be learned: environments side by side, each a row of episodes.

use assay_sim::End;

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;

/// What one environment answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// The reward times `reward_scale`.
    pub reward: f32,
    /// Set when the episode ended; the environment has then started its next one.
    pub end: Option<End>,
}

/// Environments of one kind, side by side, in which actions are chosen among a fixed
/// number. They own their random streams: the same actions give the same episodes.
pub trait Environments {
    /// Number of environments.
    fn count(&self) -> usize;

    /// Numbers in one observation.
    fn inputs(&self) -> usize;

    /// Actions to choose among, 2 … 256.
    fn actions(&self) -> usize;

    /// Writes what environment `index` observes.
    ///
    /// # Panics
    /// When `out` is not of [`Self::inputs`] numbers.
    fn observe(&self, index: usize, out: &mut [f32]);

    /// Takes `action`, below [`Self::actions`], in environment `index`. When the episode
    /// ends, what was observed at its end is written to `last`, and the next episode starts.
    ///
    /// # Errors
    /// [`TrainError`] when the simulation fails.
    fn step(&mut self, index: usize, action: usize, last: &mut [f32]) -> Result<Outcome, TrainError>;

    /// Writes the state of every environment and its random stream.
    fn save(&self, writer: &mut Writer);

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other environments.
    fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError>;
}
