//! Multi-layer perceptrons: forward pass, gradients, and their weights as tensors.
//!
//! Weights are kept as `[inputs][outputs]`, the outputs padded with zeros to whole
//! blocks of sixteen; what leaves this module is `[outputs][inputs]` without padding,
//! as PyTorch has it.

use crate::error::ModelError;
use crate::kernels::{Activation, Block, Function, Isa, LANES, Left, Start};
use crate::safetensors::Tensor;

/// The largest layer.
const MAX_WIDTH: usize = 65_536;

#[derive(Debug, Clone, Copy, PartialEq)]
struct Layer {
    inputs: usize,
    outputs: usize,
    /// Blocks of one row of outputs.
    columns: usize,
    /// First block of the weights; the bias follows them.
    weight: usize,
}

impl Layer {
    const fn bias(self) -> usize {
        self.weight + self.inputs * self.columns
    }
    const fn end(self) -> usize {
        self.bias() + self.columns
    }
}

/// A fully connected network: affine layers with a non-linearity between them, none
/// after the last.
#[derive(Debug, Clone, PartialEq)]
pub struct Mlp {
    sizes: Vec<usize>,
    activation: Activation,
    layers: Vec<Layer>,
    values: Vec<Block>,
}

/// One number per weight of a network, such as the gradient of a loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Gradients {
    pub(crate) values: Vec<Block>,
}

impl Gradients {
    /// Zeros for each weight of `network`.
    #[must_use]
    pub fn new(network: &Mlp) -> Self {
        Self { values: vec![Block::ZERO; network.values.len()] }
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
    outputs: Vec<Vec<Block>>,
    /// Gradients of the outputs of each layer; the first entry is that of the inputs.
    deltas: Vec<Vec<Block>>,
    transposed: Vec<Block>,
    /// The last layer's inputs and outputs with the lanes along the rows.
    turned: Vec<Block>,
    stride: usize,
    input_stride: usize,
}

impl Workspace {
    /// Room for `rows` rows through `network`, forward only.
    #[must_use]
    pub fn forward_only(network: &Mlp, rows: usize) -> Self {
        let outputs = network.layers.iter().map(|layer| vec![Block::ZERO; rows * layer.columns]).collect();
        let last = network.layers[network.layers.len() - 1];
        let stride = last.columns * LANES;
        let input_stride = Block::count(network.inputs()) * LANES;
        let is_turned = rows >= LANES && last.outputs <= NARROW && network.depth() > 1;
        let turned = (Block::count(last.inputs) * LANES + last.outputs) * Block::count(rows);
        let turned = vec![Block::ZERO; if is_turned { turned } else { 0 }];
        Self { outputs, deltas: Vec::new(), transposed: Vec::new(), turned, stride, input_stride }
    }

    /// Room for `rows` rows through `network`, forward and backward.
    #[must_use]
    pub fn new(network: &Mlp, rows: usize) -> Self {
        let mut space = Self::forward_only(network, rows);
        space.deltas.push(vec![Block::ZERO; rows * Block::count(network.inputs())]);
        space.deltas.extend(space.outputs.iter().map(|blocks| vec![Block::ZERO; blocks.len()]));
        let largest = network.layers.iter().map(|layer| layer.columns * LANES * Block::count(layer.inputs)).max();
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

/// What a backward pass computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// Gradients of the weights, in place of what was there.
    Weights,
    /// Gradients of the weights, added to what is there: continuing with the next rows
    /// gives the same bits as one pass over all of them.
    MoreWeights,
    /// The gradient of the inputs only.
    Inputs,
    /// The gradient of the last input only, which costs less than that of all.
    LastInput,
    /// Gradients of the weights, in place of what was there, and of the inputs.
    Both,
}

impl Mlp {
    /// A network of zeros: `sizes` are the numbers of inputs, of each hidden layer's
    /// units, and of outputs.
    ///
    /// # Errors
    /// [`ModelError::Sizes`] when there are fewer than two sizes or one is out of range.
    pub fn new(sizes: &[usize], activation: Activation) -> Result<Self, ModelError> {
        if sizes.len() < 2 || sizes.iter().any(|size| !(1..=MAX_WIDTH).contains(size)) {
            return Err(ModelError::Sizes(sizes.to_vec()));
        }
        let mut layers = Vec::with_capacity(sizes.len() - 1);
        let mut weight = 0;
        for pair in sizes.windows(2) {
            let layer = Layer { inputs: pair[0], outputs: pair[1], columns: Block::count(pair[1]), weight };
            weight = layer.end();
            layers.push(layer);
        }
        Ok(Self { sizes: sizes.to_vec(), activation, layers, values: vec![Block::ZERO; weight] })
    }

