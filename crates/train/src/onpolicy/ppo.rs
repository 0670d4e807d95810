//! Proximal policy optimisation: several passes over the roll-out in shuffled
//! minibatches, the ratio of new to old probability clipped; Adam.

use assay_model::{Adam, Mlp};

use super::{Optimizer, Settings};
use crate::config::TrainConfig;
use crate::error::TrainError;

/// Adam with Stable-Baselines3's ε for PPO.
pub fn optimizer(network: &Mlp) -> Optimizer {
    Optimizer::Adam(Adam::new(network, 1e-5))
}

/// Adds PPO's own settings.
pub fn settings(common: Settings, config: &TrainConfig) -> Result<Settings, TrainError> {
    Ok(Settings {
        batch_size: config.need("batch_size", config.batch_size)?,
        n_epochs: config.need("n_epochs", config.n_epochs)?,
        clip_range: Some(config.need("clip_range", config.clip_range)? as f32),
        ..common
    })
}
