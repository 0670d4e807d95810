//! Kernels that visit each number once, and the sums over many numbers.

use super::elementary::{exp, ln, tanh};
use super::lanes::{Block, LANES, Lanes};

/// A network's non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Activation {
    /// Hyperbolic tangent.
    Tanh,
    /// max(x, 0).
    Relu,
}

/// A function of one number.
#[derive(Clone, Copy)]
pub enum Function {
    Exp,
    Ln,
    Tanh,
    Relu,
}

#[inline(always)]
fn value<V: Lanes>(function: Function, x: V) -> V {
    match function {
        Function::Exp => exp(x),
        Function::Ln => ln(x),
        Function::Tanh => tanh(x),
        Function::Relu => x.where_positive(x),
    }
}

/// Replaces each number by its function value.
#[inline(always)]
pub fn map<V: Lanes>(function: Function, values: &mut [Block]) {
    match function {
        Function::Exp => values.iter_mut().for_each(|block| value(Function::Exp, V::load(block)).store(block)),
        Function::Ln => values.iter_mut().for_each(|block| value(Function::Ln, V::load(block)).store(block)),
        Function::Tanh => values.iter_mut().for_each(|block| value(Function::Tanh, V::load(block)).store(block)),
        Function::Relu => values.iter_mut().for_each(|block| value(Function::Relu, V::load(block)).store(block)),
    }
}

/// The same for numbers that are not in blocks.
#[inline(always)]
pub fn map_slice<V: Lanes>(function: Function, values: &mut [f32]) {
    let mut block = Block::ZERO;
    for part in values.chunks_mut(LANES) {
        block.0[..part.len()].copy_from_slice(part);
        // Lanes that are not used hold a number every function is defined for.
        block.0[part.len()..].fill(1.0);
        value(function, V::load(&block)).store(&mut block);
        part.copy_from_slice(&block.0[..part.len()]);
    }
}

/// Turns the gradient of a layer's outputs into that of its sums, given the outputs.
#[inline(always)]
pub fn gate<V: Lanes>(activation: Activation, outputs: &[Block], gradient: &mut [Block]) {
    for (output, gradient) in outputs.iter().zip(gradient) {
        let (y, d) = (V::load(output), V::load(gradient));
        let gated = match activation {
            // d · (1 − y²)
            Activation::Tanh => V::splat(0.0).sub(y).mul_add(y, V::splat(1.0)).mul(d),
            Activation::Relu => d.where_positive(y),
        };
        gated.store(gradient);
    }
}

/// Adds the rows of `gradient` (`columns` blocks each) to `sums` from the first to the last.
#[inline(always)]
pub fn add_rows<V: Lanes>(gradient: &[Block], columns: usize, sums: &mut [Block]) {
    for (column, sum) in sums.iter_mut().enumerate() {
        let mut total = V::load(sum);
        for row in gradient.chunks_exact(columns) {
            total = total.add(V::load(&row[column]));
        }
        total.store(sum);
    }
}

/// `out[i · stride] = bias + Σ_j rows[i][j] · weight[j]` for rows of `columns` blocks:
/// sixteen running sums a row, added halves first. For outputs too few to fill a block.
#[inline(always)]
pub fn dots<V: Lanes>(rows: &[Block], columns: usize, weight: &[Block], bias: f32, out: &mut [f32], stride: usize) {
    let weight = &weight[..columns];
    for (group, rows) in rows.chunks(columns * LANES).enumerate() {
        let mut sums = [V::splat(0.0); LANES];
        for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(columns)) {
            for (block, weight) in row.iter().zip(weight) {
                *sum = V::load(block).mul_add(V::load(weight), *sum);
            }
        }
        let mut sums = V::transpose(sums);
        let mut width = LANES / 2;
        while width > 0 {
            for lane in 0..width {
                sums[lane] = sums[lane].add(sums[lane + width]);
            }
            width /= 2;
        }
        let mut total = Block::ZERO;
        sums[0].add(V::splat(bias)).store(&mut total);
        for (row, value) in total.0.iter().take(rows.len() / columns).enumerate() {
            out[(group * LANES + row) * stride] = *value;
        }
    }
}

