//! Rounds as an environment to learn in: one step is a checkpoint, one episode a round, and
//! the simulation is [`crate::Round`] itself.
//!
//! What is observed comes from the questions that a miner is asked and from its memory of
//! earlier ones, through the same [`Observer`] that answers for a trained policy: nothing is
//! known in training that is not known at work. How a policy is trained, and what its
//! network computes, is the business of others.

mod action;
mod observer;
mod play;
mod recorded;

pub use action::{ACTIONS, Action};
pub use observer::{INPUTS, Limits, Observation, Observer};
pub use play::{Environment, EnvironmentState, Step};
pub use recorded::RecordedRound;

/// Version of the observations, the actions and the reward; part of what a trained policy is.
pub const ENVIRONMENT_RULE: &str = "assay/round-environment/1";
