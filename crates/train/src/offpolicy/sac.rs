//! Soft actor-critic (Haarnoja et al. 2018) in the order of operations and with the
//! defaults of Stable-Baselines3.

use assay_model::{Isa, Mlp, ModelError};

use super::actor::Actor;
use super::batch::Batch;
use super::critics::Critics;
use super::normals::fill_normals;
use super::squashed::Squashed;
use super::temperature::Temperature;
use super::{Losses, Settings};
use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::rng::Rng;

/// Networks and optimisers of SAC.
pub struct Sac {
    actor: Actor,
    critics: Critics,
    temperature: Temperature,
    updates: u64,
    target_update_interval: u64,
    noise: Vec<f32>,
    sampled: Squashed,
    next: Squashed,
    targets: Vec<f32>,
    least: Vec<f32>,
    slope: Vec<f32>,
}

impl Sac {
    /// Fresh networks for observations of `inputs` numbers.
    ///
    /// # Errors
    /// [`ModelError::Sizes`] for layers no network can have.
    pub fn new(
        settings: &Settings,
        temperature: Temperature,
        target_update_interval: u64,
        inputs: usize,
        rng: &mut Rng,
    ) -> Result<Self, ModelError> {
        let Settings { net_arch, activation, batch_size, .. } = settings;
        Ok(Self {
            actor: Actor::new(inputs, net_arch, 2, *activation, *batch_size, rng)?,
            critics: Critics::new(2, inputs, net_arch, *activation, *batch_size, rng)?,
            temperature,
            updates: 0,
            target_update_interval,
            noise: vec![0.0; *batch_size],
            sampled: Squashed::default(),
            next: Squashed::default(),
            targets: Vec::new(),
            least: Vec::new(),
            slope: Vec::new(),
        })
    }

    /// An action drawn from the policy.
    pub fn explore(&mut self, isa: Isa, observation: &[f32], rng: &mut Rng) -> f32 {
        let mut noise = [0.0];
        fill_normals(rng, &mut noise);
        let heads = self.actor.one(isa, observation);
        self.sampled.sample(isa, heads, heads.len(), &noise);
        self.sampled.action[0]
    }

    /// The network of the deterministic policy: the tanh of its one output is the action.
    ///
    /// # Panics
    /// Never: the mean is the first of two outputs.
    #[must_use]
    pub fn policy_network(&self) -> Mlp {
        self.actor.network.keep_outputs(0..1).expect("the mean is the first of two outputs")
    }

    /// One gradient step of temperature, critics and actor.
    pub fn update(&mut self, isa: Isa, batch: &mut Batch, settings: &Settings, rng: &mut Rng) -> Losses {
        let rows = settings.batch_size;
        let rate = settings.learning_rate;
        let stride = self.actor.space.stride();

        // The next actions come first, as the batch's own forward pass is still needed.
        fill_normals(rng, &mut self.noise);
        self.actor.network.forward(isa, &batch.next_observations, rows, &mut self.actor.space);
        self.next.sample(isa, self.actor.space.outputs(), stride, &self.noise);
        fill_normals(rng, &mut self.noise);
        self.actor.network.forward(isa, &batch.observations, rows, &mut self.actor.space);
        self.sampled.sample(isa, self.actor.space.outputs(), stride, &self.noise);

        let temperature = self.temperature.value();
        self.temperature.update(&self.sampled.log_prob, rate);

        batch.set_next_actions(&self.next.action);
        self.critics.least_target(isa, &batch.next_pairs, &mut self.targets);
        for (row, target) in self.targets.iter_mut().enumerate() {
            let soft = *target - temperature * self.next.log_prob[row];
            *target = batch.rewards[row] + batch.continues[row] * settings.gamma * soft;
        }
        let critic = self.critics.regress(isa, &batch.pairs, &self.targets, 0.5, rate);

        batch.replace_actions(&self.sampled.action);
        self.critics.least_with_slope(isa, &batch.pairs, 2, &mut self.least, &mut self.slope);
        let share = 1.0 / rows as f32;
        let mut actor = 0.0;
        for (row, slope) in self.slope.iter_mut().enumerate() {
            actor += temperature * self.sampled.log_prob[row] - self.least[row];
            *slope *= -share;
        }
        self.sampled.gradient(&self.slope, temperature * share, self.actor.space.output_gradient_mut(), stride);
        self.actor.descend(isa, &batch.observations, rows, rate);

        self.updates += 1;
        if self.updates.is_multiple_of(self.target_update_interval) {
            self.critics.follow(isa, settings.tau);
        }
        Losses { actor: actor * share, critic, temperature }
    }

    /// Writes every number that training goes on from.
    pub fn save(&self, writer: &mut Writer) {
        writer.u64(self.updates);
        self.actor.save(writer);
        self.critics.save(writer);
        self.temperature.save(writer);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other networks.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.updates = reader.u64()?;
        self.actor.restore(reader)?;
        self.critics.restore(reader)?;
        self.temperature.restore(reader)
    }
}
