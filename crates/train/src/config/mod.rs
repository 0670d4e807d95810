//! The config of a run: every key with the name Stable-Baselines3 gives it, every
//! missing key filled in with the algorithm's default, and its hash.

mod budget;
mod check;
mod defaults;
mod on_policy;
mod read;

use assay_features::{Preset, ScalerKind};
use assay_model::Activation;
use assay_sim::{Reward, Rules};
use assay_types::{Dataset, FillRule, Hash, Money, Price, Qty};
use serde::{Deserialize, Serialize};

pub use budget::Budget;
pub use on_policy::OnPolicyConfig;

use crate::error::TrainError;

/// How a policy is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// Proximal policy optimisation (Schulman et al. 2017); discrete.
    Ppo,
    /// Advantage actor-critic (Mnih et al. 2016), synchronous; discrete.
    A2c,
    /// Soft actor-critic (Haarnoja et al. 2018); scalar.
    Sac,
    /// Twin delayed deterministic policy gradient (Fujimoto et al. 2018); scalar.
    Td3,
    /// Deep deterministic policy gradient (Lillicrap et al. 2015); scalar.
    Ddpg,
}

impl Algorithm {
    /// Every algorithm.
    pub const ALL: [Self; 5] = [Self::Ppo, Self::A2c, Self::Sac, Self::Td3, Self::Ddpg];

    /// The name in configs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ppo => "ppo",
            Self::A2c => "a2c",
            Self::Sac => "sac",
            Self::Td3 => "td3",
            Self::Ddpg => "ddpg",
        }
    }

    /// Whether it learns from its own latest roll-outs only, rather than from a
    /// replay buffer.
    #[must_use]
    pub const fn is_on_policy(self) -> bool {
        matches!(self, Self::Ppo | Self::A2c)
    }
}

/// A number, or `"auto"`: the entropy coefficient and the target entropy of SAC.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number or \"auto\"")]
pub enum NumberOrAuto {
    /// This number.
    Number(f64),
    /// Found by the algorithm.
    Auto(Auto),
}

/// The word `"auto"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Auto {
    /// Found by the algorithm.
    Auto,
}

impl NumberOrAuto {
    /// The number; `None` for `"auto"`.
    #[must_use]
    pub const fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Auto(_) => None,
        }
    }
}

