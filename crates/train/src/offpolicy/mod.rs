//! Off-policy learning: SAC, TD3 and DDPG with the semantics and defaults of
//! Stable-Baselines3. Steps are kept in a replay buffer, and each step of the
//! environments is followed by gradient steps on minibatches drawn from it.
//!
//! The action is one number in [−1, 1]. A truncated episode has a value at its last
//! observation, a terminated one has none.

mod action_noise;
mod actor;
mod batch;
mod critics;
mod normals;
mod replay;
mod sac;
mod saved;
mod squashed;
mod td3;
mod temperature;

use assay_model::{Activation, Isa, Mlp, scalar_target};
use assay_sim::End;

pub use action_noise::ActionNoise;
pub use td3::Delays;
pub use temperature::Temperature;

use crate::checkpoint::{Reader, Writer};
use crate::environments::Environments;
use crate::error::TrainError;
use crate::rng::Rng;
use crate::set::TrainingSet;
use action_noise::NoiseProcess;
use batch::{Batch, Features};
use replay::{ReplayBuffer, Transition};
use sac::Sac;
use td3::Td3;

/// What all off-policy algorithms have.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Units of each hidden layer, the same for actor and critics.
    pub net_arch: Vec<usize>,
    /// The non-linearity between layers.
    pub activation: Activation,
    /// Step size of every optimiser.
    pub learning_rate: f64,
    /// Transitions of a minibatch.
    pub batch_size: usize,
    /// Transitions remembered.
    pub buffer_size: usize,
    /// Steps with uniformly random actions and no learning.
    pub learning_starts: u64,
    /// Discount of each step.
    pub gamma: f32,
    /// Share by which targets follow at each update.
    pub tau: f32,
    /// Steps of each environment between trainings.
    pub train_freq: u64,
    /// Gradient steps of a training; `None` for as many as steps were taken.
    pub gradient_steps: Option<u64>,
    /// Exploration noise.
    pub action_noise: ActionNoise,
}

/// Which algorithm learns.
#[derive(Debug, Clone, PartialEq)]
pub enum Method {
    /// Soft actor-critic.
    Sac {
        /// Weight of the entropy.
        temperature: Temperature,
        /// Gradient steps between two moves of the targets.
        target_update_interval: u64,
    },
    /// TD3, or DDPG.
    Td3(Delays),
}

impl Method {
    /// SAC as Stable-Baselines3 has it: entropy weight learnt from 1, target entropy −1
    /// (one action).
    #[must_use]
    pub fn sac() -> Self {
        Self::Sac { temperature: Temperature::learnt(1.0, -1.0), target_update_interval: 1 }
    }

    /// TD3 as Stable-Baselines3 has it.
    #[must_use]
    pub const fn td3() -> Self {
        Self::Td3(Delays { critics: 2, policy_delay: 2, target_noise: 0.2, target_noise_clip: 0.5 })
    }

    /// DDPG as Stable-Baselines3 has it.
    #[must_use]
    pub const fn ddpg() -> Self {
        Self::Td3(Delays { critics: 1, policy_delay: 1, target_noise: 0.0, target_noise_clip: 0.0 })
    }

    /// The settings Stable-Baselines3 has for it.
    #[must_use]
    pub fn defaults(&self) -> Settings {
        let (net_arch, learning_rate) = match self {
            Self::Sac { .. } => (vec![256, 256], 3e-4),
            Self::Td3(_) => (vec![400, 300], 1e-3),
        };
        Settings {
            net_arch,
            activation: Activation::Relu,
            learning_rate,
            batch_size: 256,
            buffer_size: 1_000_000,
            learning_starts: 100,
            gamma: 0.99,
            tau: 0.005,
            train_freq: 1,
            gradient_steps: Some(1),
            action_noise: ActionNoise::None,
        }
    }
}

