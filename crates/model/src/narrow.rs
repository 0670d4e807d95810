//! Layers of very few outputs, such as a policy's logits: in whole blocks most of
//! their lanes would be idle, so the lanes run along another side of the product.

use crate::kernels::{Block, Isa, LANES, Left, Start};
use crate::mlp::Layer;

/// A layer of at most so many outputs would leave most of a block's lanes idle.
pub const NARROW: usize = 4;

/// The sums of a narrow layer for at least [`LANES`] rows, with the lanes along the
/// rows: the same sums in the same order, in a fraction of the time.
#[expect(clippy::too_many_arguments, reason = "one step of the forward pass")]
pub fn forward(
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
