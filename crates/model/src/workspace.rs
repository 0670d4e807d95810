//! What passes through a network leave behind: intermediate results and gradients.

use crate::kernels::{Block, Isa, LANES};
use crate::mlp::Mlp;

/// One number per weight of a network, such as the gradient of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    pub(crate) values: Vec<Block>,
}

impl Gradients {
    /// Zeros for each weight of `network`.
    #[must_use]
    pub fn new(network: &Mlp) -> Self {
        Self { values: vec![Block::ZERO; network.blocks().len()] }
    }

    /// Adds `other`, number by number.
    pub fn add(&mut self, isa: Isa, other: &Self) {
        isa.add(&other.values, &mut self.values);
    }

    /// The sum of the squares of all numbers, for clipping by the global norm.
    #[must_use]
    pub fn sum_squares(&self, isa: Isa) -> f32 {
        isa.sum_squares(&self.values)
    }
}

/// The intermediate results of a network for up to a fixed number of rows.
#[derive(Debug, Clone)]
pub struct Workspace {
    pub(crate) outputs: Vec<Vec<Block>>,
    /// Gradients of the outputs of each layer; the first entry is that of the inputs.
    pub(crate) deltas: Vec<Vec<Block>>,
    pub(crate) transposed: Vec<Block>,
    /// The weights of one output of a narrow layer, or of one input.
    pub(crate) single: Vec<Block>,
    stride: usize,
    input_stride: usize,
}

impl Workspace {
    /// Room for `rows` rows through `network`, forward only.
    #[must_use]
    pub fn forward_only(network: &Mlp, rows: usize) -> Self {
        let outputs = network.layers().iter().map(|layer| vec![Block::ZERO; rows * layer.columns]).collect();
        let stride = network.layers()[network.depth() - 1].columns * LANES;
        let input_stride = Block::count(network.inputs()) * LANES;
        let widest = network.sizes().iter().map(|size| Block::count(*size)).max().unwrap_or(0);
        let single = vec![Block::ZERO; widest];
        Self { outputs, deltas: Vec::new(), transposed: Vec::new(), single, stride, input_stride }
    }

    /// Room for `rows` rows through `network`, forward and backward.
    #[must_use]
    pub fn new(network: &Mlp, rows: usize) -> Self {
        let mut space = Self::forward_only(network, rows);
        space.deltas.push(vec![Block::ZERO; rows * Block::count(network.inputs())]);
        space.deltas.extend(space.outputs.iter().map(|blocks| vec![Block::ZERO; blocks.len()]));
        let largest = network.layers().iter().map(|layer| layer.columns * LANES * Block::count(layer.inputs)).max();
        space.transposed = vec![Block::ZERO; largest.unwrap_or(0)];
        space
    }

    /// The outputs of the last forward pass: row `i` starts at `i · stride()`.
    #[must_use]
    pub fn outputs(&self) -> &[f32] {
        Block::flat(&self.outputs[self.outputs.len() - 1])
    }

    /// Distance between the rows of [`Self::outputs`] and
    /// [`Self::output_gradient_mut`]: the number of outputs, rounded up.
    #[must_use]
    pub const fn stride(&self) -> usize {
        self.stride
    }

    /// Where the gradient of the loss with respect to the outputs is written before a
    /// backward pass, in rows of [`Self::stride`]. What is beyond the number of
    /// outputs in a row has to stay zero.
    ///
    /// # Panics
    /// When the workspace is forward only.
    pub fn output_gradient_mut(&mut self) -> &mut [f32] {
        Block::flat_mut(self.deltas.last_mut().expect("a workspace for the backward pass"))
    }

    /// [`Self::outputs`] to read beside [`Self::output_gradient_mut`] to write.
    ///
    /// # Panics
    /// When the workspace is forward only.
    pub fn output_and_gradient_mut(&mut self) -> (&[f32], &mut [f32]) {
        let outputs = &self.outputs[self.outputs.len() - 1];
        let gradient = self.deltas.last_mut().expect("a workspace for the backward pass");
        (Block::flat(outputs), Block::flat_mut(gradient))
    }

    /// The gradient with respect to the inputs after a backward pass that asked for
    /// it: row `i` starts at `i · input_stride()`.
    ///
    /// # Panics
    /// When the workspace is forward only.
    #[must_use]
    pub fn input_gradient(&self) -> &[f32] {
        Block::flat(&self.deltas[0])
    }

    /// The gradient with respect to the last input of each row, after a backward pass
    /// that asked for it.
    ///
    /// # Panics
    /// When the workspace is forward only.
    #[must_use]
    pub fn last_input_gradient(&self) -> &[f32] {
        Block::flat(&self.deltas[0])
    }

    /// Keeps only these rows of the last forward pass, which must ascend, in the place
    /// of the first ones; a backward pass over as many rows then concerns them. It
    /// cannot ask for gradients of the weights, as the inputs are not here.
    ///
    /// # Panics
    /// When a row is out of range.
    pub fn keep_rows(&mut self, kept: &[usize]) {
        let rows = self.outputs[self.outputs.len() - 1].len() * LANES / self.stride;
        for layer in &mut self.outputs {
            let columns = layer.len() / rows;
            for (to, from) in kept.iter().enumerate() {
                debug_assert!(to <= *from, "rows ascend");
                layer.copy_within(from * columns..(from + 1) * columns, to * columns);
            }
        }
    }

    /// Distance between the rows of [`Self::input_gradient`]: the number of inputs,
    /// rounded up.
    #[must_use]
    pub const fn input_stride(&self) -> usize {
        self.input_stride
    }
}