/// Losses of the last gradient step.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Losses {
    /// What the actor's step went down on.
    pub actor: f32,
    /// The critics' regression loss, summed over them.
    pub critic: f32,
    /// Weight of the entropy; 0 for TD3 and DDPG.
    pub temperature: f32,
}

enum Agent {
    Sac(Sac),
    Td3(Td3),
}

/// A learner with its environments and its memory.
pub struct OffPolicy<'a> {
    settings: Settings,
    isa: Isa,
    environments: Environments<'a>,
    features: Features<'a>,
    agent: Agent,
    replay: ReplayBuffer,
    batch: Batch,
    noise: Vec<NoiseProcess>,
    /// Actions and noise are drawn from the first, minibatches from the second.
    rngs: [Rng; 2],
    observations: Vec<f32>,
    timesteps: u64,
    updates: u64,
    losses: Losses,
    paid: f64,
}

/// Streams of the seed.
const NETWORKS: u64 = 10;
const ACTIONS: u64 = 11;
const BATCHES: u64 = 12;

impl<'a> OffPolicy<'a> {
    /// A fresh learner on `environments` over `set`.
    ///
    /// # Errors
    /// [`TrainError::Model`] for layers no network can have.
    pub fn new(
        set: &TrainingSet<'a>,
        environments: Environments<'a>,
        method: &Method,
        settings: Settings,
        seed: &Rng,
        isa: Isa,
    ) -> Result<Self, TrainError> {
        let (inputs, count) = (set.inputs(), environments.count());
        let mut networks = seed.fork(NETWORKS);
        let agent = match method {
            Method::Sac { temperature, target_update_interval } => {
                Agent::Sac(Sac::new(&settings, temperature.clone(), *target_update_interval, inputs, &mut networks)?)
            }
            Method::Td3(delays) => Agent::Td3(Td3::new(&settings, *delays, inputs, &mut networks)?),
        };
        let mut learner = Self {
            isa,
            features: Features::new(set.features, set.columns),
            agent,
            replay: ReplayBuffer::new(settings.buffer_size),
            batch: Batch::default(),
            noise: vec![NoiseProcess::new(settings.action_noise); count],
            rngs: [seed.fork(ACTIONS), seed.fork(BATCHES)],
            observations: vec![0.0; count * inputs],
            timesteps: 0,
            updates: 0,
            losses: Losses::default(),
            paid: 0.0,
            settings,
            environments,
        };
        learner.observe();
        Ok(learner)
    }

    fn observe(&mut self) {
        let inputs = self.features.inputs();
        for (index, row) in self.observations.chunks_exact_mut(inputs).enumerate() {
            self.environments.observe(index, row);
        }
    }

    /// Steps taken in all environments together.
    #[must_use]
    pub const fn timesteps(&self) -> u64 {
        self.timesteps
    }

    /// Gradient steps taken.
    #[must_use]
    pub const fn updates(&self) -> u64 {
        self.updates
    }

    /// Losses of the last gradient step.
    #[must_use]
    pub const fn losses(&self) -> Losses {
        self.losses
    }

    /// Sum of all rewards so far.
    #[must_use]
    pub const fn paid(&self) -> f64 {
        self.paid
    }

    /// The network of the deterministic policy: the tanh of its one output is the action.
    #[must_use]
    pub fn policy_network(&self) -> Mlp {
        match &self.agent {
            Agent::Sac(sac) => sac.policy_network(),
            Agent::Td3(td3) => td3.policy_network(),
        }
    }

    /// `train_freq` steps in each environment and the training that follows.
    ///
    /// # Errors
    /// [`TrainError`] when the ledger overflows or a loss is not finite.
    pub fn advance(&mut self) -> Result<(), TrainError> {
        for _ in 0..self.settings.train_freq {
            self.collect()?;
        }
        if self.timesteps <= self.settings.learning_starts {
            return Ok(());
        }
        let collected = self.settings.train_freq * self.environments.count() as u64;
        for _ in 0..self.settings.gradient_steps.unwrap_or(collected) {
            self.learn()?;
        }
        Ok(())
    }

