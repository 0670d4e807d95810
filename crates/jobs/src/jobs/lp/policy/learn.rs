//! Training on recorded rounds, and the choice of the checkpoint by rounds that were not
//! trained on.

use std::fmt::Write as _;
use std::time::Instant;

use assay_lp::environment::{ACTIONS, Environment, INPUTS, Limits, RecordedRound};
use assay_lp::fixed::ONE;
use assay_lp::{Job, LpError};
use assay_model::{Chooser, Isa, Mlp};
use assay_train::checkpoint::{Reader, Writer};
use assay_train::{OnPolicyConfig, Selection, TrainError, Trainer, UpdateStats};

use super::environments::RoundEnvironments;
use crate::error::JobError;
use crate::progress::{Advance, Progress};

/// Head of the training curve.
const CURVE_HEAD: &str = "timesteps,updates,mean_reward,policy_loss,value_loss,entropy,validation_over_hold\n";

/// What is learned from and chosen by.
#[derive(Debug, Clone, Copy)]
pub struct Lesson<'a> {
    /// The job.
    pub job: &'a Job,
    /// What the policy knows of it.
    pub limits: Limits,
    /// Rounds that are trained on.
    pub train: &'a [RecordedRound],
    /// Rounds that choose the checkpoint.
    pub validation: &'a [RecordedRound],
}

/// A policy, learned.
#[derive(Debug, Clone)]
pub struct Learned {
    /// The network of the chosen checkpoint.
    pub chooser: Chooser,
    /// Steps taken in all.
    pub timesteps: u64,
    /// Steps of this attempt per second, learning and validation included.
    pub steps_per_second: f64,
    /// Mean score beyond holding on the validation rounds of the chosen checkpoint.
    pub validation_over_hold: f64,
    /// Steps before the chosen checkpoint.
    pub chosen_at: u64,
    /// The curve as CSV.
    pub curve: String,
}

/// Training in progress.
pub struct Learning<'a> {
    lesson: Lesson<'a>,
    config: OnPolicyConfig,
    trainer: Trainer<'a, RoundEnvironments<'a>>,
    selection: Selection,
    best: Option<(Mlp, u64)>,
    curve: String,
    started: Instant,
    from: u64,
}

impl<'a> Learning<'a> {
    /// A fresh run; `checkpoint` goes on with one that [`Self::checkpoint`] made.
    ///
    /// # Errors
    /// [`JobError`] when config and rounds do not fit, or the checkpoint is of another run.
    pub fn start(
        lesson: Lesson<'a>,
        config: &OnPolicyConfig,
        threads: usize,
        checkpoint: Option<&[u8]>,
    ) -> Result<Self, JobError> {
        let Lesson { job, limits, train, validation } = lesson;
        let environments = RoundEnvironments::new(job, train, limits, config.n_envs, config.reward_scale);
        let environments = environments.map_err(|error| super::super::failed("the training rounds", &error))?;
        let both = [train, validation].map(RecordedRound::fingerprint);
        let fingerprint = assay_types::Hash::of_json(&serde_json::json!({"rounds": both, "job": job}));
        let steps = train.iter().map(RecordedRound::checkpoints).sum();
        let trainer = Trainer::in_environments(environments, fingerprint, steps, config, threads, Isa::detect())?;
        let (selection, curve) = (Selection::new(config.patience), CURVE_HEAD.to_owned());
        let config = config.clone();
        let mut learning =
            Self { lesson, config, trainer, selection, best: None, curve, started: Instant::now(), from: 0 };
        if let Some(bytes) = checkpoint {
            learning.restore(bytes)?;
        }
        Ok(learning)
    }

