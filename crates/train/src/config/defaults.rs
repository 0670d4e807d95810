//! The default of every key: Stable-Baselines3's for the algorithms, the product's
//! for the market. `null` stands for a key that is valid and has no value by default.

use serde_json::{Map, Value, json};

use super::Algorithm;

/// Keys that have to be given.
pub const REQUIRED: [&str; 2] = ["dataset", "algorithm"];

/// Keys of every algorithm.
fn common() -> Value {
    json!({
        "dataset": null, "algorithm": null,
        "train_start": null, "test_start": null, "test_end": null, "split_preset": "medium",
        "allow_gaps": false, "features": [], "scaler": "standard",
        "reward": "return_minus_cost", "reward_scale": 100.0, "episode_steps": null,
        "cash": "10000", "fee_ppm": 1000, "slippage_ticks": 3, "slippage_bps": 0, "borrow_bps_per_day": 0,
        "tick": null, "step": null, "fill_rule": "close",
        "total_timesteps": "auto", "n_envs": 1, "seed": 0,
        "gamma": 0.99, "checkpoint_every": 1, "patience": null,
    })
}

/// Keys of one algorithm, over the common ones.
fn own(algorithm: Algorithm) -> Value {
    match algorithm {
        Algorithm::Ppo => json!({
            "learning_rate": 3e-4, "n_envs": 8, "n_steps": 2048, "batch_size": 64, "n_epochs": 10,
            "gae_lambda": 0.95, "clip_range": 0.2, "normalize_advantage": true,
            "ent_coef": 0.0, "vf_coef": 0.5, "max_grad_norm": 0.5, "net_arch": [64, 64], "activation": "tanh",
        }),
        Algorithm::A2c => json!({
            "learning_rate": 7e-4, "n_envs": 8, "n_steps": 5, "gae_lambda": 1.0, "normalize_advantage": false,
            "ent_coef": 0.0, "vf_coef": 0.5, "max_grad_norm": 0.5, "net_arch": [64, 64], "activation": "tanh",
            "checkpoint_every": 500,
        }),
        Algorithm::Sac => json!({
            "learning_rate": 3e-4, "buffer_size": 1_000_000, "learning_starts": 100, "batch_size": 256, "tau": 0.005,
            "train_freq": 1, "gradient_steps": 1, "ent_coef": "auto", "target_update_interval": 1,
            "target_entropy": "auto", "net_arch": [256, 256], "activation": "relu", "checkpoint_every": 5000,
        }),
        Algorithm::Td3 => json!({
            "learning_rate": 1e-3, "buffer_size": 1_000_000, "learning_starts": 100, "batch_size": 256, "tau": 0.005,
            "train_freq": 1, "gradient_steps": 1, "policy_delay": 2, "target_policy_noise": 0.2,
            "target_noise_clip": 0.5, "action_noise": 0.0, "net_arch": [400, 300], "activation": "relu",
            "checkpoint_every": 5000,
        }),
        Algorithm::Ddpg => json!({
            "learning_rate": 1e-3, "buffer_size": 1_000_000, "learning_starts": 100, "batch_size": 256, "tau": 0.005,
            "train_freq": 1, "gradient_steps": 1, "action_noise": 0.0, "net_arch": [400, 300], "activation": "relu",
            "checkpoint_every": 5000,
        }),
    }
}

/// Every key of `algorithm` with its default.
pub fn defaults(algorithm: Algorithm) -> Map<String, Value> {
    let (Value::Object(mut all), Value::Object(own)) = (common(), own(algorithm)) else {
        unreachable!("both are objects")
    };
    all.extend(own);
    all.insert("algorithm".into(), algorithm.name().into());
    all
}
