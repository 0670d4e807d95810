//! Hyper-parameter search: proposes configs, prunes hopeless trials early, and keeps
//! a record of every trial. Results are those on the validation split only (R3).
//!
//! Pure bookkeeping: the caller trains, reports and stores; a search that is stored
//! and read back goes on as before.

mod parzen;
mod space;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use space::{Point, Range, default_space};

use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::rng::Rng;

/// Draws after which a space without a valid config is given up.
const MOST_DRAWS: usize = 1_000;

/// How points are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampler {
    /// Every point equally likely.
    Random,
    /// After ten finished trials, near the best quarter of them.
    Parzen,
}

/// How a trial ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Still training.
    Running,
    /// With this validation result; larger is better.
    Completed(f64),
    /// Stopped early: worse than the median of the others.
    Pruned,
    /// Could not be trained.
    Failed(String),
}

/// One trial, recorded whatever became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trial {
    /// Its number, from 0.
    pub number: usize,
    /// The keys it varied.
    pub keys: Map<String, Value>,
    /// Where in the space they lie.
    points: Vec<Point>,
    /// Validation results so far, one per report.
    pub reports: Vec<f64>,
    /// How it ended.
    pub outcome: Outcome,
}

impl Trial {
    /// What the sampler goes by: the final result, or the last report of a pruned trial.
    fn result(&self) -> Option<f64> {
        match self.outcome {
            Outcome::Completed(result) => Some(result),
            Outcome::Pruned => self.reports.last().copied(),
            Outcome::Running | Outcome::Failed(_) => None,
        }
    }

    fn best_by(&self, report: usize) -> Option<f64> {
        self.reports.get(..=report)?.iter().copied().reduce(f64::max)
    }
}

/// Whether a trial may go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Go on.
    Continue,
    /// Stop: the trial is now recorded as pruned.
    Prune,
}

/// A search in progress.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Search {
    base: TrainConfig,
    space: Vec<(String, Range)>,
    sampler: Sampler,
    rng: u64,
    trials: Vec<Trial>,
}

impl Search {
    /// Finished trials before the sampler learns from them.
    pub const STARTUP_TRIALS: usize = 10;
    /// Reports of a trial that are never pruned.
    pub const WARMUP_REPORTS: usize = 2;
    /// Other trials with a report at the same point that pruning needs.
    pub const LEAST_PEERS: usize = 4;

    /// A search over `space` around `base`.
    ///
    /// # Errors
    /// [`TrainError::Value`] when a range is empty or reversed.
    pub fn new(
        base: TrainConfig,
        space: Vec<(String, Range)>,
        sampler: Sampler,
        seed: u64,
    ) -> Result<Self, TrainError> {
        for (key, range) in &space {
            let fits = match range {
                Range::Uniform(low, high) => low < high && low.is_finite() && high.is_finite(),
                Range::LogUniform(low, high) => *low > 0.0 && low < high && high.is_finite(),
                Range::Choice(values) => !values.is_empty(),
            };
            if !fits {
                let reason = format!("{range:?} holds no values: give the lower end first, or at least one choice");
                return Err(TrainError::Value { key: key.clone(), reason });
            }
        }
        Ok(Self { base, space, sampler, rng: Rng::new(seed).state(), trials: Vec::new() })
    }

    /// Every trial so far.
    #[must_use]
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The completed trial with the best result, the first of equal ones.
    #[must_use]
    pub fn best(&self) -> Option<&Trial> {
        let completed = self.trials.iter().filter(|trial| matches!(trial.outcome, Outcome::Completed(_)));
        completed.reduce(|best, trial| if trial.result() > best.result() { trial } else { best })
    }