    /// Inputs, units of each hidden layer, outputs.
    #[must_use]
    pub fn sizes(&self) -> &[usize] {
        &self.sizes
    }

    /// The non-linearity between layers.
    #[must_use]
    pub const fn activation(&self) -> Activation {
        self.activation
    }

    /// Number of inputs.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.sizes[0]
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.sizes[self.sizes.len() - 1]
    }

    /// Number of affine layers.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    /// Every weight and bias with the padding, as one slice: for checkpoints and for
    /// comparing bits.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        Block::flat(&self.values)
    }

    /// Replaces what [`Self::values`] gave.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when the count differs.
    pub fn set_values(&mut self, values: &[f32]) -> Result<(), ModelError> {
        let own = Block::flat_mut(&mut self.values);
        if values.len() != own.len() {
            return Err(ModelError::Shape { what: "the network".into(), found: values.len(), expected: own.len() });
        }
        own.copy_from_slice(values);
        Ok(())
    }

    pub(crate) fn blocks_mut(&mut self) -> &mut [Block] {
        &mut self.values
    }

    /// The weights of layer `index` as `[outputs][inputs]` and its biases.
    ///
    /// # Panics
    /// When there is no such layer.
    #[must_use]
    pub fn layer(&self, index: usize) -> (Vec<f32>, Vec<f32>) {
        let layer = self.layers[index];
        let flat = Block::flat(&self.values[layer.weight..layer.end()]);
        let width = layer.columns * LANES;
        let weight =
            (0..layer.outputs * layer.inputs).map(|at| flat[(at % layer.inputs) * width + at / layer.inputs]).collect();
        let bias = flat[layer.inputs * width..][..layer.outputs].to_vec();
        (weight, bias)
    }

    /// Sets the weights of layer `index` from `[outputs][inputs]` and its biases.
    ///
    /// # Errors
    /// [`ModelError::Shape`] when a count differs.
    ///
    /// # Panics
    /// When there is no such layer.
    pub fn set_layer(&mut self, index: usize, weight: &[f32], bias: &[f32]) -> Result<(), ModelError> {
        let layer = self.layers[index];
        for (what, found, expected) in
            [("weight", weight.len(), layer.inputs * layer.outputs), ("bias", bias.len(), layer.outputs)]
        {
            if found != expected {
                return Err(ModelError::Shape { what: format!("the {what} of layer {index}"), found, expected });
            }
        }
        let width = layer.columns * LANES;
        let flat = Block::flat_mut(&mut self.values[layer.weight..layer.end()]);
        for (at, value) in weight.iter().enumerate() {
            flat[(at % layer.inputs) * width + at / layer.inputs] = *value;
        }
        flat[layer.inputs * width..][..layer.outputs].copy_from_slice(bias);
        Ok(())
    }

