//! 256-bit integer arithmetic with the rounding in the name.

mod divider;
pub mod json;
pub mod narrow;
mod root;

pub use divider::Divider;

use ruint::algorithms;
use ruint::aliases::U256;

pub use root::isqrt_wide;

/// `floor(a · b / divisor)` with a 512-bit product; `None` when the divisor is zero or
/// the quotient does not fit.
#[inline]
#[must_use]
pub fn mul_div(a: U256, b: U256, divisor: U256) -> Option<U256> {
    mul_div_rem(a, b, divisor).map(|(quotient, _)| quotient)
}

/// `ceil(a · b / divisor)`, otherwise as [`mul_div`].
#[inline]
#[must_use]
pub fn mul_div_up(a: U256, b: U256, divisor: U256) -> Option<U256> {
    let (quotient, remainder) = mul_div_rem(a, b, divisor)?;
    if remainder.is_zero() { Some(quotient) } else { quotient.checked_add(U256::ONE) }
}

/// `floor(a · factor / divisor)` for small factors and divisors, such as fees; `None` when
/// the divisor is zero or the quotient does not fit.
#[inline]
#[must_use]
pub fn mul_div_small(a: U256, factor: u32, divisor: u32) -> Option<U256> {
    match small_product(a, factor) {
        Some(_) if divisor == 0 => None,
        Some(product) => Some(U256::from(div_rem_small(product, divisor).0)),
        None => mul_div(a, U256::from(factor), U256::from(divisor)),
    }
}

/// `ceil(a · factor / divisor)`, otherwise as [`mul_div_small`].
#[inline]
#[must_use]
pub fn mul_div_small_up(a: U256, factor: u32, divisor: u32) -> Option<U256> {
    match small_product(a, factor) {
        Some(_) if divisor == 0 => None,
        Some(product) => {
            let (quotient, remainder) = div_rem_small(product, divisor);
            Some(U256::from(quotient + u128::from(remainder != 0)))
        }
        None => mul_div_up(a, U256::from(factor), U256::from(divisor)),
    }
}

/// Quotient and remainder, digit by digit of 32 bits: several times faster than the general
/// 128-bit division. The divisor must not be zero.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "digits of 32 bits are what is meant")]
fn div_rem_small(value: u128, divisor: u32) -> (u128, u32) {
    let divisor = u64::from(divisor);
    let high = (value >> 64) as u64;
    let low = value as u64;
    if high == 0 {
        return (u128::from(low / divisor), (low % divisor) as u32);
    }
    let middle = (high % divisor) << 32 | low >> 32;
    let last = (middle % divisor) << 32 | low & 0xffff_ffff;
    let quotient = u128::from(high / divisor) << 64 | u128::from(middle / divisor) << 32 | u128::from(last / divisor);
    (quotient, (last % divisor) as u32)
}

/// The product, when it fits a native integer.
#[inline]
pub(crate) fn small_product(a: U256, factor: u32) -> Option<u128> {
    let limbs = a.as_limbs();
    if limbs[3] != 0 || limbs[2] != 0 {
        return None;
    }
    (u128::from(limbs[0]) | u128::from(limbs[1]) << 64).checked_mul(u128::from(factor))
}

/// Divides in place: the quotient is left in `numerator`, the remainder in `divisor`, both
/// from the lowest limb up. The divisor must not be zero.
#[inline]
pub(crate) fn divide_limbs(numerator: &mut [u64], divisor: &mut [u64]) {
    algorithms::div(numerator, divisor);
}

/// The product of integers of two and three limbs.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low limb is what is meant")]
pub(crate) fn product_2x3(a: u128, b: [u64; 3]) -> [u64; 5] {
    let (a0, a1) = (a as u64, (a >> 64) as u64);
    let mut product = [0; 5];
    let mut carry = 0_u128;
    for place in 0..3 {
        let sum = u128::from(a0) * u128::from(b[place]) + carry;
        product[place] = sum as u64;
        carry = sum >> 64;
    }
    product[3] = carry as u64;
    carry = 0;
    for place in 0..3 {
        let sum = u128::from(a1) * u128::from(b[place]) + u128::from(product[place + 1]) + carry;
        product[place + 1] = sum as u64;
        carry = sum >> 64;
    }
    product[4] = carry as u64;
    product
}

