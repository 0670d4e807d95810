//! Decimal numbers in bodies: read from JSON numbers or texts, written as JSON numbers with
//! all their digits.

use std::fmt;

use assay_amm::trade::calculator::Decimal;
use serde::de::{Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A number that someone sends: a JSON number, or the same as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number(pub Decimal);

/// A number in an answer, with all its digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Figure(pub Decimal);

struct NumberVisitor;

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number of at most 38 digits, or the same as text")
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(Decimal::new(value.into(), 0)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(Decimal::new(value.into(), 0)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Number, E> {
        Decimal::from_f64(value).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
        Decimal::parse(text).map(Number).ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NumberVisitor)
    }
}

impl PartialSchema for Number {
    fn schema() -> RefOr<Schema> {
        let text = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(r"^-?[0-9]{1,38}(\.[0-9]{1,18})?$"))
            .description(Some("The number as decimal text"));
        let number = ObjectBuilder::new().schema_type(Type::Number);
        OneOfBuilder::new().item(number).item(text).description(Some("A decimal number")).into()
    }
}

impl ToSchema for Number {}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw = RawValue::from_string(self.0.to_string()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl PartialSchema for Figure {
    fn schema() -> RefOr<Schema> {
        let text = "A decimal number with all its digits: read it as text where a binary float is too coarse";
        ObjectBuilder::new().schema_type(Type::Number).description(Some(text)).into()
    }
}

impl ToSchema for Figure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_texts_are_the_same_number() {
        for (json, text) in [("1.5", "1.5"), ("\"1.50\"", "1.5"), ("-3", "-3"), ("1e21", "1000000000000000000000")] {
            let Number(number) = serde_json::from_str(json).unwrap();
            assert_eq!(number.to_string(), text);
            assert_eq!(serde_json::to_string(&Figure(number)).unwrap(), text);
        }
        for json in ["\"1e5\"", "\"\"", "true", "null", "[1]", "1e200", "\"NaN\""] {
            assert!(serde_json::from_str::<Number>(json).is_err(), "{json}");
        }
    }
}
