//! Sixteen single-precision numbers that are worked on at once, and the choice of
//! instructions for them.
//!
//! Every operation here rounds once and is defined by IEEE 754, or moves bits; so
//! each instruction set gives the same bits. This is the only module of the
//! workspace with `unsafe` code: vector instructions need it, and nothing else does.
#![allow(unsafe_code)]

use super::product::{Left, Start, product};

/// Numbers in one block.
pub const LANES: usize = 16;

/// Sixteen numbers on one cache line.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(C, align(64))]
pub struct Block(pub [f32; LANES]);

impl Block {
    /// Sixteen zeros.
    pub const ZERO: Self = Self([0.0; LANES]);

    /// The numbers of `blocks` one after another.
    #[must_use]
    pub const fn flat(blocks: &[Self]) -> &[f32] {
        // SAFETY: a block is sixteen `f32` without padding (its size equals its
        // alignment), so `len · 16` initialised numbers follow one another.
        unsafe { std::slice::from_raw_parts(blocks.as_ptr().cast(), blocks.len() * LANES) }
    }

    /// The numbers of `blocks` one after another.
    #[must_use]
    pub const fn flat_mut(blocks: &mut [Self]) -> &mut [f32] {
        // SAFETY: as in `flat`; the exclusive borrow is handed on.
        unsafe { std::slice::from_raw_parts_mut(blocks.as_mut_ptr().cast(), blocks.len() * LANES) }
    }

    /// How many blocks hold `numbers`.
    #[must_use]
    pub const fn count(numbers: usize) -> usize {
        numbers.div_ceil(LANES)
    }
}

/// Sixteen numbers in registers. Kernels are written once over this trait and
/// compiled for each instruction set.
pub trait Lanes: Copy {
    /// The numbers of `block`.
    fn load(block: &Block) -> Self;
    /// Writes the numbers to `block`.
    fn store(self, block: &mut Block);
    /// The same number in each lane.
    fn splat(value: f32) -> Self;
    /// `self · factor + addend`, rounded once.
    fn mul_add(self, factor: Self, addend: Self) -> Self;
    /// `self + other`.
    fn add(self, other: Self) -> Self;
    /// `self − other`.
    fn sub(self, other: Self) -> Self;
    /// `self · other`.
    fn mul(self, other: Self) -> Self;
    /// `self / other`.
    fn div(self, other: Self) -> Self;
    /// The square root.
    fn sqrt(self) -> Self;
    /// `self` where it is greater, else `other`.
    fn max(self, other: Self) -> Self;
    /// `self` where it is less, else `other`.
    fn min(self, other: Self) -> Self;
    /// `self` where `gate` is above zero, else zero.
    fn where_positive(self, gate: Self) -> Self;
    /// `self · 2^n` by adding `n` to the exponent, where `n` is the integer in the low
    /// bits of `shifted` (an integer added to 1.5 · 2^23). No overflow is handled.
    fn scale(self, shifted: Self) -> Self;
    /// Splits a positive normal number into `m · 2^e` with `m` in [2/3, 4/3): `(m, e)`.
    fn split(self) -> (Self, Self);
    /// Transposes sixteen rows of sixteen.
    fn transpose(rows: [Self; LANES]) -> [Self; LANES];
    /// [`product`] with the tile that fits the registers.
    fn product(rows: usize, depth: usize, a: Left, b: &[Block], columns: usize, start: Start, c: &mut [Block]);
}

/// Work that is compiled once for each instruction set.
pub trait Kernel {
    /// What it gives.
    type Output;
    /// Does it with lanes `V`; implementations are `#[inline(always)]`.
    fn run<V: Lanes>(self) -> Self::Output;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// An instruction set that this processor has. The results do not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Isa(Kind);

impl Isa {
    /// Plain Rust, on any processor.
    pub const PORTABLE: Self = Self(Kind::Portable);

    /// Every instruction set this processor has, the fastest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        let mut found = Vec::new();
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") {
                found.push(Self(Kind::Avx512));
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Self(Kind::Avx2));
            }
        }
        found.push(Self::PORTABLE);
        found
    }

    /// The fastest instruction set this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available()[0]
    }

    /// `avx512`, `avx2` or `portable`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self.0 {
            Kind::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => "avx512",
        }
    }

    /// Runs `kernel` with these instructions.
    #[inline]
    pub fn run<K: Kernel>(self, kernel: K) -> K::Output {
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx512f,avx2,fma")]
        fn avx512<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Avx512>()
        }
        #[cfg(target_arch = "x86_64")]
        #[target_feature(enable = "avx2,fma")]
        fn avx2<K: Kernel>(kernel: K) -> K::Output {
            kernel.run::<Avx2>()
        }
        match self.0 {
            Kind::Portable => kernel.run::<Portable>(),
            // SAFETY: a value of this kind is only made when the processor was asked
            // and has the features.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => unsafe { avx2(kernel) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => unsafe { avx512(kernel) },
        }
    }
}

/// The bits of 2/3, where [`Lanes::split`] cuts.
const SPLIT: i32 = 0x3f2a_aaab;

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

#[cfg(target_arch = "x86_64")]
pub use x86::{Avx2, Avx512};

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::*;

    use super::{Block, LANES, Lanes, Left, SPLIT, Start, product};

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
}
