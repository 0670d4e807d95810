//! Advantage actor-critic: one gradient step on each short roll-out; RMSprop.

use assay_model::{Mlp, RmsProp};

use super::Optimizer;

/// RMSprop with Stable-Baselines3's α and ε for A2C.
pub fn optimizer(network: &Mlp) -> Optimizer {
    Optimizer::RmsProp(RmsProp::new(network, 0.99, 1e-5))
}