/// A full config. Keys that the algorithm does not have are `None` and are not
/// written; made by [`TrainConfig::from_value`], which fills in every default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// What to train on: `exchange/SYMBOL/timeframe`.
    pub dataset: Dataset,
    /// How to learn.
    pub algorithm: Algorithm,
    /// First day of the train split, UTC; `None`: as `split_preset` has it.
    #[serde(default)]
    pub train_start: Option<String>,
    /// First day of the test split and end of the train split, UTC.
    #[serde(default)]
    pub test_start: Option<String>,
    /// End of the test split, UTC, exclusive; `None`: the end of the data.
    #[serde(default)]
    pub test_end: Option<String>,
    /// Split by bars counted back from `test_end`, when the dates are not given.
    pub split_preset: Preset,
    /// Train over gaps in the candles.
    pub allow_gaps: bool,
    /// Feature columns or groups, by name; empty: every one.
    pub features: Vec<String>,
    /// How features are scaled.
    pub scaler: ScalerKind,
    /// What the learner is paid.
    pub reward: Reward,
    /// Multiplies rewards, so that a return of one percent is 1.
    pub reward_scale: f64,
    /// Steps of an episode; `None`: the whole split.
    #[serde(default)]
    pub episode_steps: Option<usize>,
    /// Initial cash.
    pub cash: Money,
    /// Fee per side in parts per million.
    pub fee_ppm: u32,
    /// Slippage in price ticks.
    pub slippage_ticks: u32,
    /// Further slippage in basis points.
    pub slippage_bps: u32,
    /// Borrow cost of a short in basis points per day.
    pub borrow_bps_per_day: u32,
    /// Price tick; `None`: from the instrument table.
    #[serde(default)]
    pub tick: Option<Price>,
    /// Quantity step; `None`: from the instrument table, else 1e-12.
    #[serde(default)]
    pub step: Option<Qty>,
    /// When decisions fill.
    pub fill_rule: FillRule,
    /// Environment steps to train for.
    pub total_timesteps: Budget,
    /// Environments side by side.
    pub n_envs: usize,
    /// Seed of every random number of the run.
    pub seed: u64,
    /// Units of each hidden layer.
    pub net_arch: Vec<usize>,
    /// Non-linearity.
    pub activation: Activation,
    /// Step size of the optimiser.
    pub learning_rate: f64,
    /// Discount per step.
    pub gamma: f64,
    /// Updates between checkpoints, each of which is judged on the validation split.
    pub checkpoint_every: u64,
    /// Stop after this many checkpoints without a better validation result; `None`: never.
    #[serde(default)]
    pub patience: Option<u64>,
    /// Steps of each environment per roll-out (on-policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_steps: Option<usize>,
    /// Rows of a minibatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Passes over each roll-out (PPO).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<usize>,
    /// λ of generalised advantage estimation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gae_lambda: Option<f64>,
    /// ε of PPO's clipped ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_range: Option<f64>,
    /// Whether advantages are normalised, per minibatch in PPO.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalize_advantage: Option<bool>,
    /// Weight of the entropy; SAC: the temperature, or `"auto"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ent_coef: Option<NumberOrAuto>,
    /// Weight of the value loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vf_coef: Option<f64>,
    /// Largest global norm of the gradient.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_grad_norm: Option<f64>,
    /// Transitions the replay buffer holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer_size: Option<usize>,
    /// Steps with random actions before learning starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learning_starts: Option<usize>,
    /// Rate of the soft update of target networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tau: Option<f64>,
    /// Steps of each environment between updates (off-policy).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_freq: Option<usize>,
    /// Gradient steps per update; −1: as many as environment steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gradient_steps: Option<i64>,
    /// Gradient steps between soft updates of the targets (SAC).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_update_interval: Option<u64>,
    /// Entropy that SAC's temperature aims at; `"auto"`: −1, minus the number of actions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_entropy: Option<NumberOrAuto>,
    /// Critic updates per actor update (TD3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy_delay: Option<u64>,
    /// Standard deviation of the noise on target actions (TD3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_policy_noise: Option<f64>,
    /// Limit of the noise on target actions (TD3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_noise_clip: Option<f64>,
    /// Standard deviation of the normal noise on actions while exploring (TD3, DDPG); 0: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action_noise: Option<f64>,
}

impl TrainConfig {
    /// The config with every default, as JSON.
    #[must_use]
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("a config is plain data with finite numbers")
    }

    /// SHA-256 of the canonical JSON of [`Self::to_value`] (R1).
    #[must_use]
    pub fn config_hash(&self) -> Hash {
        Hash::of_json(&self.to_value())
    }

    /// The ledger's rules for a market with this price tick and quantity step, which
    /// the config's own `tick` and `step` override.
    #[must_use]
    pub fn rules(&self, tick: Price, step: Qty) -> Rules {
        Rules {
            cash: self.cash,
            fee_ppm: self.fee_ppm,
            slippage_ticks: self.slippage_ticks,
            slippage_bps: self.slippage_bps,
            borrow_bps_per_day: self.borrow_bps_per_day,
            tick: self.tick.unwrap_or(tick),
            step: self.step.unwrap_or(step),
            fill_rule: self.fill_rule,
            ..Rules::new(tick)
        }
    }

    /// A key that the algorithm needs: `config.need("tau", config.tau)?`.
    pub(crate) fn need<T: Copy>(&self, key: &str, value: Option<T>) -> Result<T, TrainError> {
        value.ok_or_else(|| TrainError::Value {
            key: key.into(),
            reason: format!("{} needs it: make configs with TrainConfig::from_value", self.algorithm.name()),
        })
    }
}
