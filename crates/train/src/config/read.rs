//! From the keys a user gave to a full config: unknown keys are named with the
//! nearest one, wrong values with their key.

use serde_json::{Map, Value};

use super::defaults::{REQUIRED, defaults};
use super::{Algorithm, TrainConfig};
use crate::error::TrainError;

impl TrainConfig {
    /// The full config for the keys in `value`, a JSON object: missing keys take the
    /// algorithm's defaults.
    ///
    /// # Errors
    /// [`TrainError::UnknownKey`] with the nearest valid key and the list of all,
    /// [`TrainError::Value`] naming the key and what would fit.
    pub fn from_value(value: &Value) -> Result<Self, TrainError> {
        let wrong = |key: &str, reason: String| TrainError::Value { key: key.into(), reason };
        let given = value.as_object().ok_or_else(|| wrong("config", "it is not a table of keys".into()))?;
        for key in REQUIRED {
            if given.get(key).is_none_or(Value::is_null) {
                let example = if key == "dataset" { "binance/BTC-USDT/1h" } else { "ppo, a2c, sac, td3 or ddpg" };
                return Err(wrong(key, format!("it is missing; give it, such as {example}")));
            }
        }
        let algorithm = named(&given["algorithm"])?;
        let mut all = defaults(algorithm);
        for key in given.keys() {
            if !all.contains_key(key) {
                return Err(unknown(key, algorithm, &all));
            }
        }
        all.extend(given.clone());
        // Returns are made percent; rewards that count or are ratios already have a size near one.
        let is_return = matches!(all["reward"].as_str(), Some("return_minus_cost" | "log_return"));
        if !given.contains_key("reward_scale") && !is_return {
            all.insert("reward_scale".into(), 1.0.into());
        }
        // `PPO` and `ppo` are the same run.
        all.insert("algorithm".into(), algorithm.name().into());
        let config: Self =
            serde_json::from_value(Value::Object(all)).map_err(|error| culprit(given, algorithm, &error))?;
        config.check()?;
        Ok(config)
    }
}

pub(super) fn named(value: &Value) -> Result<Algorithm, TrainError> {
    let name = value.as_str().map(str::to_ascii_lowercase);
    let found = Algorithm::ALL.into_iter().find(|algorithm| name.as_deref() == Some(algorithm.name()));
    found.ok_or_else(|| TrainError::Value {
        key: "algorithm".into(),
        reason: format!("{value} is none; use ppo, a2c, sac, td3 or ddpg"),
    })
}

/// The first given key that does not read by itself, with its own message.
fn culprit(given: &Map<String, Value>, algorithm: Algorithm, error: &serde_json::Error) -> TrainError {
    for (key, value) in given {
        let mut alone = defaults(algorithm);
        alone.insert("dataset".into(), "any/A-B/1h".into());
        alone.insert(key.clone(), value.clone());
        if let Err(error) = serde_json::from_value::<TrainConfig>(Value::Object(alone)) {
            return TrainError::Value { key: key.clone(), reason: error.to_string() };
        }
    }
    TrainError::Value { key: "config".into(), reason: error.to_string() }
}

pub(super) fn unknown(key: &str, algorithm: Algorithm, valid: &Map<String, Value>) -> TrainError {
    let list = valid.keys().cloned().collect::<Vec<_>>().join(", ");
    let name = algorithm.name();
    let others: Vec<&str> =
        Algorithm::ALL.into_iter().filter(|other| defaults(*other).contains_key(key)).map(Algorithm::name).collect();
    if !others.is_empty() {
        let others = others.join(", ");
        return TrainError::UnknownKey(format!("`{key}` is a key of {others}, not of {name}; {name} has: {list}"));
    }
    let nearest = valid.keys().min_by_key(|other| distance(key, other)).expect("there are keys");
    TrainError::UnknownKey(format!("`{key}` is not a config key; did you mean `{nearest}`? {name} has: {list}"))
}