/// The product of two integers of three limbs.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the low limb is what is meant")]
pub(crate) fn product_3x3(a: [u64; 3], b: [u64; 3]) -> [u64; 6] {
    let mut product = [0; 6];
    for row in 0..3 {
        let mut carry = 0_u128;
        for place in 0..3 {
            let sum = u128::from(a[row]) * u128::from(b[place]) + u128::from(product[row + place]) + carry;
            product[row + place] = sum as u64;
            carry = sum >> 64;
        }
        product[row + 3] = carry as u64;
    }
    product
}

/// `ceil(a / divisor)`; `None` when the divisor is zero.
#[inline]
#[must_use]
pub fn div_up(a: U256, divisor: U256) -> Option<U256> {
    if divisor.is_zero() {
        return None;
    }
    let (quotient, remainder) = a.div_rem(divisor);
    Some(if remainder.is_zero() { quotient } else { quotient + U256::ONE })
}

/// The largest `r` with `r² ≤ value`.
#[must_use]
pub fn isqrt(value: U256) -> U256 {
    if value.is_zero() {
        return value;
    }
    // Newton from above: a power of two that is at least the root.
    let mut root = U256::ONE << value.bit_len().div_ceil(2);
    loop {
        let next = (root + value / root) >> 1;
        if next >= root {
            return root;
        }
        root = next;
    }
}

/// The nearest binary floating-point number, for prices that guide a search; amounts
/// never pass through it.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "rounding to 53 bits is what this function is for")]
pub fn to_f64(value: U256) -> f64 {
    let bits = value.bit_len();
    if bits <= 64 {
        return value.as_limbs()[0] as f64;
    }
    let shift = bits - 64;
    let top = (value >> shift).as_limbs()[0];
    // The shift is at most 192, so the power of two is finite and exact.
    top as f64 * f64::from_bits(((1023 + shift) as u64) << 52)
}

/// Quotient and remainder of `a · b / divisor`.
#[inline]
#[must_use]
pub fn mul_div_rem(a: U256, b: U256, divisor: U256) -> Option<(U256, U256)> {
    if divisor.is_zero() {
        return None;
    }
    if let Some(product) = a.checked_mul(b) {
        return Some(product.div_rem(divisor));
    }
    let mut numerator = a.widening_mul::<256, 4, 512, 8>(b).into_limbs();
    let mut divisor = divisor.into_limbs();
    let used = 4 - divisor.iter().rev().take_while(|limb| **limb == 0).count();
    divide_limbs(&mut numerator, &mut divisor[..used]);
    if numerator[4..].iter().any(|limb| *limb != 0) {
        return None;
    }
    let quotient = U256::from_limbs([numerator[0], numerator[1], numerator[2], numerator[3]]);
    Some((quotient, U256::from_limbs(divisor)))
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn big(value: U256) -> BigUint {
        BigUint::from_bytes_le(&value.to_le_bytes::<32>())
    }

    /// Integers of every length, not only full ones.
    fn any_length() -> impl Strategy<Value = U256> {
        (any::<[u64; 4]>(), 0usize..=256).prop_map(|(limbs, bits)| {
            let value = U256::from_limbs(limbs);
            if bits == 256 { value } else { value & ((U256::ONE << bits) - U256::ONE) }
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn mul_div_is_the_exact_quotient(a in any_length(), b in any_length(), d in any_length()) {
            let exact = (!d.is_zero()).then(|| (big(a) * big(b)) / big(d));
            let fits = exact.filter(|q| q.bits() <= 256);
            prop_assert_eq!(mul_div(a, b, d).map(big), fits);
            let up = (!d.is_zero()).then(|| (big(a) * big(b) + big(d) - 1u8) / big(d)).filter(|q| q.bits() <= 256);
            prop_assert_eq!(mul_div_up(a, b, d).map(big), up);
        }

        #[test]
        fn small_factors_are_the_same(a in any_length(), factor in any::<u32>(), d in any::<u32>()) {
            let wide = (U256::from(factor), U256::from(d));
            prop_assert_eq!(mul_div_small(a, factor, d), mul_div(a, wide.0, wide.1));
            prop_assert_eq!(mul_div_small_up(a, factor, d), mul_div_up(a, wide.0, wide.1));
        }

        #[test]
        fn isqrt_is_the_floor(a in any_length()) {
            prop_assert_eq!(big(isqrt(a)), big(a).sqrt());
        }
    }
}
