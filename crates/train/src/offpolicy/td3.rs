//! Twin delayed deterministic policy gradient (Fujimoto et al. 2018), and DDPG
//! (Lillicrap et al. 2016) as its special case of one critic, no delay and no target
//! noise, as Stable-Baselines3 has it.

use assay_model::{Isa, Mlp, Workspace};

use super::actor::Actor;
use super::batch::Batch;
use super::critics::Critics;
use super::normals::fill_normals;
use super::{Losses, Settings, saved};
use crate::checkpoint::{Reader, Writer};
use crate::config::{Algorithm, TrainConfig};
use crate::error::TrainError;
use crate::rng::Rng;

/// What tells TD3 from DDPG.
#[derive(Debug, Clone, Copy)]
struct Delays {
    critics: usize,
    /// Critic updates for each update of the actor and the targets.
    policy_delay: u64,
    /// Standard deviation of the noise on target actions.
    target_noise: f32,
    /// The noise is clamped to ± this.
    target_noise_clip: f32,
}

impl Delays {
    const DDPG: Self = Self { critics: 1, policy_delay: 1, target_noise: 0.0, target_noise_clip: 0.0 };

    fn new(config: &TrainConfig) -> Result<Self, TrainError> {
        if config.algorithm == Algorithm::Ddpg {
            return Ok(Self::DDPG);
        }
        Ok(Self {
            critics: 2,
            policy_delay: config.need("policy_delay", config.policy_delay)?,
            target_noise: config.need("target_policy_noise", config.target_policy_noise)? as f32,
            target_noise_clip: config.need("target_noise_clip", config.target_noise_clip)? as f32,
        })
    }
}

/// Networks and optimisers of TD3 or DDPG.
#[derive(Debug)]
pub struct Td3 {
    delays: Delays,
    actor: Actor,
    actor_target: Mlp,
    target_space: Workspace,
    critics: Critics,
    /// Gradient steps taken.
    pub updates: u64,
    actor_loss: f32,
    noise: Vec<f32>,
    actions: Vec<f32>,
    targets: Vec<f32>,
    least: Vec<f32>,
    slope: Vec<f32>,
}

impl Td3 {
    /// Fresh networks for observations of `inputs` numbers.
    ///
    /// # Errors
    /// [`TrainError`] when a key of TD3 is missing.
    pub fn new(config: &TrainConfig, settings: &Settings, inputs: usize, rng: &mut Rng) -> Result<Self, TrainError> {
        let delays = Delays::new(config)?;
        let rows = settings.batch_size;
        let actor = Actor::new(inputs, 1, settings, rng)?;
        Ok(Self {
            delays,
            actor_target: actor.network.clone(),
            target_space: Workspace::forward_only(&actor.network, rows),
            actor,
            critics: Critics::new(delays.critics, inputs, settings, rng)?,
            updates: 0,
            actor_loss: 0.0,
            noise: vec![0.0; rows],
            actions: vec![0.0; rows],
            targets: Vec::new(),
            least: Vec::new(),
            slope: Vec::new(),
        })
    }

    /// The policy's action; noise is the caller's.
    pub fn act(&mut self, isa: Isa, observation: &[f32]) -> f32 {
        let mut action = [self.actor.one(isa, observation)[0]];
        isa.tanh(&mut action);
        action[0]
    }

    /// The network of the policy: the tanh of its one output is the action.
    #[must_use]
    pub fn policy_network(&self) -> Mlp {
        self.actor.network.clone()
    }

    /// One gradient step of the critics and, each `policy_delay` steps, of the actor
    /// and the targets.
    pub fn update(&mut self, isa: Isa, batch: &mut Batch, settings: &Settings, rng: &mut Rng) -> Losses {
        let rows = settings.batch_size;
        let rate = settings.learning_rate;
        self.updates += 1;

        self.actor_target.forward(isa, &batch.next_observations, rows, &mut self.target_space);
        squash(isa, &self.target_space, &mut self.actions);
        let Delays { target_noise, target_noise_clip: clip, .. } = self.delays;
        if target_noise > 0.0 && clip > 0.0 {
            fill_normals(rng, &mut self.noise);
            for (action, noise) in self.actions.iter_mut().zip(&self.noise) {
                *action = (*action + (noise * target_noise).clamp(-clip, clip)).clamp(-1.0, 1.0);
            }
        }
        batch.set_next_actions(&self.actions);
        self.critics.least_target(isa, &batch.next_pairs, &mut self.targets);
        for (row, target) in self.targets.iter_mut().enumerate() {
            *target = batch.rewards[row] + batch.continues[row] * settings.gamma * *target;
        }
        let critic = self.critics.regress(isa, &batch.pairs, &self.targets, 1.0, rate);

        if self.updates.is_multiple_of(self.delays.policy_delay) {
            self.actor_loss = self.improve(isa, batch, rows, rate);
            self.critics.follow(isa, settings.tau);
            self.actor_target.blend(isa, &self.actor.network, settings.tau);
        }
        Losses { actor: self.actor_loss, critic, temperature: None }
    }

    /// One step of the actor up the first critic's value.
    fn improve(&mut self, isa: Isa, batch: &mut Batch, rows: usize, rate: f64) -> f32 {
        self.actor.network.forward(isa, &batch.observations, rows, &mut self.actor.space);
        squash(isa, &self.actor.space, &mut self.actions);
        batch.replace_actions(&self.actions);
        self.critics.least_with_slope(isa, &batch.pairs, 1, &mut self.least, &mut self.slope);
        let share = 1.0 / rows as f32;
        let stride = self.actor.space.stride();
        let gradient = self.actor.space.output_gradient_mut();
        for (row, slope) in self.slope.iter().enumerate() {
            let action = self.actions[row];
            gradient[row * stride] = -share * slope * (1.0 - action * action);
        }
        self.actor.descend(isa, &batch.observations, rows, rate);
        -share * self.least.iter().sum::<f32>()
    }

    /// Writes every number that training goes on from.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.updates);
        writer.f32s(&[self.actor_loss]);
        self.actor.save(writer);
        saved::write_network(writer, &self.actor_target);
        self.critics.save(writer);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other networks.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.updates = reader.u64()?;
        self.actor_loss = reader.f32s()?.first().copied().unwrap_or(0.0);
        self.actor.restore(reader)?;
        saved::read_network(reader, &mut self.actor_target)?;
        self.critics.restore(reader)
    }
}

/// The tanh of the first output of each row.
fn squash(isa: Isa, space: &Workspace, actions: &mut [f32]) {
    for (action, row) in actions.iter_mut().zip(space.outputs().chunks_exact(space.stride())) {
        *action = row[0];
    }
    isa.tanh(actions);
}