    /// Everything the run depends on.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.trainer.checkpoint());
        writer.bytes(&serde_json::to_vec(&self.selection).expect("a selection is plain data"));
        writer.bytes(self.curve.as_bytes());
        writer.u64(u64::from(self.best.is_some()));
        if let Some((network, timesteps)) = &self.best {
            writer.f32s(network.values());
            writer.u64(*timesteps);
        }
        writer.finish()
    }

    fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let damaged = |what: &str| TrainError::Checkpoint(format!("{what} does not read"));
        let mut reader = Reader::new(bytes)?;
        self.trainer.restore(reader.bytes()?)?;
        self.selection = serde_json::from_slice(reader.bytes()?).map_err(|_| damaged("the selection"))?;
        self.curve = String::from_utf8(reader.bytes()?.to_vec()).map_err(|_| damaged("the curve"))?;
        if reader.u64()? == 1 {
            let mut network = self.trainer.network();
            network.set_values(&reader.f32s()?)?;
            self.best = Some((network, reader.u64()?));
        }
        self.from = self.trainer.timesteps();
        reader.finish()
    }

    /// Whether the budget is spent or patience is lost.
    #[must_use]
    pub fn is_over(&self) -> bool {
        let lost = self.selection.patience.is_some_and(|patience| self.selection.since_best >= patience);
        self.best.is_some() && (self.trainer.is_done() || lost)
    }

    /// One update; true when it was a checkpoint, whose policy was then judged.
    ///
    /// # Errors
    /// [`JobError`] when training diverges or the books of a round do not balance.
    pub fn advance(&mut self, progress: &dyn Progress) -> Result<bool, JobError> {
        let stats = self.trainer.update()?;
        let due = self.trainer.updates().is_multiple_of(self.config.checkpoint_every) || self.trainer.is_done();
        let mut score = None;
        if due {
            let network = self.trainer.network();
            let chooser = Chooser::new(network.clone(), INPUTS, ACTIONS.len())?;
            let Lesson { job, limits, validation, .. } = self.lesson;
            let mean = mean_over_hold(&chooser, job, limits, validation);
            let mean = mean.map_err(|error| super::super::failed("the validation rounds", &error))?;
            if self.selection.judge(self.trainer.updates(), mean).is_best {
                self.best = Some((network, self.trainer.timesteps()));
            }
            score = Some(mean);
        }
        self.note(&stats, score);
        self.tell(progress, &stats, score);
        Ok(due)
    }

    fn note(&mut self, stats: &UpdateStats, score: Option<f64>) {
        let text = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let numbers = [Some(stats.mean_reward), stats.policy_loss, stats.value_loss, stats.entropy, score].map(text);
        let _ = writeln!(self.curve, "{},{},{}", stats.timesteps, stats.updates, numbers.join(","));
    }

    fn per_second(&self) -> f64 {
        (self.trainer.timesteps() - self.from) as f64 / self.started.elapsed().as_secs_f64().max(1e-9)
    }

    fn tell(&self, progress: &dyn Progress, stats: &UpdateStats, score: Option<f64>) {
        let (total, rate) = (self.trainer.total_timesteps(), self.per_second());
        let figures = [("reward", Some(stats.mean_reward)), ("entropy", stats.entropy), ("validation", score)];
        progress.advance(&Advance {
            done: stats.timesteps.min(total),
            total,
            unit: "steps",
            per_second: Some(rate),
            seconds_left: Some(total.saturating_sub(stats.timesteps) as f64 / rate.max(1e-9)),
            figures: figures.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        });
    }

    /// The policy that the validation rounds have chosen.
    ///
    /// # Errors
    /// [`JobError::Failed`] before the first checkpoint.
    pub fn finish(self) -> Result<Learned, JobError> {
        let steps_per_second = self.per_second();
        let none = || JobError::Failed("no checkpoint was judged".to_owned());
        let (network, chosen_at) = self.best.ok_or_else(none)?;
        Ok(Learned {
            chooser: Chooser::new(network, INPUTS, ACTIONS.len())?,
            timesteps: self.trainer.timesteps(),
            steps_per_second,
            validation_over_hold: self.selection.best_return.ok_or_else(none)?,
            chosen_at,
            curve: self.curve,
        })
    }
}

/// Mean score beyond holding of a policy over rounds, once through.
///
/// # Errors
/// [`LpError`] when there are no rounds with a checkpoint, or one fails.
pub fn mean_over_hold(chooser: &Chooser, job: &Job, limits: Limits, rounds: &[RecordedRound]) -> Result<f64, LpError> {
    let count = rounds.iter().filter(|round| round.checkpoints() > 0).count();
    let mut environment = Environment::new(job, rounds, limits, 0)?;
    let (mut ended, mut sum) = (0, 0.0);
    while ended < count {
        let action = chooser.choose(environment.observation()).action;
        if let Some(over_hold) = environment.step(action)?.over_hold {
            sum += over_hold as f64 / ONE as f64;
            ended += 1;
        }
    }
    Ok(sum / count as f64)
}

#[cfg(test)]
mod tests {
    use assay_lp::replay::Plan;
    use assay_lp::{Market, RoundType};

