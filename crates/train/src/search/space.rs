//! What a search varies: for each config key, the values it may take.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::config::Algorithm;
use crate::rng::Rng;

/// The values of one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// A number between two others.
    Uniform(f64, f64),
    /// A number between two others above zero, evenly in its logarithm.
    LogUniform(f64, f64),
    /// One of these.
    Choice(Vec<Value>),
}

/// A point of a range: a position in [0, 1] or the index of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Point {
    /// How far along a numeric range.
    At(f64),
    /// Which choice.
    Index(usize),
}

impl Range {
    /// A point, every one equally likely.
    #[must_use]
    pub fn draw(&self, rng: &mut Rng) -> Point {
        match self {
            Self::Uniform(..) | Self::LogUniform(..) => Point::At(rng.uniform()),
            Self::Choice(values) => Point::Index(rng.below(values.len())),
        }
    }

    /// The value at `point`; a number is rounded to six significant digits, so that it
    /// reads back from any text as itself.
    ///
    /// # Panics
    /// When the point belongs to another kind of range.
    #[must_use]
    pub fn value(&self, point: Point) -> Value {
        match (self, point) {
            (Self::Uniform(low, high), Point::At(at)) => json!(rounded(low + at * (high - low))),
            (Self::LogUniform(low, high), Point::At(at)) => {
                let (low, high) = (libm::log(*low), libm::log(*high));
                json!(rounded(libm::exp(low + at * (high - low))))
            }
            (Self::Choice(values), Point::Index(index)) => values[index].clone(),
            _ => unreachable!("points are drawn from their range"),
        }
    }
}

fn rounded(value: f64) -> f64 {
    format!("{value:.5e}").parse().expect("a formatted number reads back")
}

/// The keys a search varies for `algorithm` by default.
#[must_use]
pub fn default_space(algorithm: Algorithm) -> Vec<(String, Range)> {
    let choice = |values: Value| match values {
        Value::Array(values) => Range::Choice(values),
        other => Range::Choice(vec![other]),
    };
    let mut space = vec![
        ("learning_rate", Range::LogUniform(1e-5, 1e-2)),
        ("gamma", choice(json!([0.8, 0.9, 0.95, 0.98, 0.99, 0.995]))),
        ("net_arch", choice(json!([[32, 32], [64, 64], [128, 128], [256, 256]]))),
        ("activation", choice(json!(["tanh", "relu"]))),
    ];
    match algorithm {
        Algorithm::Ppo => space.extend([
            ("n_steps", choice(json!([128, 256, 512, 1024, 2048]))),
            ("batch_size", choice(json!([64, 128, 256, 512]))),
            ("n_epochs", choice(json!([3, 5, 10, 20]))),
            ("gae_lambda", Range::Uniform(0.8, 1.0)),
            ("clip_range", choice(json!([0.1, 0.2, 0.3]))),
            ("ent_coef", Range::LogUniform(1e-6, 1e-1)),
        ]),
        Algorithm::A2c => space.extend([
            ("n_steps", choice(json!([5, 8, 16, 32, 64]))),
            ("gae_lambda", Range::Uniform(0.8, 1.0)),
            ("ent_coef", Range::LogUniform(1e-6, 1e-1)),
        ]),
        Algorithm::Sac | Algorithm::Td3 | Algorithm::Ddpg => space.extend([
            ("batch_size", choice(json!([64, 128, 256, 512]))),
            ("tau", Range::LogUniform(1e-3, 1e-1)),
            ("learning_starts", choice(json!([100, 1000, 5000]))),
        ]),
    }
    if matches!(algorithm, Algorithm::Td3 | Algorithm::Ddpg) {
        space.push(("action_noise", Range::Uniform(0.0, 0.5)));
    }
    space.into_iter().map(|(key, range)| (key.to_owned(), range)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_span_their_ranges() {
        let range = Range::LogUniform(1e-4, 1e-2);
        assert_eq!(range.value(Point::At(0.0)), json!(1e-4));
        assert_eq!(range.value(Point::At(0.5)), json!(1e-3));
        assert_eq!(Range::Uniform(1.0, 3.0).value(Point::At(0.25)), json!(1.5));
        assert_eq!(Range::Choice(vec![json!("a"), json!([1])]).value(Point::Index(1)), json!([1]));
    }
}
