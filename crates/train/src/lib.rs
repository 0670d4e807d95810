//! Training: from a config and a training set to a policy.
//!
//! Pure: a [`Trainer`] is given candles, features, a seed and a number of threads,
//! and gives counters and checkpoint bytes; an edge times it and writes files. The
//! same config and seed give the same weights on any processor and with any number
//! of threads (R5). The test split never enters this crate.

mod candles;
pub mod checkpoint;
mod config;
mod environments;
mod error;
mod evaluate;
mod initial;
mod offpolicy;
mod onpolicy;
mod rng;
pub mod search;
mod session;
mod set;
mod stats;
mod trainer;

pub use candles::CandleEnvironments;
pub use config::{Algorithm, Auto, Budget, NumberOrAuto, OnPolicyConfig, TrainConfig};
pub use environments::{Environments, Outcome};
pub use error::TrainError;
pub use evaluate::{Evaluation, Selection, Verdict, evaluate};
pub use initial::{orthogonal, uniform_fan_in};
pub use rng::Rng;
pub use session::{Session, SessionStep};
pub use set::TrainingSet;
pub use stats::UpdateStats;
pub use trainer::Trainer;
