//! Big integers in JSON: decimal text or an integer literal of any length, read digit by
//! digit, so that a number above 2^53 keeps its last digits; written as decimal text.
//!
//! Use with `#[serde(with = "crate::integer::json")]`; lists and options have their own
//! modules. Literals with a fraction or an exponent are refused: whoever wrote them has
//! lost digits already. Works with `serde_json::from_str` and `from_slice` only, since a
//! `serde_json::Value` in between would round.

use std::str::FromStr;

use ruint::aliases::U256;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serializer};
use serde_json::value::RawValue;

/// Reads an unsigned integer of up to 256 bits.
///
/// # Errors
/// When it is no integer, negative, or above 2^256 − 1.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<U256, D::Error> {
    parse(&Box::<RawValue>::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Writes decimal text.
///
/// # Errors
/// Those of the serializer.
pub fn serialize<S: Serializer>(value: &U256, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn unquoted(raw: &RawValue) -> Result<&str, String> {
    let text = raw.get();
    let text = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text);
    let digits = text.strip_prefix('-').unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(format!("{} is not an integer: write its digits, as text or as a number", raw.get()));
    }
    Ok(text)
}

fn parse(raw: &RawValue) -> Result<U256, String> {
    let text = unquoted(raw)?;
    if text.starts_with('-') {
        return Err(format!("{text} is negative"));
    }
    U256::from_str_radix(text, 10).map_err(|_| format!("{text} does not fit 256 bits"))
}

fn parse_native<T: FromStr>(raw: &RawValue) -> Result<T, String> {
    let text = unquoted(raw)?;
    text.parse().map_err(|_| format!("{text} does not fit {} bits", size_of::<T>() * 8))
}

/// Native integers (`u128`, `i128`, …) by the same rules.
pub mod native {
    use std::str::FromStr;

    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::value::RawValue;

    use super::parse_native;

    /// Reads a native integer.
    ///
    /// # Errors
    /// When it is no integer or does not fit.
    pub fn deserialize<'de, D: Deserializer<'de>, T: FromStr>(deserializer: D) -> Result<T, D::Error> {
        parse_native(&Box::<RawValue>::deserialize(deserializer)?).map_err(D::Error::custom)
    }

    /// Writes decimal text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer, T: std::fmt::Display>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }
}

/// Optional 256-bit integers; `null` and a missing field (with `#[serde(default)]`) are `None`.
pub mod option {
    use ruint::aliases::U256;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::value::RawValue;

    use super::parse;

    /// Reads an integer or `null`.
    ///
    /// # Errors
    /// As for a single integer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<U256>, D::Error> {
        // A plain option would hand `null` to the raw value as text.
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        if raw.get() == "null" { Ok(None) } else { parse(&raw).map(Some).map_err(D::Error::custom) }
    }

    /// Writes decimal text or `null`.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &Option<U256>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => serializer.collect_str(value),
            None => serializer.serialize_none(),
        }
    }
}

/// Lists of 256-bit integers.
pub mod list {
    use ruint::aliases::U256;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_json::value::RawValue;

    use super::parse;

    /// Reads a list of integers.
    ///
    /// # Errors
    /// As for a single integer.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<U256>, D::Error> {
        let raw = Vec::<Box<RawValue>>::deserialize(deserializer)?;
        raw.iter().map(|value| parse(value)).collect::<Result<_, _>>().map_err(D::Error::custom)
    }

    /// Writes a list of decimal texts.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(values: &[U256], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(ToString::to_string))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
    struct Sample {
        #[serde(with = "super")]
        one: U256,
        #[serde(with = "super::list")]
        many: Vec<U256>,
        #[serde(with = "super::option", default)]
        maybe: Option<U256>,
        #[serde(with = "super::native")]
        signed: i128,
    }

    #[test]
    fn long_literals_keep_every_digit() {
        let text = r#"{"one": 115792089237316195423570985008687907853269984665640564039457584007913129639935,
            "many": ["9007199254740993", 9007199254740993], "maybe": null, "signed": -170141183460469231731687303715884105728}"#;
        let sample: Sample = serde_json::from_str(text).unwrap();
        assert_eq!(sample.one, U256::MAX);
        assert_eq!(sample.many, vec![U256::from(9_007_199_254_740_993_u64); 2]);
        assert_eq!(sample.signed, i128::MIN);
        assert_eq!(serde_json::from_str::<Sample>(&serde_json::to_string(&sample).unwrap()).unwrap(), sample);
    }

    #[test]
    fn what_is_no_integer_is_refused() {
        for bad in ["1e21", "1.0", "-1", "\"0x10\"", "\"\"", "true", "\" 1\"", "\"1_000\""] {
            let text = format!(r#"{{"one": {bad}, "many": [], "signed": 0}}"#);
            assert!(serde_json::from_str::<Sample>(&text).is_err(), "{bad}");
        }
        let above = "115792089237316195423570985008687907853269984665640564039457584007913129639936";
        let text = format!(r#"{{"one": {above}, "many": [], "signed": 0}}"#);
        assert!(serde_json::from_str::<Sample>(&text).unwrap_err().to_string().contains("does not fit 256 bits"));
    }
}
