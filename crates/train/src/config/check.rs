//! What values of a config fit together, each refusal saying what would fit.

use assay_sim::Rules;
use assay_types::{Price, time};

use super::{Budget, NumberOrAuto, TrainConfig};
use crate::error::TrainError;

/// Units a hidden layer may have.
const MAX_UNITS: usize = 8_192;
/// Hidden layers a network may have.
const MAX_LAYERS: usize = 16;
/// Environments a run may have.
const MAX_ENVIRONMENTS: usize = 65_536;
/// Steps of all environments that one roll-out may have.
const MAX_ROLL_OUT: usize = 1 << 26;
/// Environment steps a run may have.
const MAX_TIMESTEPS: u64 = 1_000_000_000_000;

/// Seeds above this share their hash with others: canonical JSON writes numbers as
/// doubles (RFC 8785).
const MAX_SEED: u64 = 1 << 53;

/// A key, its value, whether it fits, and what would.
type Check = (&'static str, Option<f64>, fn(f64) -> bool, &'static str);

impl TrainConfig {
    /// Checks every value.
    ///
    /// # Errors
    /// [`TrainError::Value`] naming the first key that does not fit, and what would.
    pub fn check(&self) -> Result<(), TrainError> {
        if self.seed >= MAX_SEED {
            let reason = format!("{} is too large to be hashed exactly: use one below {MAX_SEED}", self.seed);
            return Err(TrainError::Value { key: "seed".into(), reason });
        }
        self.check_numbers()?;
        self.check_counts()?;
        self.check_batches()?;
        self.check_dates()?;
        let tick = self.tick.unwrap_or(Price(1));
        let rules = self.rules(tick, self.step.unwrap_or(Rules::FINEST_STEP));
        rules.check().map_err(TrainError::from)
    }

    fn check_numbers(&self) -> Result<(), TrainError> {
        let number = |value: Option<NumberOrAuto>| value.and_then(NumberOrAuto::number);
        let positive = |x: f64| x > 0.0;
        let not_negative = |x: f64| x >= 0.0;
        let unit = |x: f64| (0.0..=1.0).contains(&x);
        let rate = |x: f64| x > 0.0 && x <= 1.0;
        let checks: [Check; 13] = [
            ("learning_rate", Some(self.learning_rate), rate, "above 0 and up to 1"),
            ("gamma", Some(self.gamma), unit, "from 0 to 1"),
            ("reward_scale", Some(self.reward_scale), positive, "above 0"),
            ("gae_lambda", self.gae_lambda, unit, "from 0 to 1"),
            ("clip_range", self.clip_range, positive, "above 0"),
            ("ent_coef", number(self.ent_coef), not_negative, "0 or more"),
            ("vf_coef", self.vf_coef, not_negative, "0 or more"),
            ("max_grad_norm", self.max_grad_norm, positive, "above 0"),
            ("tau", self.tau, rate, "above 0 and up to 1"),
            ("target_policy_noise", self.target_policy_noise, not_negative, "0 or more"),
            ("target_noise_clip", self.target_noise_clip, not_negative, "0 or more"),
            ("action_noise", self.action_noise, not_negative, "0 or more"),
            ("target_entropy", number(self.target_entropy), |_| true, "that is finite"),
        ];
        for (key, value, fits, allowed) in checks {
            if let Some(value) = value.filter(|value| !(value.is_finite() && fits(*value))) {
                return wrong(key, format!("{value} does not fit: use a number {allowed}"));
            }
        }
        Ok(())
    }

    fn check_counts(&self) -> Result<(), TrainError> {
        let timesteps = match self.total_timesteps {
            Budget::Steps(steps) => steps,
            _ => 1,
        };
        let counts: [(&str, Option<u64>); 12] = [
            ("n_envs", Some(self.n_envs as u64)),
            ("checkpoint_every", Some(self.checkpoint_every)),
            ("patience", self.patience),
            ("episode_steps", self.episode_steps.map(|n| n as u64)),
            ("n_steps", self.n_steps.map(|n| n as u64)),
            ("batch_size", self.batch_size.map(|n| n as u64)),
            ("n_epochs", self.n_epochs.map(|n| n as u64)),
            ("buffer_size", self.buffer_size.map(|n| n as u64)),
            ("train_freq", self.train_freq.map(|n| n as u64)),
            ("policy_delay", self.policy_delay),
            ("target_update_interval", self.target_update_interval),
            ("total_timesteps", Some(timesteps)),
        ];
        if let Some((key, _)) = counts.into_iter().find(|(_, value)| *value == Some(0)) {
            return wrong(key, "0 does not fit: use 1 or more".into());
        }
        if timesteps > MAX_TIMESTEPS {
            return wrong("total_timesteps", format!("{timesteps} does not fit: use at most {MAX_TIMESTEPS}"));
        }
        if self.n_envs > MAX_ENVIRONMENTS {
            return wrong("n_envs", format!("{} does not fit: use at most {MAX_ENVIRONMENTS}", self.n_envs));
        }
        if matches!(self.gradient_steps, Some(steps) if steps == 0 || steps < -1) {
            return wrong("gradient_steps", "use 1 or more, or -1 for as many as environment steps".into());
        }
        if self.net_arch.len() > MAX_LAYERS || self.net_arch.iter().any(|units| !(1..=MAX_UNITS).contains(units)) {
            let reason = format!("use at most {MAX_LAYERS} layers of 1 to {MAX_UNITS} units, such as [64, 64]");
            return wrong("net_arch", reason);
        }
        Ok(())
    }

