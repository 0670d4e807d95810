//! 256-bit integer arithmetic with the rounding in the name.

pub mod json;
mod root;

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
    algorithms::div(&mut numerator, &mut divisor[..used]);
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
        fn isqrt_is_the_floor(a in any_length()) {
            prop_assert_eq!(big(isqrt(a)), big(a).sqrt());
        }
    }
}