/// How many letters have to be added, dropped or replaced (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(mut more: Value) -> Result<TrainConfig, TrainError> {
        let object = more.as_object_mut().unwrap();
        object.entry("dataset").or_insert("binance/BTC-USDT/1h".into());
        object.entry("algorithm").or_insert("ppo".into());
        TrainConfig::from_value(&more)
    }

    fn message(more: Value) -> String {
        read(more).unwrap_err().to_string()
    }

    #[test]
    fn missing_keys_take_the_algorithms_defaults() {
        let ppo = read(json!({})).unwrap();
        assert_eq!((ppo.n_steps, ppo.batch_size, ppo.n_epochs), (Some(2048), Some(64), Some(10)));
        assert_eq!((ppo.learning_rate, ppo.gae_lambda, ppo.tau), (3e-4, Some(0.95), None));
        let a2c = read(json!({"algorithm": "a2c"})).unwrap();
        assert_eq!((a2c.learning_rate, a2c.n_steps, a2c.gae_lambda), (7e-4, Some(5), Some(1.0)));
        let sac = read(json!({"algorithm": "sac"})).unwrap();
        assert_eq!((sac.net_arch.clone(), sac.ent_coef.unwrap().number()), (vec![256, 256], None));
        let td3 = read(json!({"algorithm": "td3"})).unwrap();
        assert_eq!((td3.net_arch.clone(), td3.policy_delay), (vec![400, 300], Some(2)));
        for config in [ppo, a2c, sac, td3, read(json!({"algorithm": "ddpg"})).unwrap()] {
            let value = config.to_value();
            assert_eq!(TrainConfig::from_value(&value).unwrap(), config, "a full config reads as itself");
            let mut keys: Vec<_> = defaults(config.algorithm).keys().cloned().collect();
            let mut written: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
            keys.sort_unstable();
            written.sort_unstable();
            assert_eq!(written, keys);
        }
    }

    #[test]
    fn the_hash_is_of_the_full_config() {
        let config = read(json!({})).unwrap();
        assert_eq!(config.config_hash(), read(json!({"gamma": 0.99, "n_envs": 8})).unwrap().config_hash());
        assert_ne!(config.config_hash(), read(json!({"gamma": 0.98})).unwrap().config_hash());
    }

    #[test]
    fn wrong_keys_and_values_are_named() {
        let text = message(json!({"learnin_rate": 1}));
        assert!(text.contains("did you mean `learning_rate`?") && text.contains("clip_range"), "{text}");
        assert!(message(json!({"tau": 0.1})).contains("a key of sac, td3, ddpg, not of ppo"));
        assert!(message(json!({"gamma": "high"})).contains("`gamma`"));
        assert!(message(json!({"n_envs": -1})).contains("`n_envs`"));
        assert!(message(json!({"algorithm": "dqn"})).contains("use ppo, a2c, sac, td3 or ddpg"));
        assert!(message(json!({"dataset": null})).contains("binance/BTC-USDT/1h"));
        assert!(message(json!({"dataset": "BTC"})).contains("`dataset`"));
        assert!(TrainConfig::from_value(&json!([1])).is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_config_makes_it_panic(key in 0_usize..60, text in ".{0,20}", number in proptest::prelude::any::<f64>()) {
            for algorithm in Algorithm::ALL {
                let keys: Vec<String> = defaults(algorithm).keys().cloned().collect();
                let key = &keys[key % keys.len()];
                for value in [json!(text), json!(number), json!(number as i64), json!([text, number]), json!({}), json!(null)] {
                    let mut config = json!({"dataset": "any/A-B/1h", "algorithm": algorithm.name()});
                    config[key] = value;
                    let _ = TrainConfig::from_value(&config);
                }
            }
            let _ = TrainConfig::from_value(&json!({ text: number }));
        }
    }

    #[test]
    fn distances_count_letters() {
        let found = [distance("abc", "abc"), distance("abc", "axc"), distance("", "ab"), distance("abcd", "bcd")];
        assert_eq!(found, [0, 1, 2, 1]);
    }
}