    /// The same network with only the last layer's outputs at `kept`.
    ///
    /// # Errors
    /// [`ModelError::Sizes`] when `kept` is empty or reaches past the outputs.
    pub fn keep_outputs(&self, kept: std::ops::Range<usize>) -> Result<Self, ModelError> {
        let mut sizes = self.sizes.clone();
        let last = self.depth() - 1;
        sizes[last + 1] = kept.len();
        if kept.end > self.outputs() {
            return Err(ModelError::Sizes(sizes));
        }
        let mut smaller = Self::new(&sizes, self.activation)?;
        for index in 0..last {
            let (weight, bias) = self.layer(index);
            smaller.set_layer(index, &weight, &bias)?;
        }
        let (weight, bias) = self.layer(last);
        let inputs = self.layers[last].inputs;
        smaller.set_layer(last, &weight[kept.start * inputs..kept.end * inputs], &bias[kept])?;
        Ok(smaller)
    }

    /// Weights and biases as tensors named `{prefix}.{layer}.weight` ([outputs, inputs])
    /// and `{prefix}.{layer}.bias`.
    #[must_use]
    pub fn tensors(&self, prefix: &str) -> Vec<Tensor> {
        let mut tensors = Vec::with_capacity(self.depth() * 2);
        for (index, layer) in self.layers.iter().enumerate() {
            let (weight, bias) = self.layer(index);
            let shape = vec![layer.outputs, layer.inputs];
            tensors.push(Tensor { name: format!("{prefix}.{index}.weight"), shape, values: weight });
            tensors.push(Tensor { name: format!("{prefix}.{index}.bias"), shape: vec![layer.outputs], values: bias });
        }
        tensors
    }

    /// The network whose tensors [`Self::tensors`] gave, found by their names.
    ///
    /// # Errors
    /// [`ModelError`] when there is none, a shape does not follow from the one before,
    /// or a number is not finite.
    pub fn from_tensors(tensors: &[Tensor], prefix: &str, activation: Activation) -> Result<Self, ModelError> {
        let find = |name: String| tensors.iter().find(|t| t.name == name).ok_or(ModelError::MissingTensor(name));
        let mut sizes = Vec::new();
        let mut parts = Vec::new();
        let mut index = 0;
        while index == 0 || tensors.iter().any(|t| t.name == format!("{prefix}.{index}.weight")) {
            let weight = find(format!("{prefix}.{index}.weight"))?;
            let bias = find(format!("{prefix}.{index}.bias"))?;
            for tensor in [weight, bias] {
                if !tensor.values.iter().all(|value| value.is_finite()) {
                    return Err(ModelError::NotFinite(tensor.name.clone()));
                }
            }
            let &[outputs, inputs] = weight.shape.as_slice() else {
                return Err(ModelError::Safetensors(format!("`{}` is no matrix", weight.name)));
            };
            if *sizes.last().unwrap_or(&inputs) != inputs {
                let expected = sizes[sizes.len() - 1];
                return Err(ModelError::Shape { what: format!("a row of `{}`", weight.name), found: inputs, expected });
            }
            if sizes.is_empty() {
                sizes.push(inputs);
            }
            sizes.push(outputs);
            parts.push((weight, bias));
            index += 1;
        }
        let mut network = Self::new(&sizes, activation)?;
        for (index, (weight, bias)) in parts.into_iter().enumerate() {
            network.set_layer(index, &weight.values, &bias.values)?;
        }
        Ok(network)
    }

    /// Moves each weight towards `other` by `rate` of the difference (0..1): the soft
    /// update of a target network.
    ///
    /// # Panics
    /// When the networks have other sizes.
    pub fn blend(&mut self, isa: Isa, other: &Self, rate: f32) {
        assert_eq!(self.sizes, other.sizes, "networks of the same shape");
        isa.blend(&other.values, rate, &mut self.values);
    }

