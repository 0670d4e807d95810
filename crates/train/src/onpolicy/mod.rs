//! Algorithms that learn from their latest roll-out only: PPO and A2C.
//!
//! Actor and critic are separate networks and nothing but the norm of their
//! gradients joins them, so each has a thread of its own where there are two.

mod a2c;
mod batch;
mod exchange;
mod learner;
mod loss;
mod ppo;
mod rollout;

use assay_model::{Isa, Mlp};

use crate::checkpoint::{Reader, Writer};
use crate::config::{Algorithm, OnPolicyConfig};
use crate::environments::Environments;
use crate::error::TrainError;
use crate::initial::orthogonal;
use crate::rng::Rng;
use crate::stats::UpdateStats;
use learner::{Learner, Optimizer};
use rollout::RollOut;

/// Labels of the streams of random numbers.
const WEIGHTS: u64 = 1;
pub const ENVIRONMENTS: u64 = 2;
const ACTIONS: u64 = 3;
const SHUFFLES: u64 = 4;

/// Actions that a roll-out can note.
const MOST_ACTIONS: usize = 256;

/// The numbers of a config as the learner uses them.
#[derive(Debug, Clone, Copy)]
struct Settings {
    algorithm: Algorithm,
    n_steps: usize,
    gamma: f32,
    gae_lambda: f32,
    ent_coef: f32,
    vf_coef: f32,
    max_grad_norm: f32,
    normalize_advantage: bool,
    learning_rate: f64,
    /// Minibatch rows and passes; A2C has one minibatch, the roll-out, and one pass.
    batch_size: usize,
    n_epochs: usize,
    /// PPO's ε; `None` for A2C.
    clip_range: Option<f32>,
}

impl Settings {
    fn new(config: &OnPolicyConfig) -> Self {
        let roll_out = config.n_steps * config.n_envs;
        Self {
            algorithm: config.algorithm,
            n_steps: config.n_steps,
            gamma: config.gamma as f32,
            gae_lambda: config.gae_lambda as f32,
            ent_coef: config.ent_coef as f32,
            vf_coef: config.vf_coef as f32,
            max_grad_norm: config.max_grad_norm as f32,
            normalize_advantage: config.normalize_advantage,
            learning_rate: config.learning_rate,
            batch_size: config.batch_size.unwrap_or(roll_out),
            n_epochs: config.n_epochs.unwrap_or(1),
            clip_range: config.clip_range.map(|range| range as f32),
        }
    }
}

/// A run of PPO or A2C.
#[derive(Debug)]
pub struct OnPolicy<E> {
    settings: Settings,
    environments: E,
    roll_out: RollOut,
    actor: Learner,
    critic: Learner,
    actions: Rng,
    shuffles: Rng,
    reward_scale: f64,
    threads: usize,
    isa: Isa,
}

impl<E: Environments> OnPolicy<E> {
    /// A fresh run in `config.n_envs` environments that were made for `config`.
    ///
    /// # Errors
    /// [`TrainError`] when config and environments do not fit.
    pub fn new(
        environments: E,
        config: &OnPolicyConfig,
        seed: u64,
        threads: usize,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let settings = Settings::new(config);
        let (inputs, actions) = (environments.inputs(), environments.actions());
        if environments.count() != config.n_envs || !(2..=MOST_ACTIONS).contains(&actions) {
            let found = environments.count();
            return Err(TrainError::Set(format!(
                "{found} environments of {actions} actions where {} of 2 to {MOST_ACTIONS} are needed",
                config.n_envs
            )));
        }
        let root = Rng::new(seed);
        let sizes = |outputs: usize| -> Vec<usize> {
            [inputs].into_iter().chain(config.net_arch.iter().copied()).chain([outputs]).collect()
        };
        let mut weights = root.fork(WEIGHTS);
        // Gains of Stable-Baselines3: the first policy is near uniform.
        let actor = orthogonal(&sizes(actions), config.activation, 0.01, &mut weights)?;
        let critic = orthogonal(&sizes(1), config.activation, 1.0, &mut weights)?;
        let optimizer = |network: &Mlp| match settings.algorithm {
            Algorithm::Ppo => ppo::optimizer(network),
            _ => a2c::optimizer(network),
        };
        Ok(Self {
            settings,
            roll_out: RollOut::new(settings.n_steps, config.n_envs, inputs),
            environments,
            actor: Learner::new(optimizer(&actor), actor, settings.batch_size),
            critic: Learner::new(optimizer(&critic), critic, settings.batch_size),
            actions: root.fork(ACTIONS),
            shuffles: root.fork(SHUFFLES),
            reward_scale: config.reward_scale,
            threads,
            isa,
        })
    }

    /// One roll-out and the gradient steps on it; also gives the number of environment steps.
    ///
    /// # Errors
    /// [`TrainError::Sim`] when the ledger overflows.
    pub fn update(&mut self) -> Result<(u64, UpdateStats), TrainError> {
        let Self { settings, environments, roll_out, actor, critic, actions, shuffles, isa, .. } = self;
        roll_out.collect(environments, &actor.network, actions, *isa)?;
        roll_out.value(&critic.network, *isa, settings.gamma, settings.gae_lambda);
        let mut stats = UpdateStats {
            mean_reward: roll_out.mean_reward() / self.reward_scale,
            explained_variance: roll_out.explained_variance(),
            ..UpdateStats::default()
        };
        batch::learn(settings, roll_out, actor, critic, shuffles, self.threads, *isa, &mut stats);
        Ok((roll_out.rows() as u64, stats))
    }

    /// The actor.
    #[must_use]
    pub fn network(&self) -> Mlp {
        self.actor.network.clone()
    }

    /// Writes everything the run depends on.
    pub fn save(&self, writer: &mut Writer) {
        self.actor.save(writer);
        self.critic.save(writer);
        writer.u64(self.actions.state());
        writer.u64(self.shuffles.state());
        self.environments.save(writer);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to another run.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.actor.restore(reader)?;
        self.critic.restore(reader)?;
        self.actions = Rng::from_state(reader.u64()?);
        self.shuffles = Rng::from_state(reader.u64()?);
        self.environments.restore(reader)
    }
}
