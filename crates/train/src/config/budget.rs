//! How long to train: a number of steps, or a word that stands for one.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Environment steps of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Budget {
    /// Exactly so many (rounded up to whole roll-outs).
    Steps(u64),
    /// Ten times the training bars, at least 200,000 and at most 2,000,000.
    Auto,
    /// 200,000.
    Quick,
    /// 2,000,000.
    Thorough,
}

impl Budget {
    const LEAST: u64 = 200_000;
    const MOST: u64 = 2_000_000;

    /// The number of steps for a training range of `bars` candles.
    #[must_use]
    pub fn timesteps(self, bars: usize) -> u64 {
        match self {
            Self::Steps(steps) => steps,
            Self::Auto => (bars as u64).saturating_mul(10).clamp(Self::LEAST, Self::MOST),
            Self::Quick => Self::LEAST,
            Self::Thorough => Self::MOST,
        }
    }
}

impl Serialize for Budget {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Steps(steps) => serializer.serialize_u64(*steps),
            Self::Auto => serializer.serialize_str("auto"),
            Self::Quick => serializer.serialize_str("quick"),
            Self::Thorough => serializer.serialize_str("thorough"),
        }
    }
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const EXPECTED: &str = "a whole number of steps, or \"auto\", \"quick\" or \"thorough\"";
        let error = |found: &str| serde::de::Error::custom(format!("{found} is not {EXPECTED}"));
        match serde_json::Value::deserialize(deserializer)? {
            serde_json::Value::String(word) => match word.as_str() {
                "auto" => Ok(Self::Auto),
                "quick" => Ok(Self::Quick),
                "thorough" => Ok(Self::Thorough),
                other => Err(error(&format!("`{other}`"))),
            },
            serde_json::Value::Number(number) => {
                // 2e5 is written as a float but means a whole number.
                let whole = number.as_f64().filter(|n| n.fract() == 0.0 && (0.0..1e15).contains(n)).map(|n| n as u64);
                whole.map(Self::Steps).ok_or_else(|| error(&number.to_string()))
            }
            other => Err(error(&other.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_for_numbers() {
        assert_eq!(Budget::Auto.timesteps(100), 200_000);
        assert_eq!(Budget::Auto.timesteps(58_419), 584_190);
        assert_eq!(Budget::Auto.timesteps(1_000_000), 2_000_000);
        let cases = [("\"auto\"", Budget::Auto), ("\"quick\"", Budget::Quick), ("2e5", Budget::Steps(200_000))];
        for (text, budget) in cases {
            assert_eq!(serde_json::from_str::<Budget>(text).unwrap(), budget);
        }
        for text in ["\"fast\"", "1.5", "-3", "[]"] {
            let error = serde_json::from_str::<Budget>(text).unwrap_err().to_string();
            assert!(error.contains("auto"), "{error}");
        }
    }
}