    /// Computes the outputs for `rows` rows of `inputs` (row-major, one row of
    /// [`Self::inputs`] numbers after another) into `space`.
    ///
    /// # Panics
    /// When `inputs` or `space` is too small.
    pub fn forward(&self, isa: Isa, inputs: &[f32], rows: usize, space: &mut Workspace) {
        for (index, layer) in self.layers.iter().enumerate() {
            let (before, from) = space.outputs.split_at_mut(index);
            let left = match before.last() {
                None => Left { values: inputs, row: self.inputs(), step: 1 },
                Some(blocks) => {
                    Left { values: Block::flat(blocks), row: self.layers[index - 1].columns * LANES, step: 1 }
                }
            };
            let out = &mut from[0][..rows * layer.columns];
            let weight = &self.values[layer.weight..layer.bias()];
            let bias = &self.values[layer.bias()..layer.end()];
            match before.last() {
                // Only the last layer has room for it; hidden layers are rarely narrow.
                Some(inputs) if index + 1 == self.layers.len() && layer.outputs <= NARROW && rows >= LANES => {
                    narrow_forward(isa, *layer, rows, inputs, weight, bias, &mut space.turned, out);
                    continue;
                }
                _ => {}
            }
            isa.product(rows, layer.inputs, left, weight, layer.columns, Start::Bias(bias), out);
            if index + 1 < self.layers.len() {
                isa.map(function(self.activation), out);
            }
        }
    }

    /// Takes the gradient in [`Workspace::output_gradient_mut`] back through the last
    /// forward pass over the same `inputs`. Each sum over rows runs from the first row
    /// to the last.
    ///
    /// # Panics
    /// When `inputs` or `space` is too small, or `gradients` belongs to another network.
    pub fn backward(
        &self,
        isa: Isa,
        inputs: &[f32],
        rows: usize,
        space: &mut Workspace,
        gradients: &mut Gradients,
        want: Want,
    ) {
        assert_eq!(gradients.values.len(), self.values.len(), "gradients of this network");
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let (deltas, from) = space.deltas.split_at_mut(index + 1);
            let delta = &from[0][..rows * layer.columns];
            if !matches!(want, Want::Inputs | Want::LastInput) {
                let left = match index.checked_sub(1) {
                    None => Left { values: inputs, row: 1, step: self.inputs() },
                    Some(below) => Left {
                        values: Block::flat(&space.outputs[below]),
                        row: 1,
                        step: self.layers[below].columns * LANES,
                    },
                };
                let (weight, bias) =
                    gradients.values[layer.weight..layer.end()].split_at_mut(layer.inputs * layer.columns);
                let start = if want == Want::MoreWeights { Start::Kept } else { Start::Zero };
                match index.checked_sub(1).filter(|_| layer.outputs <= NARROW) {
                    Some(below) => {
                        narrow(isa, *layer, rows, delta, &space.outputs[below], start, &mut space.transposed, weight)
                    }
                    None => {
                        // In parts, so that the rows of both sides stay in the nearest cache.
                        for first in (0..rows).step_by(WEIGHT_ROWS) {
                            let count = WEIGHT_ROWS.min(rows - first);
                            let start = if first > 0 { Start::Kept } else { start };
                            let left = Left { values: &left.values[first * left.step..], ..left };
                            let delta = &delta[first * layer.columns..];
                            isa.product(layer.inputs, count, left, delta, layer.columns, start, weight);
                        }
                    }
                }
                if want != Want::MoreWeights {
                    bias.fill(Block::ZERO);
                }
                isa.add_rows(delta, layer.columns, bias);
            }
            if index == 0 && want == Want::LastInput {
                let weight = &self.values[layer.weight..layer.bias()];
                let last = &weight[(layer.inputs - 1) * layer.columns..];
                isa.dots(delta, layer.columns, last, 0.0, Block::flat_mut(&mut deltas[0]), 1);
            } else if index > 0 || matches!(want, Want::Inputs | Want::Both) {
                let columns = Block::count(layer.inputs);
                isa.transpose(
                    layer.inputs,
                    layer.columns,
                    &self.values[layer.weight..layer.bias()],
                    &mut space.transposed,
                );
                let below = &mut deltas[index][..rows * columns];
                let left = Left { values: Block::flat(delta), row: layer.columns * LANES, step: 1 };
                isa.product(rows, layer.outputs, left, &space.transposed, columns, Start::Zero, below);
                if index > 0 {
                    isa.gate(self.activation, &space.outputs[index - 1][..rows * columns], below);
                }
            }
        }
    }
}