    /// One step in each environment.
    fn collect(&mut self) -> Result<(), TrainError> {
        let inputs = self.features.inputs();
        let random = self.timesteps < self.settings.learning_starts;
        for index in 0..self.environments.count() {
            let observation = &mut self.observations[index * inputs..][..inputs];
            let rng = &mut self.rngs[0];
            let action = if random {
                (2.0 * rng.uniform() - 1.0) as f32
            } else {
                let action = match &mut self.agent {
                    Agent::Sac(sac) => sac.explore(self.isa, observation, rng),
                    Agent::Td3(td3) => td3.act(self.isa, observation),
                };
                self.noise[index].disturb(action, rng)
            };
            let bar = self.environments.candle(index);
            let account = account(observation);
            let outcome = self.environments.step(index, scalar_target(action), observation)?;
            if outcome.end.is_none() {
                self.environments.observe(index, observation);
            }
            self.replay.push(Transition {
                bar: u32::try_from(bar).expect("fewer than 2^32 candles"),
                account,
                action,
                reward: outcome.reward,
                next_account: crate::offpolicy::account(observation),
                terminated: outcome.end == Some(End::Terminated),
            });
            if outcome.end.is_some() {
                self.noise[index].reset();
                self.environments.observe(index, observation);
            }
            self.paid += f64::from(outcome.reward);
            self.timesteps += 1;
        }
        Ok(())
    }

    /// One gradient step.
    fn learn(&mut self) -> Result<(), TrainError> {
        let [_, rng] = &mut self.rngs;
        self.batch.draw(rng, &self.replay, self.features, self.settings.batch_size);
        self.losses = match &mut self.agent {
            Agent::Sac(sac) => sac.update(self.isa, &mut self.batch, &self.settings, rng),
            Agent::Td3(td3) => td3.update(self.isa, &mut self.batch, &self.settings, rng),
        };
        self.updates += 1;
        for (what, value) in [("the actor's loss", self.losses.actor), ("the critics' loss", self.losses.critic)] {
            if !value.is_finite() {
                return Err(TrainError::Diverged { timesteps: self.timesteps, what });
            }
        }
        Ok(())
    }

    /// Writes everything that training goes on from, the replay buffer included.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.timesteps);
        writer.u64(self.updates);
        writer.f64(self.paid);
        self.rngs.iter().for_each(|rng| writer.u64(rng.state()));
        writer.f32s(&[self.losses.actor, self.losses.critic, self.losses.temperature]);
        self.environments.save(writer);
        self.noise.iter().for_each(|noise| noise.save(writer));
        match &self.agent {
            Agent::Sac(sac) => sac.save(writer),
            Agent::Td3(td3) => td3.save(writer),
        }
        self.replay.save(writer);
    }

    /// Restores what [`Self::save`] wrote into a learner made with the same settings.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other settings.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.timesteps = reader.u64()?;
        self.updates = reader.u64()?;
        self.paid = reader.f64()?;
        for rng in &mut self.rngs {
            *rng = Rng::from_state(reader.u64()?);
        }
        let losses = reader.f32s()?;
        let [actor, critic, temperature] = losses[..] else {
            return Err(TrainError::Checkpoint("it holds no three losses".into()));
        };
        self.losses = Losses { actor, critic, temperature };
        self.environments.restore(reader)?;
        for noise in &mut self.noise {
            noise.restore(reader)?;
        }
        match &mut self.agent {
            Agent::Sac(sac) => sac.restore(reader)?,
            Agent::Td3(td3) => td3.restore(reader)?,
        }
        self.replay.restore(reader, self.features.bars())?;
        self.observe();
        Ok(())
    }
}

/// The account inputs at the end of an observation.
fn account(observation: &[f32]) -> [f32; 2] {
    *observation.last_chunk().expect("an observation ends with the account's inputs")
}