    fn check_batches(&self) -> Result<(), TrainError> {
        if let Some(n_steps) = self.n_steps {
            let rows = n_steps.checked_mul(self.n_envs).filter(|rows| *rows <= MAX_ROLL_OUT);
            let Some(rows) = rows else {
                return wrong("n_steps", format!("n_steps × n_envs is above {MAX_ROLL_OUT}: use fewer of either"));
            };
            if let Some(batch_size) = self.batch_size.filter(|size| !rows.is_multiple_of(*size)) {
                return wrong("batch_size", does_not_divide(rows, n_steps, self.n_envs, batch_size));
            }
            if rows < 2 && self.normalize_advantage == Some(true) {
                return wrong("n_steps", "a roll-out of one step has no spread of advantages: use 2 or more".into());
            }
        }
        if self.normalize_advantage == Some(true) && self.batch_size == Some(1) {
            return wrong("batch_size", "1 has no spread of advantages: use 2 or more".into());
        }
        match (self.buffer_size, self.batch_size) {
            (Some(buffer), Some(batch)) if buffer < batch => {
                wrong("buffer_size", format!("{buffer} is below batch_size {batch}: use {batch} or more"))
            }
            _ => Ok(()),
        }
    }

    fn check_dates(&self) -> Result<(), TrainError> {
        let mut before: Option<(&str, i64)> = None;
        for (key, text) in
            [("train_start", &self.train_start), ("test_start", &self.test_start), ("test_end", &self.test_end)]
        {
            let Some(text) = text else { continue };
            let ms = match time::parse_utc(text) {
                Ok(ms) => ms,
                Err(error) => return wrong(key, error.to_string()),
            };
            if let Some((earlier, _)) = before.filter(|(_, earlier)| *earlier >= ms) {
                return wrong(key, format!("{text} is not after {earlier}: order train_start < test_start < test_end"));
            }
            before = Some((key, ms));
        }
        if self.train_start.is_some() && self.test_start.is_none() {
            return wrong("test_start", "it is missing: train_start needs it, or use split_preset alone".into());
        }
        Ok(())
    }
}

fn wrong<T>(key: &str, reason: String) -> Result<T, TrainError> {
    Err(TrainError::Value { key: key.into(), reason })
}

/// Says which batch sizes near the one asked for would divide the roll-out.
fn does_not_divide(rows: usize, n_steps: usize, n_envs: usize, batch_size: usize) -> String {
    let below = (1..=batch_size.min(rows)).rev().find(|size| rows.is_multiple_of(*size));
    let above = (batch_size + 1..=rows).find(|size| rows.is_multiple_of(*size));
    let fits: Vec<String> = below.into_iter().chain(above).map(|size| size.to_string()).collect();
    format!(
        "(n_steps {n_steps} × n_envs {n_envs}) mod {batch_size} is {}, not 0: use batch_size {}",
        rows % batch_size,
        fits.join(" or ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn message(more: &Value) -> String {
        let mut value = json!({"dataset": "binance/BTC-USDT/1h", "algorithm": "ppo"});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        TrainConfig::from_value(&value).unwrap_err().to_string()
    }

    #[test]
    fn a_batch_that_does_not_divide_is_refused_with_what_would_fit() {
        let text = message(&json!({"n_steps": 100, "n_envs": 3, "batch_size": 64}));
        assert!(text.contains("mod 64 is 44") && text.contains("use batch_size 60 or 75"), "{text}");
        let text = message(&json!({"n_steps": 8, "n_envs": 1, "batch_size": 64}));
        assert!(text.contains("use batch_size 8"), "{text}");
    }

    #[test]
    fn values_out_of_range_are_refused() {
        for (key, value) in [
            ("gamma", json!(1.5)),
            ("learning_rate", json!(0)),
            ("n_envs", json!(0)),
            ("n_epochs", json!(0)),
            ("net_arch", json!([0])),
            ("test_start", json!("yesterday")),
            ("total_timesteps", json!(0)),
            ("batch_size", json!(1)),
        ] {
            let text = message(&json!({key: value}));
            assert!(text.contains(&format!("`{key}`")), "{text}");
        }
        assert!(message(&json!({"train_start": "2024-01-01"})).contains("test_start"));
        let text = message(&json!({"train_start": "2024-01-01", "test_start": "2023-01-01"}));
        assert!(text.contains("order train_start < test_start"), "{text}");
        assert!(message(&json!({"fee_ppm": 900_000})).contains("fee_ppm"));
    }
}
