//! Multi-layer perceptrons: forward pass, gradients, and their weights as tensors.
//!
//! Weights are kept as `[inputs][outputs]`, the outputs padded with zeros to whole
//! blocks of sixteen; what leaves this module is `[outputs][inputs]` without padding,
//! as PyTorch has it.

use crate::error::ModelError;
use crate::kernels::{Activation, Block, Function, Isa, LANES, Left, Start};
use crate::narrow;
use crate::safetensors::Tensor;
use crate::workspace::{Gradients, Workspace};

/// The largest layer.
const MAX_WIDTH: usize = 65_536;

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Layer {
    pub inputs: usize,
    pub outputs: usize,
    /// Blocks of one row of outputs.
    pub columns: usize,
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

    pub(crate) fn layers(&self) -> &[Layer] {
        &self.layers
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.values
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
            match before.last().filter(|_| layer.outputs <= narrow::NARROW) {
                Some(blocks) => {
                    let inputs = &blocks[..rows * Block::count(layer.inputs)];
                    narrow::forward(isa, *layer, inputs, weight, bias, &mut space.single, out);
                }
                None => isa.product(rows, layer.inputs, left, weight, layer.columns, Start::Bias(bias), out),
            }
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
                match index.checked_sub(1).filter(|_| layer.outputs <= narrow::NARROW) {
                    Some(below) => narrow::weight_gradient(
                        isa,
                        *layer,
                        rows,
                        delta,
                        &space.outputs[below],
                        start,
                        &mut space.transposed,
                        weight,
                    ),
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
