//! One network with its optimiser and everything a gradient step needs.

use assay_model::{Adam, Gradients, Isa, Mlp, RmsProp, Want, Workspace};

use crate::checkpoint::{Reader, Writer};
use crate::error::TrainError;

/// Rows that go through a network at once: few enough for their activations to stay
/// in the nearest cache. The bits do not depend on it.
pub const CHUNK: usize = 64;

/// Copies a short row in pieces of fixed size, the last of which may overlap the one
/// before: much faster than a call that first has to look at the length.
#[inline]
fn copy_row(from: &[f32], into: &mut [f32]) {
    const PIECE: usize = 16;
    let (pieces, rest) = from.as_chunks::<PIECE>();
    let (targets, last) = into.as_chunks_mut::<PIECE>();
    for (target, piece) in targets.iter_mut().zip(pieces) {
        *target = *piece;
    }
    if rest.is_empty() {
        return;
    }
    match (from.last_chunk::<PIECE>(), last.len()) {
        (Some(end), 1..) => *into.last_chunk_mut::<PIECE>().expect("rows of one length") = *end,
        _ => last.copy_from_slice(rest),
    }
}

/// The optimiser of an on-policy algorithm.
#[derive(Debug, Clone)]
pub enum Optimizer {
    /// PPO's.
    Adam(Adam),
    /// A2C's.
    RmsProp(RmsProp),
}

/// A network that learns.
#[derive(Debug, Clone)]
pub struct Learner {
    /// The network.
    pub network: Mlp,
    optimizer: Optimizer,
    space: Workspace,
    gradients: Gradients,
    inputs: Vec<f32>,
}

impl Learner {
    /// `network` with room for minibatches of `rows`.
    pub fn new(optimizer: Optimizer, network: Mlp, rows: usize) -> Self {
        let chunk = rows.min(CHUNK);
        Self {
            space: Workspace::new(&network, chunk),
            gradients: Gradients::new(&network),
            inputs: vec![0.0; chunk * network.inputs()],
            network,
            optimizer,
        }
    }

    /// The gradient of a loss over the rows `order` of `observations`; gives the sum of
    /// its squares. `slope(from, outputs, stride, gradient)` writes the slopes of the
    /// loss for the rows of `order` from `from` on, in rows of `stride`.
    pub fn gradient(
        &mut self,
        isa: Isa,
        observations: &[f32],
        order: &[u32],
        mut slope: impl FnMut(usize, &[f32], usize, &mut [f32]),
    ) -> f32 {
        let width = self.network.inputs();
        let stride = self.space.stride();
        for (index, rows) in order.chunks(CHUNK).enumerate() {
            let inputs = &mut self.inputs[..rows.len() * width];
            for (input, row) in inputs.chunks_exact_mut(width).zip(rows) {
                copy_row(&observations[*row as usize * width..][..width], input);
            }
            self.network.forward(isa, inputs, rows.len(), &mut self.space);
            let (outputs, gradient) = self.space.output_and_gradient_mut();
            slope(index * CHUNK, &outputs[..rows.len() * stride], stride, &mut gradient[..rows.len() * stride]);
            let want = if index == 0 { Want::Weights } else { Want::MoreWeights };
            self.network.backward(isa, inputs, rows.len(), &mut self.space, &mut self.gradients, want);
        }
        self.gradients.sum_squares(isa)
    }

    /// One step of the optimiser with the last gradient times `scale`.
    pub fn step(&mut self, isa: Isa, learning_rate: f64, scale: f32) {
        let Self { network, optimizer, gradients, .. } = self;
        match optimizer {
            Optimizer::Adam(adam) => adam.update(isa, network, gradients, learning_rate, scale),
            Optimizer::RmsProp(rms_prop) => rms_prop.update(isa, network, gradients, learning_rate, scale),
        }
    }

    /// Writes weights and optimiser.
    pub fn save(&self, writer: &mut Writer) {
        writer.f32s(self.network.values());
        match &self.optimizer {
            Optimizer::Adam(adam) => {
                let (first, second, decay) = adam.state();
                writer.f32s(first);
                writer.f32s(second);
                decay.into_iter().for_each(|power| writer.f64(power));
            }
            Optimizer::RmsProp(rms_prop) => writer.f32s(rms_prop.state()),
        }
    }

    /// Restores what [`Self::save`] wrote.
    pub fn restore(&mut self, reader: &mut Reader) -> Result<(), TrainError> {
        self.network.set_values(&reader.f32s()?)?;
        match &mut self.optimizer {
            Optimizer::Adam(adam) => {
                let (first, second) = (reader.f32s()?, reader.f32s()?);
                adam.set_state(&first, &second, [reader.f64()?, reader.f64()?])?;
            }
            Optimizer::RmsProp(rms_prop) => rms_prop.set_state(&reader.f32s()?)?,
        }
        Ok(())
    }
}
