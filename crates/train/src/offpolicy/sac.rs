//! Soft actor-critic (Haarnoja et al. 2018) in the order of operations and with the
//! defaults of Stable-Baselines3.

use assay_model::{Isa, Mlp};

use super::actor::Actor;
use super::batch::Batch;
use super::critics::Critics;
use super::normals::fill_normals;
use super::squashed::Squashed;
use super::temperature::Temperature;
use super::{Losses, Settings};
use crate::checkpoint::{Reader, Writer};
use crate::config::TrainConfig;
use crate::error::TrainError;
use crate::rng::Rng;

/// The automatic target: minus the number of actions.
const TARGET_ENTROPY: f64 = -1.0;

/// Networks and optimisers of SAC.
#[derive(Debug)]
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
    /// [`TrainError`] when a key of SAC is missing.
    pub fn new(config: &TrainConfig, settings: &Settings, inputs: usize, rng: &mut Rng) -> Result<Self, TrainError> {
        let target_entropy = config.need("target_entropy", config.target_entropy)?;
        let temperature = match config.need("ent_coef", config.ent_coef)?.number() {
            Some(value) => Temperature::fixed(value),
            None => Temperature::learnt(1.0, target_entropy.number().unwrap_or(TARGET_ENTROPY)),
        };
        let rows = settings.batch_size;
        Ok(Self {
            actor: Actor::new(inputs, 2, settings, rng)?,
            critics: Critics::new(2, inputs, settings, rng)?,
            temperature,
            updates: 0,
            target_update_interval: config.need("target_update_interval", config.target_update_interval)?,
            noise: vec![0.0; rows],
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
        Losses { actor: actor * share, critic, temperature: Some(temperature) }
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
