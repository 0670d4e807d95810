//! Layers of very few outputs, such as a policy's logits: in whole blocks most of
//! their lanes would be idle, so the lanes run along another side of the product.

use crate::kernels::{Block, Isa, LANES, Left, Start};
use crate::mlp::Layer;

/// A layer of at most so many outputs would leave most of a block's lanes idle.
pub const NARROW: usize = 4;

/// The sums of a narrow layer, each a dot product along its inputs. `single` has room
/// for the weights of one output.
pub fn forward(
    isa: Isa,
    layer: Layer,
    inputs: &[Block],
    weight: &[Block],
    bias: &[Block],
    single: &mut [Block],
    out: &mut [Block],
) {
    let stride = layer.columns * LANES;
    let single = &mut single[..Block::count(layer.inputs)];
    let out = Block::flat_mut(out);
    for output in 0..layer.outputs {
        let numbers = Block::flat_mut(single);
        numbers[layer.inputs..].fill(0.0);
        for (number, row) in numbers.iter_mut().zip(Block::flat(weight).chunks_exact(stride)) {
            *number = row[output];
        }
        isa.dots(inputs, single.len(), single, bias[0].0[output], &mut out[output..], stride);
    }
}

/// The gradient of a narrow layer's weights, with the lanes along its inputs: the same
/// sums in the same order, in a fraction of the time.
#[expect(clippy::too_many_arguments, reason = "one step of the backward pass")]
pub fn weight_gradient(
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
