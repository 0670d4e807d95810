//! Sixteen single-precision numbers that are worked on at once, and the choice of
//! instructions for them.
//!
//! Every operation here rounds once and is defined by IEEE 754, or moves bits; so
//! each instruction set gives the same bits. This is the only module of the
//! workspace with `unsafe` code: vector instructions need it, and nothing else does.
#![allow(unsafe_code)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use avx512::Avx512;
use portable::Portable;

use super::product::{Left, Start};

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
