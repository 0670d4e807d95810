//! Strategies that are a rule: baselines and test vectors. One file each, one line
//! in each list here.

mod random;
mod sma_cross;

use std::fmt;
use std::str::FromStr;

use assay_types::Target;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::simulation::Simulation;
use random::RandomDecider;
pub use random::random_like;
use sma_cross::SmaCrossDecider;

/// A rule, as it is named on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// Always long: `long`. As a baseline this is buy-and-hold.
    Long,
    /// Always short: `short`.
    Short,
    /// Never in the market: `flat`.
    Flat,
    /// `sma-cross:FAST:SLOW`: flat until SLOW closes of the range were seen, then
    /// long while the mean of the last FAST closes is above that of the last SLOW,
    /// else short.
    SmaCross {
        /// Closes in the fast mean, at least 1.
        fast: usize,
        /// Closes in the slow mean, above `fast`.
        slow: usize,
    },
    /// `random:HOLD:SEED`: starts in a random target and leaves it for one of the two
    /// others with probability 1/HOLD at each close.
    Random {
        /// Mean number of closes that a target is held, at least 1.
        hold: u64,
        /// Seed of the random numbers.
        seed: u64,
    },
}

/// A text that names no strategy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrategyError {
    /// No such rule.
    #[error("`{0}` is not a strategy: use long, short, flat, sma-cross:FAST:SLOW or random:HOLD:SEED")]
    Unknown(String),
    /// A known rule with bad parameters.
    #[error("`{text}`: {problem}")]
    Parameters {
        /// The text.
        text: String,
        /// What is wrong and what would do.
        problem: &'static str,
    },
}

/// The longest window of a moving average.
const MAX_WINDOW: usize = 1_000_000;

impl FromStr for Strategy {
    type Err = StrategyError;
    fn from_str(text: &str) -> Result<Self, StrategyError> {
        let shown = || text.chars().take(64).collect::<String>();
        let problem = |problem| StrategyError::Parameters { text: shown(), problem };
        let parts: Vec<&str> = text.split(':').collect();
        match parts[..] {
            ["long"] => Ok(Self::Long),
            ["short"] => Ok(Self::Short),
            ["flat"] => Ok(Self::Flat),
            ["sma-cross", fast, slow] => match (fast.parse(), slow.parse()) {
                (Ok(fast), Ok(slow)) if 0 < fast && fast < slow && slow <= MAX_WINDOW => {
                    Ok(Self::SmaCross { fast, slow })
                }
                _ => {
                    Err(problem("use two numbers of closes with 0 < FAST < SLOW <= 1000000, such as sma-cross:24:168"))
                }
            },
            ["random", hold, seed] => match (hold.parse(), seed.parse()) {
                (Ok(hold), Ok(seed)) if hold > 0 => Ok(Self::Random { hold, seed }),
                _ => Err(problem("use a number of closes of at least 1 and a seed, such as random:24:7")),
            },
            ["sma-cross", ..] => Err(problem("it needs two numbers of closes, such as sma-cross:24:168")),
            ["random", ..] => Err(problem("it needs a number of closes and a seed, such as random:24:7")),
            ["long" | "short" | "flat", ..] => Err(problem("it has no parameters")),
            _ => Err(StrategyError::Unknown(shown())),
        }
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Long => f.write_str("long"),
            Self::Short => f.write_str("short"),
            Self::Flat => f.write_str("flat"),
            Self::SmaCross { fast, slow } => write!(f, "sma-cross:{fast}:{slow}"),
            Self::Random { hold, seed } => write!(f, "random:{hold}:{seed}"),
        }
    }
}

impl Serialize for Strategy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Strategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A strategy at work: ask it at every close of one range, in order.
#[derive(Debug, Clone)]
pub struct Decider(State);

#[derive(Debug, Clone)]
enum State {
    Fixed(Target),
    SmaCross(SmaCrossDecider),
    Random(RandomDecider),
}

impl Strategy {
    /// Ready for the first close of a range.
    #[must_use]
    pub fn decider(&self) -> Decider {
        Decider(match *self {
            Self::Long => State::Fixed(Target::Long),
            Self::Short => State::Fixed(Target::Short),
            Self::Flat => State::Fixed(Target::Flat),
            Self::SmaCross { fast, slow } => State::SmaCross(SmaCrossDecider::new(fast, slow)),
            Self::Random { hold, seed } => State::Random(RandomDecider::new(hold, seed)),
        })
    }
}

impl Decider {
    /// The target at the close where `view` stands.
    #[inline]
    pub fn decide(&mut self, view: &Simulation<'_>) -> Target {
        match &mut self.0 {
            State::Fixed(target) => *target,
            State::SmaCross(state) => state.decide(&view.candles().close, view.index()),
            State::Random(state) => state.decide(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_and_bad_ones_are_explained() {
        for text in ["long", "short", "flat", "sma-cross:24:168", "random:10:18446744073709551615"] {
            assert_eq!(text.parse::<Strategy>().unwrap().to_string(), text);
        }
        for (text, part) in [
            ("buy", "use long, short, flat"),
            ("", "is not a strategy"),
            ("sma-cross", "such as sma-cross:24:168"),
            ("sma-cross:168:24", "FAST < SLOW"),
            ("sma-cross:0:5", "FAST < SLOW"),
            ("sma-cross:a:5", "FAST < SLOW"),
            ("random:0:1", "at least 1"),
            ("long:1", "no parameters"),
        ] {
            let message = text.parse::<Strategy>().unwrap_err().to_string();
            assert!(message.contains(part), "{text}: {message}");
        }
    }

    proptest::proptest! {
        #[test]
        fn a_name_that_is_taken_reads_back(text in "(long|sma-cross|random)(:[0-9a-]{0,22}){0,3}", other in ".{0,40}") {
            for text in [text, other] {
                if let Ok(strategy) = text.parse::<Strategy>() {
                    proptest::prop_assert_eq!(strategy.to_string().parse(), Ok(strategy));
                }
            }
        }
    }
}
