//! What can go wrong before and during training.

use assay_model::ModelError;
use assay_sim::SimError;

/// Why a config, a training set or a checkpoint is refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TrainError {
    /// A key that no algorithm, or not this one, has.
    #[error("{0}")]
    UnknownKey(String),
    /// A value of the wrong type or out of range.
    #[error("config key `{key}`: {reason}")]
    Value {
        /// The key.
        key: String,
        /// What is wrong and what would fit.
        reason: String,
    },
    /// Candles, features and ranges that do not belong together.
    #[error("the training set does not fit: {0}")]
    Set(String),
    /// A checkpoint that cannot be resumed.
    #[error("the checkpoint cannot be resumed: {0}")]
    Checkpoint(String),
    /// A loss that is NaN or infinite: training has diverged.
    #[error(
        "training diverged after {timesteps} steps: {what} is not finite; try a smaller learning_rate or reward_scale"
    )]
    Diverged {
        /// Environment steps taken.
        timesteps: u64,
        /// Which number.
        what: &'static str,
    },
    /// An environment that is no market of candles cannot go on.
    #[error("the environment: {0}")]
    Environment(String),
    /// The simulated market refused a rule or a range.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// A network was refused.
    #[error(transparent)]
    Model(#[from] ModelError),
}
