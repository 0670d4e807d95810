//! Native 128-bit steps with 256-bit products: what most pools need of 256-bit division, at a
//! third of its cost. Everything answers `None` where a value leaves 128 bits.

/// The 256-bit product of two native integers, high half first.
#[inline]
#[must_use]
pub fn product(a: u128, b: u128) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let (a_high, a_low) = (a >> 64, a & LOW);
    let (b_high, b_low) = (b >> 64, b & LOW);
    let low = a_low * b_low;
    let middle = a_high * b_low + (low >> 64);
    let cross = a_low * b_high + (middle & LOW);
    (a_high * b_high + (middle >> 64) + (cross >> 64), cross << 64 | low & LOW)
}

/// `floor((high · 2^128 + low) / divisor)`; `None` when the divisor is zero or the quotient
/// leaves 128 bits.
#[inline]
#[must_use]
pub fn quotient(high: u128, low: u128, divisor: u128) -> Option<u128> {
    if high == 0 {
        return low.checked_div(divisor);
    }
    if high >= divisor {
        return None;
    }
    let shift = divisor.leading_zeros();
    let divisor = divisor << shift;
    let (high, low) = if shift == 0 { (high, low) } else { (high << shift | low >> (128 - shift), low << shift) };
    let (first, rest) = digit(high, low >> 64, divisor);
    let (second, _) = digit(rest, low & u128::from(u64::MAX), divisor);
    Some(first << 64 | second)
}

/// `floor(a · b / divisor)`; `None` when the divisor is zero or the quotient leaves 128 bits.
#[inline]
#[must_use]
pub fn mul_div(a: u128, b: u128, divisor: u128) -> Option<u128> {
    let (high, low) = product(a, b);
    quotient(high, low, divisor)
}

/// One 64-bit digit of a quotient and its remainder (Knuth's algorithm D): `high` is below
/// the divisor, whose top bit is set; `next` has 64 bits.
#[inline]
fn digit(high: u128, next: u128, divisor: u128) -> (u128, u128) {
    let (top, bottom) = (divisor >> 64, divisor & u128::from(u64::MAX));
    if high < top {
        // Common, and a division less: the digit is zero.
        return (0, high << 64 | next);
    }
    let mut guess = high / top;
    let mut rest = high - guess * top;
    while guess >> 64 != 0 || guess * bottom > (rest << 64 | next) {
        guess -= 1;
        rest += top;
        if rest >> 64 != 0 {
            break;
        }
    }
    // The true remainder is below the divisor, so that what wraps away is zero.
    (guess, (high << 64 | next).wrapping_sub(guess.wrapping_mul(divisor)))
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn any_length() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn the_quotient_is_exact(a in any_length(), b in any_length(), c in any_length(), near in 0_u128..4) {
            for divisor in [c, u128::MAX - near, (1 << 127) + near, (u128::from(u64::MAX) << 64) + near, near] {
                let exact = (divisor != 0).then(|| BigUint::from(a) * b / divisor);
                let exact = exact.and_then(|exact| u128::try_from(exact).ok());
                prop_assert_eq!(mul_div(a, b, divisor), exact);
            }
            let (high, low) = product(a, b);
            prop_assert_eq!((BigUint::from(high) << 128) + low, BigUint::from(a) * b);
        }
    }
}
