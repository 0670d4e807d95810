//! Counters of one update.

use serde::{Deserialize, Serialize};

/// What one update did. `None` where the algorithm has no such number, or it is
/// undefined for this update.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UpdateStats {
    /// Environment steps taken since the start of the run.
    pub timesteps: u64,
    /// Updates since the start of the run.
    pub updates: u64,
    /// Mean reward of a step in this update's roll-out, without `reward_scale`.
    pub mean_reward: f64,
    /// Mean of the policy's loss over this update's gradient steps.
    pub policy_loss: Option<f64>,
    /// Mean of the value or critic loss over this update's gradient steps.
    pub value_loss: Option<f64>,
    /// Mean entropy of the policy, in nats.
    pub entropy: Option<f64>,
    /// 1 − variance of (returns − values) / variance of returns; `None` when returns do not vary.
    pub explained_variance: Option<f64>,
    /// Mean of (ratio − 1) − ln ratio: how far the policy moved (PPO).
    pub approx_kl: Option<f64>,
    /// Share of rows whose ratio left the clip range (PPO).
    pub clip_fraction: Option<f64>,
    /// Temperature of the entropy term (SAC).
    pub entropy_coefficient: Option<f64>,
}
