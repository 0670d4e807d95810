//! Lanes in two 256-bit registers, with fused multiply-add.

use std::arch::x86_64::*;

use super::super::product::{Left, Start, product};
use super::{Block, LANES, Lanes, SPLIT};

/// Two 256-bit registers. Made only inside functions compiled for AVX2 and FMA
/// that [`crate::kernels::Isa::detect`] allowed.
#[derive(Clone, Copy)]
pub struct Avx2(__m256, __m256);

macro_rules! both {
    ($operation:ident($($name:expr),+)) => {
        unsafe { Self($operation($($name.0),+), $operation($($name.1),+)) }
    };
}

// SAFETY (all of this block): values of `Avx2` exist only where the processor has
// AVX2 and FMA; loads and stores go through references to whole, aligned blocks.
impl Lanes for Avx2 {
    #[inline(always)]
    fn load(block: &Block) -> Self {
        unsafe { Self(_mm256_load_ps(block.0.as_ptr()), _mm256_load_ps(block.0[8..].as_ptr())) }
    }
    #[inline(always)]
    fn store(self, block: &mut Block) {
        unsafe {
            _mm256_store_ps(block.0.as_mut_ptr(), self.0);
            _mm256_store_ps(block.0[8..].as_mut_ptr(), self.1);
        }
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        unsafe { Self(_mm256_set1_ps(value), _mm256_set1_ps(value)) }
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        both!(_mm256_fmadd_ps(self, factor, addend))
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        both!(_mm256_add_ps(self, other))
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        both!(_mm256_sub_ps(self, other))
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        both!(_mm256_mul_ps(self, other))
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        both!(_mm256_div_ps(self, other))
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        both!(_mm256_sqrt_ps(self))
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        both!(_mm256_max_ps(self, other))
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        both!(_mm256_min_ps(self, other))
    }
    #[inline(always)]
    fn where_positive(self, gate: Self) -> Self {
        unsafe {
            let zero = _mm256_setzero_ps();
            Self(
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(gate.0, zero), self.0),
                _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(gate.1, zero), self.1),
            )
        }
    }
    #[inline(always)]
    fn scale(self, shifted: Self) -> Self {
        #[inline(always)]
        unsafe fn half(value: __m256, shifted: __m256) -> __m256 {
            unsafe {
                let power = _mm256_slli_epi32::<23>(_mm256_castps_si256(shifted));
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(value), power))
            }
        }
        both!(half(self, shifted))
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        #[inline(always)]
        unsafe fn half(value: __m256) -> (__m256, __m256) {
            unsafe {
                let bits = _mm256_castps_si256(value);
                let exponent = _mm256_srai_epi32::<23>(_mm256_sub_epi32(bits, _mm256_set1_epi32(SPLIT)));
                let mantissa = _mm256_sub_epi32(bits, _mm256_slli_epi32::<23>(exponent));
                (_mm256_castsi256_ps(mantissa), _mm256_cvtepi32_ps(exponent))
            }
        }
        let (low, high) = unsafe { (half(self.0), half(self.1)) };
        (Self(low.0, high.0), Self(low.1, high.1))
    }
    #[inline(always)]
    fn product(rows: usize, depth: usize, a: Left, b: &[Block], columns: usize, start: Start, c: &mut [Block]) {
        product::<Self, 6, 1>(rows, depth, a, b, columns, start, c);
    }
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        #[inline(always)]
        unsafe fn eight(r: [__m256; 8]) -> [__m256; 8] {
            unsafe {
                let mut a = r;
                for i in (0..8).step_by(2) {
                    a[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
                    a[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
                }
                let mut b = a;
                for i in (0..8).step_by(4) {
                    b[i] = _mm256_shuffle_ps::<0x44>(a[i], a[i + 2]);
                    b[i + 1] = _mm256_shuffle_ps::<0xee>(a[i], a[i + 2]);
                    b[i + 2] = _mm256_shuffle_ps::<0x44>(a[i + 1], a[i + 3]);
                    b[i + 3] = _mm256_shuffle_ps::<0xee>(a[i + 1], a[i + 3]);
                }
                let mut out = b;
                for i in 0..4 {
                    out[i] = _mm256_permute2f128_ps::<0x20>(b[i], b[i + 4]);
                    out[i + 4] = _mm256_permute2f128_ps::<0x31>(b[i], b[i + 4]);
                }
                out
            }
        }
        let mut out = rows;
        unsafe {
            let zero = _mm256_setzero_ps();
            let mut quarter = [zero; 8];
            for (i, low) in quarter.iter_mut().enumerate() {
                *low = rows[i].0;
            }
            for (i, value) in eight(quarter).into_iter().enumerate() {
                out[i].0 = value;
            }
            for (i, low) in quarter.iter_mut().enumerate() {
                *low = rows[i].1;
            }
            for (i, value) in eight(quarter).into_iter().enumerate() {
                out[i + 8].0 = value;
            }
            for (i, low) in quarter.iter_mut().enumerate() {
                *low = rows[i + 8].0;
            }
            for (i, value) in eight(quarter).into_iter().enumerate() {
                out[i].1 = value;
            }
            for (i, low) in quarter.iter_mut().enumerate() {
                *low = rows[i + 8].1;
            }
            for (i, value) in eight(quarter).into_iter().enumerate() {
                out[i + 8].1 = value;
            }
        }
        out
    }
}
