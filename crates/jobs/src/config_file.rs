//! Config files: JSON or TOML, with `key=value` overrides.

use std::path::Path;

use assay_store::read_to_string;
use serde_json::{Map, Value};

use crate::error::JobError;

/// Reads the config at `path` (none: an empty one) and applies `overrides` in order.
/// A file that ends in `.toml` is TOML, any other JSON. An override's value is JSON,
/// or plain text where it is no JSON.
///
/// # Errors
/// [`JobError`] naming the file and line, or the override, that does not read.
pub fn read_config(path: Option<&Path>, overrides: &[String]) -> Result<Value, JobError> {
    let mut config = match path {
        None => Map::new(),
        Some(path) => match parse(path, &read_to_string(path)?)? {
            Value::Object(object) => object,
            _ => return Err(JobError::Input(format!("{}: a config is an object of keys and values", path.display()))),
        },
    };
    for text in overrides {
        let Some((key, value)) = text.split_once('=') else {
            return Err(JobError::Input(format!("--set {text}: write it as key=value")));
        };
        let value = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        config.insert(key.trim().to_owned(), value);
    }
    Ok(Value::Object(config))
}

pub(crate) fn parse(path: &Path, text: &str) -> Result<Value, JobError> {
    let error = |error: &dyn std::fmt::Display| JobError::Input(format!("{}: {error}", path.display()));
    if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml")) {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| error(&e))?;
        return Ok(plain(toml::Value::Table(table)));
    }
    serde_json::from_str(text).map_err(|e| error(&e))
}

/// TOML as JSON; dates become their text.
fn plain(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => number.into(),
        toml::Value::Boolean(flag) => flag.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(plain).collect(),
        toml::Value::Table(table) => table.into_iter().map(|(key, value)| (key, plain(value))).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_and_toml_read_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let (json_path, toml_path) = (folder.path().join("a.json"), folder.path().join("a.toml"));
        std::fs::write(&json_path, r#"{"algorithm":"PPO","net_arch":[64,64],"train_start":"2020-01-01"}"#).unwrap();
        std::fs::write(&toml_path, "algorithm = \"PPO\"\nnet_arch = [64, 64]\ntrain_start = 2020-01-01\n").unwrap();
        assert_eq!(read_config(Some(&json_path), &[]).unwrap(), read_config(Some(&toml_path), &[]).unwrap());
    }

    #[test]
    fn overrides_win_and_may_be_plain_text() {
        let sets = ["seed=7", "dataset=binance/BTC-USDT/1h", "net_arch=[32]"].map(str::to_owned);
        let config = read_config(None, &sets).unwrap();
        assert_eq!(config, json!({"seed": 7, "dataset": "binance/BTC-USDT/1h", "net_arch": [32]}));
        assert!(read_config(None, &["seed".to_owned()]).is_err());
    }

    #[test]
    fn a_broken_file_is_named_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("broken.json");
        std::fs::write(&path, "{\n\"seed\": \n}").unwrap();
        let error = read_config(Some(&path), &[]).unwrap_err().to_string();
        assert!(error.contains("broken.json") && error.contains("line 3"), "{error}");
    }
}
