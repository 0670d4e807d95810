//! The policy network of an off-policy learner with its optimiser.

use assay_model::{Adam, Gradients, Isa, Mlp, Want, Workspace};

use super::{Settings, saved};
use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::initial::uniform_fan_in;
use crate::rng::Rng;

/// PyTorch's ε of Adam.
pub const EPSILON: f32 = 1e-8;

/// A network from observations to the numbers an action is made of.
#[derive(Debug)]
pub struct Actor {
    /// The network.
    pub network: Mlp,
    optimizer: Adam,
    gradients: Gradients,
    /// Results for a whole batch.
    pub space: Workspace,
    single: Workspace,
}

impl Actor {
    /// An actor of `inputs` numbers with `outputs` numbers.
    ///
    /// # Errors
    /// [`TrainError::Model`] for layers no network can have.
    pub fn new(inputs: usize, outputs: usize, settings: &Settings, rng: &mut Rng) -> Result<Self, TrainError> {
        let sizes: Vec<usize> =
            [inputs].into_iter().chain(settings.net_arch.iter().copied()).chain([outputs]).collect();
        let network = uniform_fan_in(&sizes, settings.activation, rng)?;
        Ok(Self {
            optimizer: Adam::new(&network, EPSILON),
            gradients: Gradients::new(&network),
            space: Workspace::new(&network, settings.batch_size),
            single: Workspace::forward_only(&network, 1),
            network,
        })
    }

    /// The network's outputs for one observation.
    pub fn one(&mut self, isa: Isa, observation: &[f32]) -> &[f32] {
        self.network.forward(isa, observation, 1, &mut self.single);
        self.single.outputs()
    }

    /// One step against the gradient that was written to [`Workspace::output_gradient_mut`].
    pub fn descend(&mut self, isa: Isa, observations: &[f32], rows: usize, learning_rate: f64) {
        self.network.backward(isa, observations, rows, &mut self.space, &mut self.gradients, Want::Weights);
        self.optimizer.update(isa, &mut self.network, &self.gradients, learning_rate, 1.0);
    }

    /// Writes weights and optimiser.
    pub fn save(&self, writer: &mut Writer) {
        saved::write_network(writer, &self.network);
        saved::write_adam(writer, &self.optimizer);
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to another network.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        saved::read_network(reader, &mut self.network)?;
        saved::read_adam(reader, &mut self.optimizer)
    }
}
