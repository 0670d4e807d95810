//! Network kernels: one source, compiled for AVX-512, AVX2 with FMA, and any
//! processor, with the same bits on each (R5).
//!
//! Each output is accumulated in one order with fused multiply-add, sums over many
//! numbers use one fixed tree, and exp, tanh and ln are our own.

mod elementary;
mod elementwise;
mod lanes;
mod product;

pub use elementwise::{Activation, AdamStep, RmsPropStep, halving_sum};
pub use lanes::{Block, Isa, LANES};

use elementwise as each;
pub(crate) use elementwise::Function;
use lanes::{Kernel, Lanes};
pub(crate) use product::{Left, Start};

/// Declares a kernel that is a call of one generic function.
macro_rules! kernel {
    ($name:ident<$($life:lifetime)?> { $($field:ident: $kind:ty),+ } -> $output:ty { $function:path }) => {
        struct $name<$($life)?> { $($field: $kind),+ }
        impl<$($life)?> Kernel for $name<$($life)?> {
            type Output = $output;
            #[inline(always)]
            fn run<V: Lanes>(self) -> $output {
                use $function as function;
                function::<V>($(self.$field),+)
            }
        }
    };
}

kernel!(Map<'a> { function: Function, values: &'a mut [Block] } -> () { each::map });
kernel!(MapSlice<'a> { function: Function, values: &'a mut [f32] } -> () { each::map_slice });
kernel!(Gate<'a> { activation: Activation, outputs: &'a [Block], gradient: &'a mut [Block] } -> () { each::gate });
kernel!(AddRows<'a> { gradient: &'a [Block], columns: usize, sums: &'a mut [Block] } -> () { each::add_rows });
kernel!(Dots<'a> { rows: &'a [Block], columns: usize, weight: &'a [Block], bias: f32, out: &'a mut [f32], stride: usize } -> () { each::dots });
kernel!(Add<'a> { from: &'a [Block], into: &'a mut [Block] } -> () { each::add });
kernel!(Blend<'a> { from: &'a [Block], rate: f32, into: &'a mut [Block] } -> () { each::blend });
kernel!(SumSquares<'a> { values: &'a [Block] } -> f32 { each::sum_squares });
kernel!(Transpose<'a> { rows: usize, columns: usize, from: &'a [Block], out: &'a mut [Block] } -> () { product::transpose });
kernel!(Adam<'a> { step: AdamStep, gradient: &'a [Block], first: &'a mut [Block], second: &'a mut [Block], values: &'a mut [Block] } -> () { each::adam });
kernel!(RmsProp<'a> { step: RmsPropStep, gradient: &'a [Block], square: &'a mut [Block], values: &'a mut [Block] } -> () { each::rms_prop });

struct Product<'a> {
    rows: usize,
    depth: usize,
    a: Left<'a>,
    b: &'a [Block],
    columns: usize,
    start: Start<'a>,
    c: &'a mut [Block],
}

impl Kernel for Product<'_> {
    type Output = ();
    #[inline(always)]
    fn run<V: Lanes>(self) {
        V::product(self.rows, self.depth, self.a, self.b, self.columns, self.start, self.c);
    }
}

impl Isa {
    /// Replaces each number by e to it; arguments are clamped to [−87, 88].
    pub fn exp(self, values: &mut [f32]) {
        self.run(MapSlice { function: Function::Exp, values });
    }

    /// Replaces each positive number by its natural logarithm.
    pub fn ln(self, values: &mut [f32]) {
        self.run(MapSlice { function: Function::Ln, values });
    }

    /// Replaces each number by its hyperbolic tangent.
    pub fn tanh(self, values: &mut [f32]) {
        self.run(MapSlice { function: Function::Tanh, values });
    }

    pub(crate) fn map(self, function: Function, values: &mut [Block]) {
        self.run(Map { function, values });
    }

    pub(crate) fn gate(self, activation: Activation, outputs: &[Block], gradient: &mut [Block]) {
        self.run(Gate { activation, outputs, gradient });
    }

    pub(crate) fn add_rows(self, gradient: &[Block], columns: usize, sums: &mut [Block]) {
        self.run(AddRows { gradient, columns, sums });
    }

    pub(crate) fn dots(
        self,
        rows: &[Block],
        columns: usize,
        weight: &[Block],
        bias: f32,
        out: &mut [f32],
        stride: usize,
    ) {
        self.run(Dots { rows, columns, weight, bias, out, stride });
    }

    pub(crate) fn add(self, from: &[Block], into: &mut [Block]) {
        self.run(Add { from, into });
    }

    pub(crate) fn blend(self, from: &[Block], rate: f32, into: &mut [Block]) {
        self.run(Blend { from, rate, into });
    }

    pub(crate) fn sum_squares(self, values: &[Block]) -> f32 {
        self.run(SumSquares { values })
    }

    pub(crate) fn transpose(self, rows: usize, columns: usize, from: &[Block], out: &mut [Block]) {
        self.run(Transpose { rows, columns, from, out });
    }

    pub(crate) fn adam(
        self,
        step: AdamStep,
        gradient: &[Block],
        first: &mut [Block],
        second: &mut [Block],
        values: &mut [Block],
    ) {
        self.run(Adam { step, gradient, first, second, values });
    }

    pub(crate) fn rms_prop(self, step: RmsPropStep, gradient: &[Block], square: &mut [Block], values: &mut [Block]) {
        self.run(RmsProp { step, gradient, square, values });
    }

    #[expect(clippy::too_many_arguments, reason = "the shape of a matrix product")]
    pub(crate) fn product(
        self,
        rows: usize,
        depth: usize,
        a: Left,
        b: &[Block],
        columns: usize,
        start: Start,
        c: &mut [Block],
    ) {
        self.run(Product { rows, depth, a, b, columns, start, c });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(count: usize, mut seed: u64) -> Vec<f32> {
        let mut out = Vec::with_capacity(count);
        for _ in 0..count {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            out.push((seed >> 40) as f32 / 8_388_608.0 - 1.0);
        }
        out
    }

    fn blocks(count: usize, seed: u64) -> Vec<Block> {
        numbers(count * LANES, seed).as_chunks::<LANES>().0.iter().map(|lanes| Block(*lanes)).collect()
    }

    fn bits(values: &[Block]) -> Vec<u32> {
        Block::flat(values).iter().map(|value| value.to_bits()).collect()
    }

    #[test]
    fn the_product_has_one_order_and_the_same_bits_on_every_instruction_set() {
        for (rows, depth, columns) in [(1, 1, 1), (7, 5, 4), (13, 21, 5), (64, 33, 2), (6, 64, 9)] {
            let a = numbers(rows * depth, 1);
            let (b, bias) = (blocks(depth * columns, 2), blocks(columns, 3));
            let mut expected = vec![Block::ZERO; rows * columns];
            for i in 0..rows {
                for j in 0..columns * LANES {
                    let mut sum = Block::flat(&bias)[j];
                    for p in 0..depth {
                        sum = a[i * depth + p].mul_add(Block::flat(&b)[p * columns * LANES + j], sum);
                    }
                    Block::flat_mut(&mut expected)[i * columns * LANES + j] = sum;
                }
            }
            for isa in Isa::available() {
                let mut c = vec![Block::ZERO; rows * columns];
                let left = Left { values: &a, row: depth, step: 1 };
                isa.product(rows, depth, left, &b, columns, Start::Bias(&bias), &mut c);
                assert_eq!(bits(&c), bits(&expected), "{} {rows} {depth} {columns}", isa.name());
                // Splitting the terms over two calls continues the same sums.
                let cut = depth / 2;
                isa.product(rows, cut, left, &b, columns, Start::Bias(&bias), &mut c);
                let left = Left { values: &a[cut..], row: depth, step: 1 };
                isa.product(rows, depth - cut, left, &b[cut * columns..], columns, Start::Kept, &mut c);
                assert_eq!(bits(&c), bits(&expected), "{} in two parts", isa.name());
            }
        }
    }

    #[test]
    fn dot_products_have_one_order_and_the_same_bits_on_every_instruction_set() {
        for (count, columns) in [(1, 1), (15, 4), (16, 3), (37, 5)] {
            let (rows, weight) = (blocks(count * columns, 1), blocks(columns, 2));
            let mut expected = vec![0.0; count * 3];
            for (row, out) in rows.chunks_exact(columns).zip(expected.chunks_exact_mut(3)) {
                let mut sums = [0.0_f32; LANES];
                for (block, weight) in row.iter().zip(&weight) {
                    for ((sum, a), b) in sums.iter_mut().zip(block.0).zip(weight.0) {
                        *sum = a.mul_add(b, *sum);
                    }
                }
                out[0] = halving_sum(sums) + 0.3;
            }
            for isa in Isa::available() {
                let mut out = vec![0.0; count * 3];
                isa.dots(&rows, columns, &weight, 0.3, &mut out, 3);
                assert_eq!(out, expected, "{} {count} {columns}", isa.name());
            }
        }
    }

    #[test]
    fn a_transpose_swaps_rows_and_columns() {
        for isa in Isa::available() {
            for (rows, columns) in [(16, 1), (21, 4), (64, 2), (3, 1)] {
                let from = blocks(rows * columns, 5);
                let out_columns = Block::count(rows);
                let mut out = blocks(columns * LANES * out_columns, 6);
                isa.transpose(rows, columns, &from, &mut out);
                for i in 0..out_columns * LANES {
                    for j in 0..columns * LANES {
                        let value = Block::flat(&out)[j * out_columns * LANES + i];
                        let expected = if i < rows { Block::flat(&from)[i * columns * LANES + j] } else { 0.0 };
                        assert_eq!(value, expected, "{} {rows}x{columns} at {i}, {j}", isa.name());
                    }
                }
            }
        }
    }

    #[test]
    fn elementary_functions_are_accurate_and_equal_everywhere() {
        let inputs: Vec<f32> = (-20_000..=20_000).map(|i| i as f32 * 0.001).collect();
        let check = |name: &str,
                     function: fn(Isa, &mut [f32]),
                     inputs: &[f32],
                     exact: fn(f64) -> f64,
                     tolerance: f64| {
            let mut first = inputs.to_vec();
            function(Isa::PORTABLE, &mut first);
            for (x, y) in inputs.iter().zip(&first) {
                let expected = exact(f64::from(*x));
                let error = (f64::from(*y) - expected).abs();
                assert!(error <= tolerance * expected.abs().max(1.0), "{name}({x}) = {y}, not {expected}");
            }
            for isa in Isa::available() {
                let mut values = inputs.to_vec();
                function(isa, &mut values);
                assert!(values.iter().zip(&first).all(|(a, b)| a.to_bits() == b.to_bits()), "{name} on {}", isa.name());
            }
        };
        check("tanh", Isa::tanh, &inputs, libm::tanh, 5e-7);
        check("exp", Isa::exp, &inputs, libm::exp, 2.5e-7);
        let positive: Vec<f32> = (1..=40_000).map(|i| i as f32 * i as f32 * 1e-5).collect();
        check("ln", Isa::ln, &positive, libm::log, 3e-7);
        let mut ends = [-100.0, 100.0, 0.0];
        Isa::detect().tanh(&mut ends);
        assert!(ends[0] > -1.0 && ends[1] < 1.0 && ends[0] == -ends[1] && ends[2] == 0.0, "{ends:?}");
        let mut ends = [-1e9, 1e9];
        Isa::detect().exp(&mut ends);
        assert!(ends[0] > 0.0 && ends[1].is_finite(), "{ends:?}");
    }

    #[test]
    fn updates_and_sums_have_the_same_bits_on_every_instruction_set() {
        let run = |isa: Isa| {
            let (gradient, mut values) = (blocks(23, 1), blocks(23, 2));
            let (mut first, mut second) = (vec![Block::ZERO; 23], vec![Block::ZERO; 23]);
            let step = AdamStep { scale: 0.7, beta1: 0.9, beta2: 0.999, rate: 0.003, root: 31.6, epsilon: 1e-5 };
            isa.adam(step, &gradient, &mut first, &mut second, &mut values);
            isa.adam(step, &gradient, &mut first, &mut second, &mut values);
            let step = RmsPropStep { scale: 0.5, alpha: 0.99, rate: 7e-4, epsilon: 1e-5 };
            isa.rms_prop(step, &gradient, &mut second, &mut values);
            isa.blend(&gradient, 0.005, &mut values);
            isa.gate(Activation::Tanh, &gradient, &mut values);
            isa.gate(Activation::Relu, &gradient, &mut values[..20]);
            isa.add_rows(&values[..20], 4, &mut first[..4]);
            isa.add(&first, &mut values);
            (bits(&values), isa.sum_squares(&values).to_bits())
        };
        let expected = run(Isa::PORTABLE);
        for isa in Isa::available() {
            assert_eq!(run(isa), expected, "{}", isa.name());
        }
    }

    #[test]
    fn one_adam_step_moves_by_the_learning_rate() {
        let mut values = [Block([1.0; LANES])];
        let (mut first, mut second) = ([Block::ZERO], [Block::ZERO]);
        let root = 1.0 / (1.0_f32 - 0.999).sqrt();
        let step = AdamStep { scale: 1.0, beta1: 0.9, beta2: 0.999, rate: 0.01 / (1.0 - 0.9), root, epsilon: 0.0 };
        Isa::detect().adam(step, &[Block([0.3; LANES])], &mut first, &mut second, &mut values);
        assert!((values[0].0[0] - 0.99).abs() < 1e-6, "{}", values[0].0[0]);
    }
}
