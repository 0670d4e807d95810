//! Own exp, tanh and ln: the same sequence of exactly rounded operations on every
//! instruction set, so the same bits (R5). No tables, no calls into a maths library.

use super::lanes::Lanes;

/// 1.5 · 2^23: adding it to a number below 2^22 leaves the nearest integer in the low bits.
const ROUNDER: f32 = 12_582_912.0;
const LN_2_HIGH: f32 = 0.693_359_4;
const LN_2_LOW: f32 = -2.121_944_4e-4;

/// `coefficients[0] + x · (coefficients[1] + x · …)`.
#[inline(always)]
fn polynomial<V: Lanes, const N: usize>(x: V, coefficients: [f32; N]) -> V {
    let mut sum = V::splat(coefficients[N - 1]);
    for i in (0..N - 1).rev() {
        sum = sum.mul_add(x, V::splat(coefficients[i]));
    }
    sum
}

/// e^x within 2 units of the last place; x is clamped to [−87, 88], so the result is
/// finite and never zero.
#[inline(always)]
pub fn exp<V: Lanes>(x: V) -> V {
    let x = x.max(V::splat(-87.0)).min(V::splat(88.0));
    let shifted = x.mul_add(V::splat(std::f32::consts::LOG2_E), V::splat(ROUNDER));
    let n = shifted.sub(V::splat(ROUNDER));
    let r = n.mul_add(V::splat(-LN_2_LOW), n.mul_add(V::splat(-LN_2_HIGH), x));
    // The Taylor series: with |r| ≤ ln 2 / 2 the first term left out is below 6e-9.
    let sum = polynomial(r, [1.0, 1.0, 0.5, 1.0 / 6.0, 1.0 / 24.0, 1.0 / 120.0, 1.0 / 720.0, 1.0 / 5040.0]);
    sum.scale(shifted)
}

/// ln x within 3e-7 relative or absolute, for positive normal x; anything else gives
/// a finite number without meaning.
#[inline(always)]
pub fn ln<V: Lanes>(x: V) -> V {
    let (mantissa, exponent) = x.split();
    // ln m = 2 artanh s with s = (m − 1)/(m + 1), |s| ≤ 1/5.
    let s = mantissa.sub(V::splat(1.0)).div(mantissa.add(V::splat(1.0)));
    let square = s.mul(s);
    let series = polynomial(square, [2.0, 2.0 / 3.0, 2.0 / 5.0, 2.0 / 7.0, 2.0 / 9.0]).mul(s);
    exponent.mul_add(V::splat(LN_2_HIGH), exponent.mul_add(V::splat(LN_2_LOW), series))
}

/// tanh x within 5e-7; odd, and strictly between −1 and 1.
///
/// x · P(x²) / Q(x²) with coefficients fitted for the least relative error on
/// [0, 7.9] by iteratively reweighted least squares; beyond it the value at 7.9 stands.
#[inline(always)]
pub fn tanh<V: Lanes>(x: V) -> V {
    let x = x.max(V::splat(-7.9)).min(V::splat(7.9));
    let square = x.mul(x);
    let above = polynomial(square, [0.999_999_8, 0.127_209_22, 2.705_205e-3, 7.229_083e-6, -6.263_261_5e-9]).mul(x);
    let below = polynomial(square, [1.0, 0.460_540_98, 2.288_765_3e-2, 1.978_790_2e-4]);
    above.div(below)
}
