//! The keys of PPO and A2C alone, for environments that are no candles.

use assay_model::Activation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::defaults::defaults;
use super::{Algorithm, Budget, NumberOrAuto, TrainConfig, read};
use crate::error::TrainError;

/// How PPO or A2C learns; names, defaults and limits are those of [`TrainConfig`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnPolicyConfig {
    /// `ppo` or `a2c`.
    pub algorithm: Algorithm,
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
    /// Multiplies rewards.
    pub reward_scale: f64,
    /// Updates between checkpoints.
    pub checkpoint_every: u64,
    /// Stop after this many checkpoints without a better one; `None`: never.
    #[serde(default)]
    pub patience: Option<u64>,
    /// Steps of each environment per roll-out.
    pub n_steps: usize,
    /// Rows of a minibatch; `None` for A2C, whose minibatch is the roll-out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Passes over each roll-out; `None` for A2C, which makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n_epochs: Option<usize>,
    /// λ of generalised advantage estimation.
    pub gae_lambda: f64,
    /// ε of PPO's clipped ratio; `None` for A2C.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_range: Option<f64>,
    /// Whether advantages are normalised.
    pub normalize_advantage: bool,
    /// Weight of the entropy.
    pub ent_coef: f64,
    /// Weight of the value loss.
    pub vf_coef: f64,
    /// Largest global norm of the gradient.
    pub max_grad_norm: f64,
}

/// Keys of a [`TrainConfig`] that concern the learner and no market.
const KEYS: [&str; 20] = [
    "algorithm",
    "total_timesteps",
    "n_envs",
    "seed",
    "net_arch",
    "activation",
    "learning_rate",
    "gamma",
    "reward_scale",
    "checkpoint_every",
    "patience",
    "n_steps",
    "batch_size",
    "n_epochs",
    "gae_lambda",
    "clip_range",
    "normalize_advantage",
    "ent_coef",
    "vf_coef",
    "max_grad_norm",
];

impl OnPolicyConfig {
    /// The full config for the keys in `value`, a JSON object with at least `algorithm`:
    /// missing keys take the algorithm's defaults, `reward_scale` 1.
    ///
    /// # Errors
    /// As [`TrainConfig::from_value`]; [`TrainError::Value`] for other algorithms.
    pub fn from_value(value: &Value) -> Result<Self, TrainError> {
        let mut keys = value.as_object().cloned().unwrap_or_default();
        keys.entry("reward_scale").or_insert(1.0.into());
        let algorithm = read::named(keys.get("algorithm").unwrap_or(&Value::Null))?;
        let all: Map<String, Value> =
            defaults(algorithm).into_iter().filter(|(key, _)| KEYS.contains(&key.as_str())).collect();
        if let Some(key) = keys.keys().find(|key| !all.contains_key(*key)) {
            let of_markets = defaults(algorithm).contains_key(key);
            let error = format!("`{key}` is a key of candle markets; a learner has: {}", KEYS.join(", "));
            return Err(if of_markets { TrainError::UnknownKey(error) } else { read::unknown(key, algorithm, &all) });
        }
        // The market's keys keep their defaults and are never read.
        keys.insert("dataset".into(), "any/A-B/1h".into());
        TrainConfig::from_value(&Value::Object(keys))?.on_policy()
    }

    /// The config with every default, as JSON.
    #[must_use]
    pub fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("a config is plain data with finite numbers")
    }
}

impl TrainConfig {
    /// The keys of PPO and A2C.
    ///
    /// # Errors
    /// [`TrainError::Value`] for other algorithms, and configs not made by
    /// [`TrainConfig::from_value`].
    pub fn on_policy(&self) -> Result<OnPolicyConfig, TrainError> {
        if !self.algorithm.is_on_policy() {
            let reason = format!("{} has one scalar action: use ppo or a2c", self.algorithm.name());
            return Err(TrainError::Value { key: "algorithm".into(), reason });
        }
        let is_ppo = self.algorithm == Algorithm::Ppo;
        let of_ppo = |key: &str, value: Option<usize>| is_ppo.then(|| self.need(key, value)).transpose();
        Ok(OnPolicyConfig {
            algorithm: self.algorithm,
            total_timesteps: self.total_timesteps,
            n_envs: self.n_envs,
            seed: self.seed,
            net_arch: self.net_arch.clone(),
            activation: self.activation,
            learning_rate: self.learning_rate,
            gamma: self.gamma,
            reward_scale: self.reward_scale,
            checkpoint_every: self.checkpoint_every,
            patience: self.patience,
            n_steps: self.need("n_steps", self.n_steps)?,
            batch_size: of_ppo("batch_size", self.batch_size)?,
            n_epochs: of_ppo("n_epochs", self.n_epochs)?,
            gae_lambda: self.need("gae_lambda", self.gae_lambda)?,
            clip_range: is_ppo.then(|| self.need("clip_range", self.clip_range)).transpose()?,
            normalize_advantage: self.need("normalize_advantage", self.normalize_advantage)?,
            ent_coef: self.need("ent_coef", self.ent_coef.and_then(NumberOrAuto::number))?,
            vf_coef: self.need("vf_coef", self.vf_coef)?,
            max_grad_norm: self.need("max_grad_norm", self.max_grad_norm)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_learner_needs_no_market() {
        let config = OnPolicyConfig::from_value(&json!({"algorithm": "ppo", "gamma": 1.0})).unwrap();
        assert_eq!((config.gamma, config.reward_scale, config.batch_size), (1.0, 1.0, Some(64)));
        assert_eq!(OnPolicyConfig::from_value(&config.to_value()).unwrap(), config);
        let a2c = OnPolicyConfig::from_value(&json!({"algorithm": "a2c"})).unwrap();
        assert_eq!((a2c.n_steps, a2c.batch_size, a2c.clip_range), (5, None, None));
        for (value, part) in [
            (json!({"algorithm": "sac"}), "use ppo or a2c"),
            (json!({"algorithm": "ppo", "fee_ppm": 1}), "a key of candle markets"),
            (json!({"algorithm": "ppo", "gama": 1}), "did you mean `gamma`?"),
            (json!({"algorithm": "ppo", "batch_size": 60}), "batch_size"),
            (json!([]), "`algorithm`"),
        ] {
            let text = OnPolicyConfig::from_value(&value).unwrap_err().to_string();
            assert!(text.contains(part), "{value}: {text}");
        }
    }
}
