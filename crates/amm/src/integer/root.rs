//! Square roots of any width, started from the binary floating-point root.

use ruint::Uint;

/// Leading bits of the root that the start has right.
const START_BITS: usize = 45;

/// The largest `r` with `r² ≤ value`, for any width up to 1,000 bits.
#[must_use]
pub fn isqrt_wide<const BITS: usize, const LIMBS: usize>(value: Uint<BITS, LIMBS>) -> Uint<BITS, LIMBS> {
    if value.is_zero() {
        return value;
    }
    let mut root = above_root(value);
    // Every Newton step doubles the bits that are right, and none falls below the floor.
    let mut exact_bits = START_BITS;
    while exact_bits <= value.bit_len() / 2 + 1 {
        root = (root + value / root) >> 1;
        exact_bits *= 2;
    }
    while root.checked_mul(root).is_none_or(|square| square > value) {
        root -= Uint::ONE;
    }
    root
}

/// A number that is at least the root and at most a 2^-48th part and three above it.
#[expect(clippy::cast_precision_loss, reason = "the floating-point root is only the start of the iteration")]
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the scaled root is positive, below 2^63")]
fn above_root<const BITS: usize, const LIMBS: usize>(value: Uint<BITS, LIMBS>) -> Uint<BITS, LIMBS> {
    // The upper 62 or 63 bits behind an even shift.
    let shift = value.bit_len().saturating_sub(62) & !1;
    let top = (value >> shift).as_limbs()[0] as f64;
    // sqrt(top + 1) < 2^32 leaves room for 31 bits more, taken from the shift.
    let borrowed = (shift / 2).min(31);
    let scaled = (top + 1.0).sqrt() * (1_u64 << borrowed) as f64;
    let raised = scaled * (1.0 + f64::EPSILON * 8.0) + 1.0;
    Uint::from(raised as u64 + 1) << (shift / 2 - borrowed)
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;
    use ruint::aliases::{U256, U512};

    use super::*;

    fn check<const BITS: usize, const LIMBS: usize>(value: Uint<BITS, LIMBS>) {
        let big = |value: Uint<BITS, LIMBS>| BigUint::from_bytes_le(&value.to_le_bytes_vec());
        assert_eq!(big(isqrt_wide(value)), big(value).sqrt(), "{value}");
    }

    #[test]
    fn squares_and_their_neighbours() {
        for root in [1_u128, 2, 3, 10, 0xffff_ffff, 1 << 32, u128::from(u64::MAX), 1 << 64, u128::MAX] {
            let square = U512::from(root) * U512::from(root);
            for value in [square - U512::ONE, square, square + U512::ONE] {
                check(value);
            }
        }
        check(U256::MAX);
        check(U512::MAX >> 6);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]
        #[test]
        fn it_is_the_floor(limbs in any::<[u64; 8]>(), bits in 0_usize..=510) {
            check(U512::from_limbs(limbs) >> (512 - bits));
            check(U256::from_limbs([limbs[0], limbs[1], limbs[2], limbs[3]]) >> (bits / 2));
        }
    }
}
