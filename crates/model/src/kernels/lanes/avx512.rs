//! Lanes in one 512-bit register.

use std::arch::x86_64::*;

use super::super::product::{Left, Start, product};
use super::{Block, LANES, Lanes, SPLIT};

/// One 512-bit register. Made only inside functions compiled for AVX-512 that
/// [`crate::kernels::Isa::detect`] allowed.
#[derive(Clone, Copy)]
pub struct Avx512(__m512);

// SAFETY (all of this block): values of `Avx512` exist only where the processor
// has AVX-512F; loads and stores go through references to whole, aligned blocks.
impl Lanes for Avx512 {
    #[inline(always)]
    fn load(block: &Block) -> Self {
        Self(unsafe { _mm512_load_ps(block.0.as_ptr()) })
    }
    #[inline(always)]
    fn store(self, block: &mut Block) {
        unsafe { _mm512_store_ps(block.0.as_mut_ptr(), self.0) }
    }
    #[inline(always)]
    fn splat(value: f32) -> Self {
        Self(unsafe { _mm512_set1_ps(value) })
    }
    #[inline(always)]
    fn mul_add(self, factor: Self, addend: Self) -> Self {
        Self(unsafe { _mm512_fmadd_ps(self.0, factor.0, addend.0) })
    }
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(unsafe { _mm512_add_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(unsafe { _mm512_sub_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self(unsafe { _mm512_mul_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn div(self, other: Self) -> Self {
        Self(unsafe { _mm512_div_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        Self(unsafe { _mm512_sqrt_ps(self.0) })
    }
    #[inline(always)]
    fn max(self, other: Self) -> Self {
        Self(unsafe { _mm512_max_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn min(self, other: Self) -> Self {
        Self(unsafe { _mm512_min_ps(self.0, other.0) })
    }
    #[inline(always)]
    fn where_positive(self, gate: Self) -> Self {
        unsafe {
            let mask = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(gate.0, _mm512_setzero_ps());
            Self(_mm512_maskz_mov_ps(mask, self.0))
        }
    }
    #[inline(always)]
    fn scale(self, shifted: Self) -> Self {
        unsafe {
            let power = _mm512_slli_epi32::<23>(_mm512_castps_si512(shifted.0));
            Self(_mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(self.0), power)))
        }
    }
    #[inline(always)]
    fn split(self) -> (Self, Self) {
        unsafe {
            let bits = _mm512_castps_si512(self.0);
            let above = _mm512_sub_epi32(bits, _mm512_set1_epi32(SPLIT));
            let exponent = _mm512_srai_epi32::<23>(above);
            let mantissa = _mm512_sub_epi32(bits, _mm512_slli_epi32::<23>(exponent));
            (Self(_mm512_castsi512_ps(mantissa)), Self(_mm512_cvtepi32_ps(exponent)))
        }
    }
    #[inline(always)]
    fn product(rows: usize, depth: usize, a: Left, b: &[Block], columns: usize, start: Start, c: &mut [Block]) {
        product::<Self, 6, 4>(rows, depth, a, b, columns, start, c);
    }
    #[inline(always)]
    fn transpose(rows: [Self; LANES]) -> [Self; LANES] {
        unsafe {
            // Pairs, then quadruples within 128 bits, then the 128-bit quarters.
            let mut a = rows;
            for i in (0..LANES).step_by(2) {
                a[i] = Self(_mm512_unpacklo_ps(rows[i].0, rows[i + 1].0));
                a[i + 1] = Self(_mm512_unpackhi_ps(rows[i].0, rows[i + 1].0));
            }
            let mut b = a;
            for i in (0..LANES).step_by(4) {
                b[i] = Self(_mm512_shuffle_ps::<0x44>(a[i].0, a[i + 2].0));
                b[i + 1] = Self(_mm512_shuffle_ps::<0xee>(a[i].0, a[i + 2].0));
                b[i + 2] = Self(_mm512_shuffle_ps::<0x44>(a[i + 1].0, a[i + 3].0));
                b[i + 3] = Self(_mm512_shuffle_ps::<0xee>(a[i + 1].0, a[i + 3].0));
            }
            let mut out = b;
            for i in 0..4 {
                let low01 = _mm512_shuffle_f32x4::<0x88>(b[i].0, b[i + 4].0);
                let high01 = _mm512_shuffle_f32x4::<0xdd>(b[i].0, b[i + 4].0);
                let low23 = _mm512_shuffle_f32x4::<0x88>(b[i + 8].0, b[i + 12].0);
                let high23 = _mm512_shuffle_f32x4::<0xdd>(b[i + 8].0, b[i + 12].0);
                out[i] = Self(_mm512_shuffle_f32x4::<0x88>(low01, low23));
                out[i + 4] = Self(_mm512_shuffle_f32x4::<0x88>(high01, high23));
                out[i + 8] = Self(_mm512_shuffle_f32x4::<0xdd>(low01, low23));
                out[i + 12] = Self(_mm512_shuffle_f32x4::<0xdd>(high01, high23));
            }
            out
        }
    }
}
