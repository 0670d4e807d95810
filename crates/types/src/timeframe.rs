//! Lengths of candles.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::time::DAY_MS;

/// The length of a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Timeframe {
    /// One minute.
    M1,
    /// Five minutes.
    M5,
    /// Fifteen minutes.
    M15,
    /// One hour, written `1h`; `60m` is read as the same.
    H1,
    /// Four hours.
    H4,
    /// One day, from midnight UTC.
    D1,
}

/// A text that names no timeframe.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a timeframe: use 1m, 5m, 15m, 1h (60m), 4h or 1d")]
pub struct TimeframeError(String);

impl Timeframe {
    /// Every timeframe, shortest first.
    pub const ALL: [Self; 6] = [Self::M1, Self::M5, Self::M15, Self::H1, Self::H4, Self::D1];

    /// Length in milliseconds.
    #[must_use]
    pub const fn ms(self) -> i64 {
        match self {
            Self::M1 => 60_000,
            Self::M5 => 300_000,
            Self::M15 => 900_000,
            Self::H1 => 3_600_000,
            Self::H4 => 14_400_000,
            Self::D1 => DAY_MS,
        }
    }

    /// Candles in a 365-day year of a market that never closes.
    #[must_use]
    pub const fn periods_per_year(self) -> f64 {
        (365 * DAY_MS / self.ms()) as f64
    }

    /// The canonical name, as in dataset names and hashes.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::M1 => "1m",
            Self::M5 => "5m",
            Self::M15 => "15m",
            Self::H1 => "1h",
            Self::H4 => "4h",
            Self::D1 => "1d",
        }
    }
}

impl fmt::Display for Timeframe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Timeframe {
    type Err = TimeframeError;
    fn from_str(text: &str) -> Result<Self, TimeframeError> {
        match text {
            "60m" => Ok(Self::H1),
            "240m" => Ok(Self::H4),
            "24h" => Ok(Self::D1),
            _ => Self::ALL.into_iter().find(|t| t.name() == text).ok_or_else(|| TimeframeError(text.to_owned())),
        }
    }
}

impl Serialize for Timeframe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Timeframe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeframes_read_their_own_names() {
        for timeframe in Timeframe::ALL {
            assert_eq!(timeframe.name().parse(), Ok(timeframe));
        }
        assert_eq!("60m".parse(), Ok(Timeframe::H1));
        assert!("2h".parse::<Timeframe>().is_err());
    }
}
