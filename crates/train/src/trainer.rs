//! The trainer: one door to every algorithm.

use assay_model::{Head, Isa, Mlp};
use assay_types::Hash;

use crate::candles::CandleEnvironments;
use crate::checkpoint::{Reader, Writer};
use crate::config::{OnPolicyConfig, TrainConfig};
use crate::environments::Environments;
use crate::error::TrainError;
use crate::offpolicy::OffPolicy;
use crate::onpolicy::{ENVIRONMENTS, OnPolicy};
use crate::rng::Rng;
use crate::set::TrainingSet;
use crate::stats::UpdateStats;

/// One run in progress.
#[derive(Debug)]
pub struct Trainer<'a, E = CandleEnvironments<'a>> {
    learner: Learner<'a, E>,
    /// Of the config, this run's seed and what it learns from: what a checkpoint belongs to.
    identity: Hash,
    total_timesteps: u64,
    timesteps: u64,
    updates: u64,
}

/// The families of algorithms. Each has the same four functions: `update()`,
/// `save(writer)`, `restore(reader)` and `network()`.
#[derive(Debug)]
enum Learner<'a, E> {
    /// PPO and A2C.
    OnPolicy(Box<OnPolicy<E>>),
    /// SAC, TD3 and DDPG, on candles.
    OffPolicy(Box<OffPolicy<'a>>),
}

impl<'a> Trainer<'a> {
    /// A fresh run of `config` on `set` with `seed` (which stands in for the config's
    /// own). `threads` and `isa` change the speed only.
    ///
    /// # Errors
    /// [`TrainError`] when the config or the set does not fit.
    pub fn new(
        set: &TrainingSet<'a>,
        config: &TrainConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        config.check()?;
        set.check()?;
        let learner = if config.algorithm.is_on_policy() {
            let streams = Rng::new(seed).fork(ENVIRONMENTS);
            let environments =
                CandleEnvironments::new(set, config.n_envs, config.episode_steps, config.reward_scale, &streams)?;
            Learner::OnPolicy(Box::new(OnPolicy::new(environments, &config.on_policy()?, seed, threads, isa)?))
        } else {
            Learner::OffPolicy(Box::new(OffPolicy::new(set, config, seed, threads, isa)?))
        };
        let config_value = TrainConfig { seed, ..config.clone() }.to_value();
        let identity = identity(&config_value, set.fingerprint());
        let total_timesteps = config.total_timesteps.timesteps(set.train.len());
        Ok(Self { learner, identity, total_timesteps, timesteps: 0, updates: 0 })
    }

    /// The run that `bytes`, made by [`Self::checkpoint`], stopped at; it goes on to the
    /// same weights as if it had not stopped.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the bytes are damaged or belong to another
    /// config, seed or training set; otherwise as [`Self::new`].
    pub fn resume(
        bytes: &[u8],
        set: &TrainingSet<'a>,
        config: &TrainConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let mut trainer = Self::new(set, config, seed, threads, isa)?;
        trainer.restore(bytes)?;
        Ok(trainer)
    }
}

impl<E: Environments> Trainer<'_, E> {
    /// A fresh run of `config` in environments of any kind, made with the streams of
    /// [`Self::streams`] of its seed. `fingerprint` is of all that they read, `bars` the
    /// steps they have to offer, for a budget of `auto`.
    ///
    /// # Errors
    /// [`TrainError`] when config and environments do not fit.
    pub fn in_environments(
        environments: E,
        fingerprint: Hash,
        bars: usize,
        config: &OnPolicyConfig,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let learner = OnPolicy::new(environments, config, config.seed, threads, isa)?;
        let identity = identity(&config.to_value(), fingerprint);
        let total_timesteps = config.total_timesteps.timesteps(bars);
        Ok(Self { learner: Learner::OnPolicy(Box::new(learner)), identity, total_timesteps, timesteps: 0, updates: 0 })
    }

    /// The stream of random numbers that a run's environments fork theirs from.
    #[must_use]
    pub fn streams(seed: u64) -> Rng {
        Rng::new(seed).fork(ENVIRONMENTS)
    }

    /// Goes on where `bytes`, made by [`Self::checkpoint`] of a run like this one, stopped.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] when the bytes are damaged or belong to another run.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<(), TrainError> {
        let mut reader = Reader::new(bytes)?;
        if reader.bytes()? != self.identity.0 {
            let reason = "it belongs to a run with another config, seed or training set: resume it with its own".into();
            return Err(TrainError::Checkpoint(reason));
        }
        self.timesteps = reader.u64()?;
        self.updates = reader.u64()?;
        match &mut self.learner {
            Learner::OnPolicy(learner) => learner.restore(&mut reader)?,
            Learner::OffPolicy(learner) => learner.restore(&mut reader)?,
        }
        reader.finish()
    }

    /// Everything the run depends on: weights, optimisers, random streams,
    /// environments. To be kept by the caller, in one piece.
    #[must_use]
    pub fn checkpoint(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.bytes(&self.identity.0);
        writer.u64(self.timesteps);
        writer.u64(self.updates);
        match &self.learner {
            Learner::OnPolicy(learner) => learner.save(&mut writer),
            Learner::OffPolicy(learner) => learner.save(&mut writer),
        }
        writer.finish()
    }

    /// One roll-out and what is learned from it.
    ///
    /// # Errors
    /// [`TrainError::Diverged`] when a loss is not finite, [`TrainError::Sim`] when
    /// the ledger overflows.
    pub fn update(&mut self) -> Result<UpdateStats, TrainError> {
        let (steps, mut stats) = match &mut self.learner {
            Learner::OnPolicy(learner) => learner.update()?,
            Learner::OffPolicy(learner) => learner.update()?,
        };
        self.timesteps += steps;
        self.updates += 1;
        stats.timesteps = self.timesteps;
        stats.updates = self.updates;
        for (what, value) in [("the policy loss", stats.policy_loss), ("the value loss", stats.value_loss)] {
            if value.is_some_and(|value| !value.is_finite()) {
                return Err(TrainError::Diverged { timesteps: self.timesteps, what });
            }
        }
        Ok(stats)
    }

    /// The policy's network: one logit per action, or one number before its tanh, as
    /// [`Self::head`] says.
    #[must_use]
    pub fn network(&self) -> Mlp {
        match &self.learner {
            Learner::OnPolicy(learner) => learner.network(),
            Learner::OffPolicy(learner) => learner.network(),
        }
    }

    /// What the outputs of [`Self::network`] mean on candles.
    #[must_use]
    pub const fn head(&self) -> Head {
        match &self.learner {
            Learner::OnPolicy(_) => Head::Discrete,
            Learner::OffPolicy(_) => Head::Scalar,
        }
    }

    /// Environment steps taken.
    #[must_use]
    pub const fn timesteps(&self) -> u64 {
        self.timesteps
    }

    /// Updates done.
    #[must_use]
    pub const fn updates(&self) -> u64 {
        self.updates
    }

    /// Environment steps to take in all.
    #[must_use]
    pub const fn total_timesteps(&self) -> u64 {
        self.total_timesteps
    }

    /// Whether the budget is spent.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        self.timesteps >= self.total_timesteps
    }
}

fn identity(config: &serde_json::Value, fingerprint: Hash) -> Hash {
    Hash::of_json(&serde_json::json!({ "config": config, "set": fingerprint }))
}
