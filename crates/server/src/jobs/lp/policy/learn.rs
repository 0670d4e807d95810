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
