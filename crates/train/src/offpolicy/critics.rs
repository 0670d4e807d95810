//! Action values: one or two networks that read an observation with an action, and the
//! slowly following copies that make the regression's targets.

use assay_model::{Activation, Adam, Gradients, Isa, Mlp, ModelError, Want, Workspace};

use crate::initial::uniform_fan_in;
use super::saved;
use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;
use crate::rng::Rng;

struct Critic {
    network: Mlp,
    target: Mlp,
    optimizer: Adam,
    gradients: Gradients,
    space: Workspace,
}

/// The critics of one learner, for batches of a fixed number of rows.
pub struct Critics {
    members: Vec<Critic>,
    rows: usize,
    target_space: Workspace,
}

impl Critics {
    /// `count` critics of observations with `inputs` numbers, with their targets equal
    /// to them.
    ///
    /// # Errors
    /// [`ModelError::Sizes`] for layers no network can have.
    pub fn new(
        count: usize,
        inputs: usize,
        hidden: &[usize],
        activation: Activation,
        rows: usize,
        rng: &mut Rng,
    ) -> Result<Self, ModelError> {
        let sizes: Vec<usize> = [inputs + 1].into_iter().chain(hidden.iter().copied()).chain([1]).collect();
        let mut members = Vec::with_capacity(count);
        for _ in 0..count {
            let network = uniform_fan_in(&sizes, activation, rng)?;
            let (optimizer, gradients) = (Adam::new(&network, 1e-8), Gradients::new(&network));
            let space = Workspace::new(&network, rows);
            members.push(Critic { target: network.clone(), network, optimizer, gradients, space });
        }
        let target_space = Workspace::forward_only(&members[0].network, rows);
        Ok(Self { members, rows, target_space })
    }

    /// The least value that the target networks give each of the `pairs`.
    pub fn least_target(&mut self, isa: Isa, pairs: &[f32], least: &mut Vec<f32>) {
        least.clear();
        least.resize(self.rows, f32::INFINITY);
        for member in &self.members {
            member.target.forward(isa, pairs, self.rows, &mut self.target_space);
            let values = self.target_space.outputs().chunks_exact(self.target_space.stride());
            for (least, row) in least.iter_mut().zip(values) {
                *least = least.min(row[0]);
            }
        }
    }

    /// One step of each critic towards `targets`, by the mean squared error times
    /// `weight`. Gives the sum of the critics' losses before it.
    pub fn regress(&mut self, isa: Isa, pairs: &[f32], targets: &[f32], weight: f32, learning_rate: f64) -> f32 {
        let scale = weight / self.rows as f32;
        let mut loss = 0.0;
        for member in &mut self.members {
            let space = &mut member.space;
            member.network.forward(isa, pairs, self.rows, space);
            let stride = space.stride();
            let mut squares = 0.0;
            for (row, target) in targets.iter().enumerate() {
                let error = space.outputs()[row * stride] - target;
                squares += error * error;
                space.output_gradient_mut()[row * stride] = 2.0 * scale * error;
            }
            loss += squares * scale;
            member.network.backward(isa, pairs, self.rows, space, &mut member.gradients, Want::Weights);
            member.optimizer.update(isa, &mut member.network, &member.gradients, learning_rate, 1.0);
        }
        loss
    }

    /// The least value over the first `count` critics of each of the `pairs`, and its
    /// slope by the action. Of equal values the first critic's counts.
    pub fn least_with_slope(
        &mut self,
        isa: Isa,
        pairs: &[f32],
        count: usize,
        least: &mut Vec<f32>,
        slope: &mut Vec<f32>,
    ) {
        least.clear();
        least.resize(self.rows, f32::INFINITY);
        slope.clear();
        slope.resize(self.rows, 0.0);
        let members = &mut self.members[..count];
        let stride = members[0].space.stride();
        for member in members.iter_mut() {
            member.network.forward(isa, pairs, self.rows, &mut member.space);
            for (row, least) in least.iter_mut().enumerate() {
                *least = least.min(member.space.outputs()[row * stride]);
            }
        }
        let mut taken = vec![false; self.rows];
        for member in members {
            for row in 0..self.rows {
                let chosen = !taken[row] && member.space.outputs()[row * stride] <= least[row];
                taken[row] |= chosen;
                member.space.output_gradient_mut()[row * stride] = if chosen { 1.0 } else { 0.0 };
            }
            let network = &member.network;
            network.backward(isa, pairs, self.rows, &mut member.space, &mut member.gradients, Want::Inputs);
            let (width, action) = (member.space.input_stride(), network.inputs() - 1);
            for (row, slope) in slope.iter_mut().enumerate() {
                *slope += member.space.input_gradient()[row * width + action];
            }
        }
    }

    /// Moves the targets towards the critics by `rate` of the difference.
    pub fn follow(&mut self, isa: Isa, rate: f32) {
        for member in &mut self.members {
            member.target.blend(isa, &member.network, rate);
        }
    }

    /// Writes networks, targets and optimisers.
    pub fn save(&self, writer: &mut Writer) {
        for member in &self.members {
            saved::write_network(writer, &member.network);
            saved::write_network(writer, &member.target);
            saved::write_adam(writer, &member.optimizer);
        }
    }

    /// Restores what [`Self::save`] wrote.
    ///
    /// # Errors
    /// [`TrainError`] when the bytes belong to other networks.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        for member in &mut self.members {
            saved::read_network(reader, &mut member.network)?;
            saved::read_network(reader, &mut member.target)?;
            saved::read_adam(reader, &mut member.optimizer)?;
        }
        Ok(())
    }
}