/// `into += from`.
#[inline(always)]
pub fn add<V: Lanes>(from: &[Block], into: &mut [Block]) {
    for (from, into) in from.iter().zip(into) {
        V::load(into).add(V::load(from)).store(into);
    }
}

/// `into += rate · (from − into)`.
#[inline(always)]
pub fn blend<V: Lanes>(from: &[Block], rate: f32, into: &mut [Block]) {
    let rate = V::splat(rate);
    for (from, into) in from.iter().zip(into) {
        let old = V::load(into);
        V::load(from).sub(old).mul_add(rate, old).store(into);
    }
}

/// The sum of the squares: four running sums of sixteen lanes, added in one fixed tree.
#[inline(always)]
pub fn sum_squares<V: Lanes>(values: &[Block]) -> f32 {
    let mut sums = [V::splat(0.0); 4];
    let (fours, rest) = values.as_chunks::<4>();
    for four in fours {
        for (sum, block) in sums.iter_mut().zip(four) {
            let x = V::load(block);
            *sum = x.mul_add(x, *sum);
        }
    }
    for (sum, block) in sums.iter_mut().zip(rest) {
        let x = V::load(block);
        *sum = x.mul_add(x, *sum);
    }
    let mut total = Block::ZERO;
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(&mut total);
    halving_sum(total.0)
}

/// The sum of sixteen numbers, halves first.
#[must_use]
pub fn halving_sum(mut lanes: [f32; LANES]) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] += lanes[lane + width];
        }
        width /= 2;
    }
    lanes[0]
}

/// Numbers of one Adam step.
#[derive(Debug, Clone, Copy)]
pub struct AdamStep {
    /// Multiplies each gradient first (clipping).
    pub scale: f32,
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second moment.
    pub beta2: f32,
    /// Learning rate over the first moment's bias correction.
    pub rate: f32,
    /// One over the root of the second moment's bias correction.
    pub root: f32,
    /// Added to the root.
    pub epsilon: f32,
}

/// One Adam step (Kingma & Ba 2015, in PyTorch's order of operations).
#[inline(always)]
pub fn adam<V: Lanes>(
    step: AdamStep,
    gradient: &[Block],
    first: &mut [Block],
    second: &mut [Block],
    values: &mut [Block],
) {
    let (scale, epsilon) = (V::splat(step.scale), V::splat(step.epsilon));
    let (beta1, rest1) = (V::splat(step.beta1), V::splat(1.0 - step.beta1));
    let (beta2, rest2) = (V::splat(step.beta2), V::splat(1.0 - step.beta2));
    let (rate, root) = (V::splat(-step.rate), V::splat(step.root));
    for (((gradient, first), second), value) in gradient.iter().zip(first).zip(second).zip(values) {
        let g = V::load(gradient).mul(scale);
        let m = V::load(first).mul_add(beta1, rest1.mul(g));
        let v = V::load(second).mul_add(beta2, rest2.mul(g).mul(g));
        m.store(first);
        v.store(second);
        let below = v.sqrt().mul_add(root, epsilon);
        m.mul(rate).div(below).add(V::load(value)).store(value);
    }
}

/// Numbers of one RMSprop step.
#[derive(Debug, Clone, Copy)]
pub struct RmsPropStep {
    /// Multiplies each gradient first (clipping).
    pub scale: f32,
    /// Decay of the squared gradient.
    pub alpha: f32,
    /// Learning rate.
    pub rate: f32,
    /// Added to the root.
    pub epsilon: f32,
}

/// One RMSprop step as PyTorch defines it, without momentum: the epsilon is outside the root.
#[inline(always)]
pub fn rms_prop<V: Lanes>(step: RmsPropStep, gradient: &[Block], square: &mut [Block], values: &mut [Block]) {
    let (scale, epsilon) = (V::splat(step.scale), V::splat(step.epsilon));
    let (alpha, rest) = (V::splat(step.alpha), V::splat(1.0 - step.alpha));
    let rate = V::splat(-step.rate);
    for ((gradient, square), value) in gradient.iter().zip(square).zip(values) {
        let g = V::load(gradient).mul(scale);
        let v = V::load(square).mul_add(alpha, rest.mul(g).mul(g));
        v.store(square);
        g.mul(rate).div(v.sqrt().add(epsilon)).add(V::load(value)).store(value);
    }
}