    /// Starts the next trial: its number and its full config.
    ///
    /// # Errors
    /// [`TrainError`] of the last draw when no draw gives a valid config.
    pub fn propose(&mut self) -> Result<(usize, TrainConfig), TrainError> {
        let mut rng = Rng::from_state(self.rng);
        let mut refused = None;
        for _ in 0..MOST_DRAWS {
            let points = self.draw(&mut rng);
            let keys: Map<String, Value> = self
                .space
                .iter()
                .zip(&points)
                .map(|((key, range), point)| (key.clone(), range.value(*point)))
                .collect();
            let mut value = self.base.to_value();
            value.as_object_mut().expect("a config is an object").extend(keys.clone());
            match TrainConfig::from_value(&value) {
                Ok(config) => {
                    self.rng = rng.state();
                    let number = self.trials.len();
                    self.trials.push(Trial { number, keys, points, reports: Vec::new(), outcome: Outcome::Running });
                    return Ok((number, config));
                }
                // Keys that only fit together in some ways are drawn again.
                Err(error @ TrainError::Value { .. }) => refused = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(refused.expect("every draw was refused"))
    }

    fn draw(&self, rng: &mut Rng) -> Vec<Point> {
        let mut finished: Vec<&Trial> = self.trials.iter().filter(|trial| trial.result().is_some()).collect();
        if self.sampler == Sampler::Random || finished.len() < Self::STARTUP_TRIALS {
            return self.space.iter().map(|(_, range)| range.draw(rng)).collect();
        }
        // Best first; a stable order, so that the search can be repeated.
        finished.sort_by(|a, b| b.result().unwrap_or(f64::MIN).total_cmp(&a.result().unwrap_or(f64::MIN)));
        let (good, bad) = finished.split_at(finished.len().div_ceil(4));
        let column =
            |trials: &[&Trial], index: usize| trials.iter().map(|trial| trial.points[index]).collect::<Vec<_>>();
        let ranges = self.space.iter().enumerate();
        ranges.map(|(i, (_, range))| parzen::propose(range, &column(good, i), &column(bad, i), rng)).collect()
    }

    /// Records a validation result of trial `number` and says whether it may go on: not
    /// when its best so far is below the median of the others' best at the same report.
    ///
    /// # Panics
    /// When there is no such trial.
    pub fn report(&mut self, number: usize, result: f64) -> Decision {
        self.trials[number].reports.push(result);
        let at = self.trials[number].reports.len() - 1;
        let own = self.trials[number].best_by(at).unwrap_or(result);
        let others = self.trials.iter().filter(|trial| trial.number != number);
        let mut peers: Vec<f64> = others.filter_map(|trial| trial.best_by(at)).collect();
        if at < Self::WARMUP_REPORTS || peers.len() < Self::LEAST_PEERS {
            return Decision::Continue;
        }
        peers.sort_by(f64::total_cmp);
        let median = (peers[(peers.len() - 1) / 2] + peers[peers.len() / 2]) / 2.0;
        if own >= median {
            return Decision::Continue;
        }
        self.trials[number].outcome = Outcome::Pruned;
        Decision::Prune
    }

    /// Records the end of trial `number`. A result that is not finite is a failure.
    ///
    /// # Panics
    /// When there is no such trial.
    pub fn finish(&mut self, number: usize, result: Result<f64, String>) {
        self.trials[number].outcome = match result {
            Ok(result) if result.is_finite() => Outcome::Completed(result),
            Ok(result) => Outcome::Failed(format!("the result is {result}")),
            Err(reason) => Outcome::Failed(reason),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Algorithm;
    use serde_json::json;

    fn search(sampler: Sampler) -> Search {
        let base = TrainConfig::from_value(&json!({"dataset": "binance/BTC-USDT/1h", "algorithm": "ppo"})).unwrap();
        Search::new(base, default_space(Algorithm::Ppo), sampler, 3).unwrap()
    }

    /// A stand-in for the quality of a config: best at learning rate 1e-3 and γ 0.95.
    fn quality(config: &TrainConfig) -> f64 {
        let rate = libm::log10(config.learning_rate) + 3.0;
        -rate * rate - 40.0 * (config.gamma - 0.95).abs()
    }

    fn run(sampler: Sampler, trials: usize) -> Search {
        let mut search = search(sampler);
        for _ in 0..trials {
            let (number, config) = search.propose().unwrap();
            search.finish(number, Ok(quality(&config)));
        }
        search
    }

    #[test]
    fn every_algorithms_space_gives_valid_configs() {
        for algorithm in Algorithm::ALL {
            let base = json!({"dataset": "binance/BTC-USDT/1h", "algorithm": algorithm.name()});
            let base = TrainConfig::from_value(&base).unwrap();
            let mut search = Search::new(base, default_space(algorithm), Sampler::Random, 1).unwrap();
            for number in 0..20 {
                let (found, config) = search.propose().unwrap();
                assert_eq!((found, config.check()), (number, Ok(())));
                assert_eq!(config.to_value()["gamma"], search.trials()[number].keys["gamma"]);
            }
        }
    }

    #[test]
    fn learning_from_trials_beats_chance_and_can_be_repeated() {
        let late = |search: &Search| {
            let results: Vec<f64> = search.trials()[30..].iter().filter_map(Trial::result).collect();
            results.iter().sum::<f64>() / results.len() as f64
        };
        let (random, parzen) = (run(Sampler::Random, 60), run(Sampler::Parzen, 60));
        assert!(late(&parzen) > late(&random) + 0.3, "{} {}", late(&parzen), late(&random));
        assert_eq!(parzen, run(Sampler::Parzen, 60));
        let best = parzen.best().unwrap();
        assert!(parzen.trials().iter().all(|trial| trial.result() <= best.result()));
    }

    #[test]
    fn a_stored_search_goes_on_as_before() {
        let mut search = run(Sampler::Parzen, 12);
        let text = serde_json::to_string(&search).unwrap();
        let mut copy: Search = serde_json::from_str(&text).unwrap();
        assert_eq!(copy, search);
        assert_eq!(copy.propose().unwrap(), search.propose().unwrap());
    }

    #[test]
    fn trials_below_the_median_are_pruned_after_the_warm_up() {
        let mut search = search(Sampler::Random);
        for trial in 0..5 {
            search.propose().unwrap();
            for report in 0..4 {
                assert_eq!(search.report(trial, (trial + report) as f64 + 10.0 * trial as f64), Decision::Continue);
            }
            search.finish(trial, Ok(trial as f64));
        }
        let (slow, _) = search.propose().unwrap();
        let decisions: Vec<Decision> = (0..3).map(|_| search.report(slow, 1.0)).collect();
        assert_eq!(decisions, [Decision::Continue, Decision::Continue, Decision::Prune]);
        assert_eq!(search.trials()[slow].outcome, Outcome::Pruned);
        let (broken, _) = search.propose().unwrap();
        search.finish(broken, Ok(f64::NAN));
        assert!(matches!(search.trials()[broken].outcome, Outcome::Failed(_)));
        assert_eq!(search.best().unwrap().number, 4);
    }

    #[test]
    fn a_space_without_a_valid_config_says_why() {
        let base = TrainConfig::from_value(&json!({"dataset": "binance/BTC-USDT/1h", "algorithm": "ppo"})).unwrap();
        let space = vec![("batch_size".to_owned(), Range::Choice(vec![json!(63)]))];
        let mut search = Search::new(base.clone(), space, Sampler::Random, 1).unwrap();
        assert!(search.propose().unwrap_err().to_string().contains("use batch_size"));
        let reversed = vec![("gamma".to_owned(), Range::Uniform(1.0, 0.0))];
        assert!(Search::new(base, reversed, Sampler::Random, 1).is_err());
    }
}
