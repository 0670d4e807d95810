//! Lanes in plain Rust.

use super::super::product::{Left, Start, product};
use super::{Block, LANES, Lanes, SPLIT};

/// Lanes in plain Rust, for any processor.
#[derive(Clone, Copy)]
pub struct Portable([f32; LANES]);

macro_rules! each {
    (|$($name:ident),+| $value:expr) => {{
        let mut out = [0.0_f32; LANES];
        for lane in 0..LANES {
            $(let $name = $name.0[lane];)+
            out[lane] = $value;
        }
        Self(out)
    }};
}

impl Lanes for Portable {
    #[inline(always)]
    fn load(block: &Block) -> Self {
        Self(block.0)
    }
    #[inline(always)]
    fn store(self, block: &mut Block) {
        block.0 = self.0;
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self([value; LANES])
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        let a = self;
        each!(|a, factor, addend| a.mul_add(factor, addend))
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| a + other)
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| a - other)
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| a * other)
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| a / other)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        let a = self;
        each!(|a| a.sqrt())
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| if a > other { a } else { other })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        let a = self;
        each!(|a, other| if a < other { a } else { other })
    }
    #[inline(always)]
    fn where_positive(self, gate: Self) -> Self {
        let a = self;
        each!(|a, gate| if gate > 0.0 { a } else { 0.0 })
    }
    #[inline(always)]
    fn scale(self, shifted: Self) -> Self {
        let a = self;
        each!(|a, shifted| f32::from_bits(a.to_bits().wrapping_add(shifted.to_bits() << 23)))
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        let a = self;
        let exponent = each!(|a| ((a.to_bits().cast_signed().wrapping_sub(SPLIT)) >> 23) as f32);
        let mantissa = each!(|a| {
            let bits = a.to_bits().cast_signed();
            let shift = bits.wrapping_sub(SPLIT) & (-1 << 23);
            f32::from_bits(bits.wrapping_sub(shift).cast_unsigned())
        });
        (mantissa, exponent)
    }
    #[inline(always)]
    fn product(rows: usize, depth: usize, a: Left, b: &[Block], columns: usize, start: Start, c: &mut [Block]) {
        product::<Self, 4, 1>(rows, depth, a, b, columns, start, c);
    }
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        let mut out = [Self([0.0; LANES]); LANES];
        for (i, row) in rows.iter().enumerate() {
            for (j, column) in out.iter_mut().enumerate() {
                column.0[i] = row.0[j];
            }
        }
        out
    }
}