/// Rows whose products are added to the gradient of weights at a time.
const WEIGHT_ROWS: usize = 64;

/// A layer of at most so many outputs would leave most of a block's lanes idle.
const NARROW: usize = 4;

/// The sums of a narrow layer for at least [`LANES`] rows, with the lanes along the
/// rows: the same sums in the same order, in a fraction of the time.
#[expect(clippy::too_many_arguments, reason = "one step of the forward pass")]
fn narrow_forward(
    isa: Isa,
    layer: Layer,
    rows: usize,
    inputs: &[Block],
    weight: &[Block],
    bias: &[Block],
    turned: &mut [Block],
    out: &mut [Block],
) {
    let (columns, row_blocks) = (Block::count(layer.inputs), Block::count(rows));
    let (turned, rest) = turned.split_at_mut(columns * LANES * row_blocks);
    let sums = &mut rest[..layer.outputs * row_blocks];
    isa.transpose(rows, columns, &inputs[..rows * columns], turned);
    for (sums, bias) in sums.chunks_exact_mut(row_blocks).zip(Block::flat(bias)) {
        sums.fill(Block([*bias; LANES]));
    }
    let left = Left { values: Block::flat(weight), row: 1, step: LANES };
    let terms = &turned[..layer.inputs * row_blocks];
    isa.product(layer.outputs, layer.inputs, left, terms, row_blocks, Start::Kept, sums);
    for (output, sums) in sums.chunks_exact(row_blocks).enumerate() {
        for (row, sum) in out.iter_mut().zip(Block::flat(sums)) {
            row.0[output] = *sum;
        }
    }
}

/// The gradient of a narrow layer's weights, with the lanes along its inputs: the same
/// sums in the same order, in a fraction of the time.
#[expect(clippy::too_many_arguments, reason = "one step of the backward pass")]
fn narrow(
    isa: Isa,
    layer: Layer,
    rows: usize,
    delta: &[Block],
    inputs: &[Block],
    start: Start,
    scratch: &mut [Block],
    weight: &mut [Block],
) {
    let columns = Block::count(layer.inputs);
    let width = columns * LANES;
    let scratch = &mut scratch[..layer.outputs * columns];
    let weight = Block::flat_mut(weight);
    if matches!(start, Start::Kept) {
        let turned = Block::flat_mut(scratch);
        for (input, outputs) in weight.chunks_exact(LANES).enumerate() {
            (0..layer.outputs).for_each(|output| turned[output * width + input] = outputs[output]);
        }
    }
    let left = Left { values: Block::flat(delta), row: 1, step: layer.columns * LANES };
    isa.product(layer.outputs, rows, left, &inputs[..rows * columns], columns, start, scratch);
    let turned = Block::flat(scratch);
    for (input, outputs) in weight.chunks_exact_mut(LANES).enumerate() {
        (0..layer.outputs).for_each(|output| outputs[output] = turned[output * width + input]);
    }
}

