//! Division of 256-bit integers by a constant, with the reciprocal computed beforehand.

use ruint::aliases::U256;

/// A divisor below 2^127 whose odd part fits 64 bits.
///
/// Source of the step: Möller and Granlund, "Improved division by invariant integers".
#[derive(Debug, Clone, Copy)]
pub struct Divider {
    /// The odd part, shifted up until its highest bit is set.
    normalized: u64,
    /// How far a value is shifted before it is divided by that.
    shift: u32,
    /// Whether down, or up.
    down: bool,
    /// `floor((2^128 − 1) / normalized) − 2^64`.
    reciprocal: u64,
}

impl Divider {
    /// By `divisor`.
    ///
    /// # Panics
    /// A divisor of zero or above 2^126, or whose odd part is wider than 64 bits: constants only.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "the widths are asserted")]
    pub const fn new(divisor: u128) -> Self {
        let shift = divisor.trailing_zeros();
        let odd = divisor >> shift;
        assert!(divisor < 1 << 126, "the divisor is wider than 126 bits");
        assert!(odd >> 64 == 0, "the odd part of the divisor is wider than 64 bits");
        let lifted = (odd as u64).leading_zeros();
        let normalized = (odd as u64) << lifted;
        // The quotient lies between 2^64 and 2^65: its low half is what is kept.
        let reciprocal = (u128::MAX / normalized as u128) as u64;
        Self { normalized, shift: shift.abs_diff(lifted), down: shift > lifted, reciprocal }
    }

    /// `floor(value / divisor)`.
    #[inline]
    #[must_use]
    pub fn divide(&self, value: U256) -> U256 {
        let [a, b, c, d] = *value.as_limbs();
        // Five limbs of the value, shifted by both amounts at once.
        let (e, d, c, b, a) = if self.down {
            let join = |high: u64, low: u64| ((u128::from(high) << 64 | u128::from(low)) >> self.shift) as u64;
            (0, d >> self.shift, join(d, c), join(c, b), join(b, a))
        } else {
            let join = |high: u64, low: u64| ((u128::from(high) << 64 | u128::from(low)) << self.shift >> 64) as u64;
            (join(0, d), join(d, c), join(c, b), join(b, a), a << self.shift)
        };
        if e | d | c == 0 {
            let (q1, rest) = self.step(0, b);
            return U256::from_limbs([self.step(rest, a).0, q1, 0, 0]);
        }
        if e | d == 0 {
            let (q2, rest) = self.step(0, c);
            let (q1, rest) = self.step(rest, b);
            return U256::from_limbs([self.step(rest, a).0, q1, q2, 0]);
        }
        let (q3, rest) = self.step(e, d);
        let (q2, rest) = self.step(rest, c);
        let (q1, rest) = self.step(rest, b);
        U256::from_limbs([self.step(rest, a).0, q1, q2, q3])
    }

    /// Quotient and remainder of `(high · 2^64 + low) / normalized`, where `high` is below.
    #[inline]
    #[expect(clippy::cast_possible_truncation, reason = "both halves of the product are wanted")]
    fn step(&self, high: u64, low: u64) -> (u64, u64) {
        let product = u128::from(self.reciprocal) * u128::from(high) + (u128::from(high) << 64 | u128::from(low));
        let mut quotient = ((product >> 64) as u64).wrapping_add(1);
        let mut rest = low.wrapping_sub(quotient.wrapping_mul(self.normalized));
        if rest > product as u64 {
            quotient = quotient.wrapping_sub(1);
            rest = rest.wrapping_add(self.normalized);
        }
        if rest >= self.normalized {
            quotient = quotient.wrapping_add(1);
            rest -= self.normalized;
        }
        (quotient, rest)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn quotients_are_exact(limbs in any::<[u64; 4]>(), bits in 0usize..=256, odd in 1..=u64::MAX, shift in 0..62_u32) {
            let value = U256::from_limbs(limbs) >> (256 - bits);
            for divisor in [u128::from(odd) << shift, 3, 1, 1000, 10_u128.pow(18), 10_u128.pow(20), 1 << 125] {
                prop_assert_eq!(Divider::new(divisor).divide(value), value / U256::from(divisor));
            }
            // Multiples and their neighbours, where a remainder wraps.
            let divider = Divider::new(10_u128.pow(20));
            let unit = U256::from(10_u128.pow(20));
            let multiple = value / unit * unit;
            for near in [multiple.wrapping_sub(U256::ONE), multiple, multiple.wrapping_add(unit - U256::ONE)] {
                prop_assert_eq!(divider.divide(near), near / unit);
            }
        }
    }
}