    use super::*;
    use crate::sample::pool::{SAMPLE_ROUNDS, sample_pool};

    struct Silent;

    impl Progress for Silent {
        fn stage(&self, _: &str) {}
        fn advance(&self, _: &Advance) {}
        fn note(&self, _: &str) {}
        fn done(&self) {}
    }

    fn sample() -> (Job, Vec<RecordedRound>) {
        let sample = sample_pool(1).unwrap();
        let (job, events) = (sample.job, sample.events);
        let times = sample.block_clock.times(u64::MAX);
        let mut market = Market::new(job.pool.clone());
        let mut next = 0;
        let rounds = (0..SAMPLE_ROUNDS).map(|number| {
            let plan = Plan::of(&job, RoundType::Evaluation, number, &times).unwrap();
            while events[next].place.block <= plan.start.number {
                market.apply(&events[next]).unwrap();
                next += 1;
            }
            let from = next;
            next = events.partition_point(|event| event.place.block <= plan.end.number);
            RecordedRound::take(&plan, &mut market, &events[from..next]).unwrap()
        });
        let rounds = rounds.collect();
        (job, rounds)
    }

    fn config(algorithm: &str) -> OnPolicyConfig {
        let keys = serde_json::json!({
            "algorithm": algorithm, "total_timesteps": 960, "n_envs": 3, "n_steps": 40, "net_arch": [12], "gamma": 1.0,
            "checkpoint_every": 2,
        });
        let mut keys = keys;
        if algorithm == "ppo" {
            keys["batch_size"] = 60.into();
        }
        OnPolicyConfig::from_value(&keys).unwrap()
    }

    #[test]
    fn an_interrupted_training_ends_with_the_same_policy() {
        let (job, rounds) = sample();
        let limits = Limits::of(&job, 2);
        let lesson = Lesson { job: &job, limits, train: &rounds[..16], validation: &rounds[16..20] };
        for algorithm in ["ppo", "a2c"] {
            let config = config(algorithm);
            let mut whole = Learning::start(lesson, &config, 1, None).unwrap();
            let mut kept = None;
            let mut updates = 0;
            while !whole.is_over() {
                whole.advance(&Silent).unwrap();
                updates += 1;
                if updates == 3 {
                    kept = Some(whole.checkpoint());
                }
            }
            let kept = kept.unwrap();
            let mut resumed = Learning::start(lesson, &config, 2, Some(&kept)).unwrap();
            assert_eq!(resumed.checkpoint(), kept);
            while !resumed.is_over() {
                resumed.advance(&Silent).unwrap();
            }
            let (whole, resumed) = (whole.finish().unwrap(), resumed.finish().unwrap());
            assert_eq!(whole.chooser.weights_hash(), resumed.chooser.weights_hash());
            assert_eq!((whole.curve.clone(), whole.chosen_at), (resumed.curve, resumed.chosen_at));
            let chosen = mean_over_hold(&whole.chooser, &job, limits, lesson.validation).unwrap();
            assert_eq!(chosen, whole.validation_over_hold);
            let other = Lesson { train: &rounds[1..16], ..lesson };
            assert!(Learning::start(other, &config, 1, Some(&kept)).is_err(), "a checkpoint of other rounds");
        }
    }

    #[test]
    fn learning_finds_that_narrow_ranges_cost_more_than_they_earn() {
        let (job, rounds) = sample();
        let limits = Limits::of(&job, 2);
        let lesson = Lesson { job: &job, limits, train: &rounds, validation: &rounds };
        let keys = serde_json::json!({
            "algorithm": "ppo", "total_timesteps": 30_000, "n_envs": 8, "n_steps": 125, "batch_size": 125,
            "net_arch": [16], "gamma": 1.0, "learning_rate": 1e-3,
        });
        let mut learning = Learning::start(lesson, &OnPolicyConfig::from_value(&keys).unwrap(), 1, None).unwrap();
        while !learning.is_over() {
            learning.advance(&Silent).unwrap();
        }
        let rewards: Vec<f64> =
            learning.curve.lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
        let mean = |rewards: &[f64]| rewards.iter().sum::<f64>() / rewards.len() as f64;
        let (first, last) = (mean(&rewards[..3]), mean(&rewards[rewards.len() - 3..]));
        assert!(last > first, "rewards went from {first} to {last}");
        assert!(learning.finish().unwrap().validation_over_hold >= 0.0);
    }
}