const fn function(activation: Activation) -> Function {
    match activation {
        Activation::Tanh => Function::Tanh,
        Activation::Relu => Function::Relu,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A network with pseudo-random weights.
    pub fn sample(sizes: &[usize], activation: Activation) -> Mlp {
        let mut network = Mlp::new(sizes, activation).unwrap();
        for index in 0..network.depth() {
            let (inputs, outputs) = (sizes[index], sizes[index + 1]);
            let wave = |i: usize| ((i * 7919 + index * 31) % 1009) as f32 / 504.5 - 1.0;
            let scale = 1.0 / (inputs as f32).sqrt();
            let weight: Vec<f32> = (0..inputs * outputs).map(|i| wave(i) * scale).collect();
            let bias: Vec<f32> = (0..outputs).map(|i| wave(i + 77) * 0.1).collect();
            network.set_layer(index, &weight, &bias).unwrap();
        }
        network
    }

    fn rows(count: usize, width: usize) -> Vec<f32> {
        (0..count * width).map(|i| ((i * 2_654_435_761) % 2003) as f32 / 1001.5 - 1.0).collect()
    }

    /// The loss Σ out · (1 + row index) in double precision, straight from the definition.
    fn loss(network: &Mlp, inputs: &[f32], count: usize) -> f64 {
        let mut total = 0.0;
        for row in 0..count {
            let mut x: Vec<f64> =
                inputs[row * network.inputs()..][..network.inputs()].iter().map(|v| f64::from(*v)).collect();
            for index in 0..network.depth() {
                let (weight, bias) = network.layer(index);
                let width = x.len();
                x = bias
                    .iter()
                    .enumerate()
                    .map(|(o, b)| {
                        let sum: f64 = (0..width).map(|i| f64::from(weight[o * width + i]) * x[i]).sum();
                        let y = sum + f64::from(*b);
                        match network.activation() {
                            _ if index + 1 == network.depth() => y,
                            Activation::Tanh => libm::tanh(y),
                            Activation::Relu => y.max(0.0),
                        }
                    })
                    .collect();
            }
            total += x.iter().sum::<f64>() * (1.0 + row as f64);
        }
        total
    }

    #[test]
    fn gradients_are_the_slopes_of_the_loss() {
        let count = 5;
        for activation in [Activation::Tanh, Activation::Relu] {
            let network = sample(&[7, 20, 33, 3], activation);
            let inputs = rows(count, 7);
            let mut space = Workspace::new(&network, count);
            let mut gradients = Gradients::new(&network);
            network.forward(Isa::detect(), &inputs, count, &mut space);
            let stride = space.stride();
            for row in 0..count {
                space.output_gradient_mut()[row * stride..][..3].fill(1.0 + row as f32);
            }
            network.backward(Isa::detect(), &inputs, count, &mut space, &mut gradients, Want::Both);
            let mut gradient_network = network.clone();
            gradient_network.values = gradients.values.clone();
            let h = 6.103_515_6e-5_f32;
            for index in 0..3 {
                let (weight, bias) = network.layer(index);
                let (weight_gradient, bias_gradient) = gradient_network.layer(index);
                for at in (0..weight.len()).step_by(17) {
                    let slope = |step: f32| {
                        let (mut moved, mut weight) = (network.clone(), weight.clone());
                        weight[at] += step;
                        moved.set_layer(index, &weight, &bias).unwrap();
                        loss(&moved, &inputs, count)
                    };
                    let expected = (slope(h) - slope(-h)) / (2.0 * f64::from(h));
                    let found = f64::from(weight_gradient[at]);
                    assert!(
                        (found - expected).abs() < 2e-3 * (1.0 + expected.abs()),
                        "{activation:?} {index} {at}: {found} {expected}"
                    );
                }
                let (mut moved, mut shifted) = (network.clone(), bias.clone());
                shifted[1] += h;
                moved.set_layer(index, &weight, &shifted).unwrap();
                let up = loss(&moved, &inputs, count);
                shifted[1] -= 2.0 * h;
                moved.set_layer(index, &weight, &shifted).unwrap();
                let expected = (up - loss(&moved, &inputs, count)) / (2.0 * f64::from(h));
                assert!((f64::from(bias_gradient[1]) - expected).abs() < 2e-3 * (1.0 + expected.abs()));
            }
            for at in 0..inputs.len() {
                let slope = |step: f32| {
                    let mut moved = inputs.clone();
                    moved[at] += step;
                    loss(&network, &moved, count)
                };
                let expected = (slope(h) - slope(-h)) / (2.0 * f64::from(h));
                let found = f64::from(space.input_gradient()[at / 7 * space.input_stride() + at % 7]);
                assert!((found - expected).abs() < 2e-3 * (1.0 + expected.abs()), "input {at}: {found} {expected}");
            }
        }
    }

    #[test]
    fn every_instruction_set_and_any_split_of_the_rows_give_the_same_bits() {
        let network = sample(&[21, 64, 48, 3], Activation::Tanh);
        let (count, inputs) = (37, rows(37, 21));
        let run = |isa: Isa, cuts: &[usize]| {
            let parts: Vec<_> = cuts.windows(2).map(|cut| cut[0]..cut[1]).collect();
            let mut gradients = Gradients::new(&network);
            let mut outputs = Vec::new();
            for (part, range) in parts.iter().enumerate() {
                let mut space = Workspace::new(&network, range.len());
                let inputs = &inputs[range.start * 21..range.end * 21];
                network.forward(isa, inputs, range.len(), &mut space);
                let stride = space.stride();
                outputs.extend(space.outputs().iter().map(|value| value.to_bits()));
                for row in 0..range.len() {
                    let value = ((range.start + row) as f32).sqrt();
                    space.output_gradient_mut()[row * stride..][..3].fill(value);
                }
                let want = if part == 0 { Want::Weights } else { Want::MoreWeights };
                network.backward(isa, inputs, range.len(), &mut space, &mut gradients, want);
            }
            let bits: Vec<u32> = Block::flat(&gradients.values).iter().map(|value| value.to_bits()).collect();
            (outputs, bits)
        };
        let expected = run(Isa::PORTABLE, &[0, count]);
        for isa in Isa::available() {
            assert_eq!(run(isa, &[0, count]), expected, "{}", isa.name());
            assert_eq!(run(isa, &[0, 16, 17, count]), expected, "{} in parts", isa.name());
        }
    }

    #[test]
    fn the_last_inputs_gradient_of_kept_rows_is_that_of_all() {
        let network = sample(&[7, 20, 33, 1], Activation::Relu);
        let inputs = rows(40, 7);
        for isa in Isa::available() {
            let mut gradients = Gradients::new(&network);
            let (mut all, mut some) = (Workspace::new(&network, 40), Workspace::new(&network, 40));
            let kept: Vec<usize> = (0..40).filter(|row| row % 3 != 1).collect();
            for (space, count) in [(&mut all, 40), (&mut some, kept.len())] {
                network.forward(isa, &inputs, 40, space);
                if count < 40 {
                    space.keep_rows(&kept);
                }
                let stride = space.stride();
                (0..count).for_each(|row| space.output_gradient_mut()[row * stride] = 1.5);
            }
            network.backward(isa, &inputs, 40, &mut all, &mut gradients, Want::Inputs);
            network.backward(isa, &inputs, kept.len(), &mut some, &mut gradients, Want::LastInput);
            for (row, found) in kept.iter().zip(some.last_input_gradient()) {
                let expected = all.input_gradient()[row * all.input_stride() + 6];
                assert!((found - expected).abs() < 1e-5 * expected.abs().max(1.0), "{found} {expected}");
            }
        }
    }

    #[test]
    fn tensors_read_back_and_outputs_can_be_dropped() {
        let network = sample(&[5, 9, 2], Activation::Relu);
        let tensors = network.tensors("actor");
        assert_eq!(Mlp::from_tensors(&tensors, "actor", Activation::Relu), Ok(network.clone()));
        assert!(matches!(
            Mlp::from_tensors(&tensors, "critic", Activation::Relu),
            Err(ModelError::MissingTensor(name)) if name == "critic.0.weight"
        ));
        let mean = network.keep_outputs(0..1).unwrap();
        let inputs = rows(1, 5);
        let (mut both, mut one) = (Workspace::forward_only(&network, 1), Workspace::forward_only(&mean, 1));
        network.forward(Isa::detect(), &inputs, 1, &mut both);
        mean.forward(Isa::detect(), &inputs, 1, &mut one);
        assert_eq!(both.outputs()[0], one.outputs()[0]);
        assert!(network.keep_outputs(1..3).is_err());
        assert!(Mlp::new(&[3], Activation::Tanh).is_err());
        assert!(Mlp::new(&[3, 0, 1], Activation::Tanh).is_err());
    }
}
