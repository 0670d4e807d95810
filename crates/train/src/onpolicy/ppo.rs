//! Proximal policy optimisation: several passes over the roll-out in shuffled
//! minibatches, the ratio of new to old probability clipped; Adam.

use assay_model::{Adam, Mlp};

use super::Optimizer;

/// Adam with Stable-Baselines3's ε for PPO.
pub fn optimizer(network: &Mlp) -> Optimizer {
    Optimizer::Adam(Adam::new(network, 1e-5))
}
