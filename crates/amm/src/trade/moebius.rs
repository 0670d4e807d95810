//! Constant-product chains as one map `x → k·x / (m + n·x)`, never below the contracts.

use ruint::aliases::{U256, U512};

use crate::integer::{isqrt_wide, mul_div};

/// Width the coefficients keep: a product of two of them with a loan fee fits 512 bits.
const KEPT_BITS: usize = 220;
/// Width of a coefficient of one hop: a 112-bit reserve times a 32-bit fee part.
const HOP_BITS: usize = 144;

/// The map. Composition multiplies 2×2 matrices; what leaves [`KEPT_BITS`] is cut so that
/// the map only rises, so it stays an upper bound of the chain with every floor removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moebius {
    k: U256,
    m: U256,
    n: U256,
}

impl Moebius {
    pub(super) const IDENTITY: Self = Self { k: U256::ONE, m: U256::ONE, n: U256::ZERO };

    /// This map, then `x → k·x / (m + n·x)`, whose coefficients are below 144 bits.
    #[inline]
    pub(super) fn then(&self, k: U256, m: U256, n: U256) -> Self {
        let widest = self.k.bit_len().max(self.m.bit_len()).max(self.n.bit_len());
        if widest + HOP_BITS <= KEPT_BITS {
            return Self { k: self.k * k, m: self.m * m, n: self.n * m + self.k * n };
        }
        self.then_wide(k, m, n)
    }

    fn then_wide(&self, k: U256, m: U256, n: U256) -> Self {
        let product = |a: U256, b: U256| -> U512 { a.widening_mul(b) };
        let wide_k = product(self.k, k);
        let wide_m = product(self.m, m);
        let wide_n = product(self.n, m) + product(self.k, n);
        let widest = wide_k.bit_len().max(wide_m.bit_len()).max(wide_n.bit_len());
        let cut = widest.saturating_sub(KEPT_BITS);
        let mut k = wide_k >> cut;
        if (k << cut) != wide_k {
            k += U512::ONE;
        }
        Self { k: U256::from(k), m: U256::from(wide_m >> cut), n: U256::from(wide_n >> cut) }
    }

    /// Whether an infinitely small input returns more than itself.
    pub(super) fn gains(&self) -> bool {
        self.k > self.m
    }

    /// Where output less input is greatest: `floor((√(k·m) − m) / n)`, and what that
    /// greatest difference is at most, times `above / below` and rounded down.
    pub(super) fn peak(&self, above: u32, below: u32) -> Option<(U256, U256)> {
        let root = if self.k.bit_len() + self.m.bit_len() <= U256::BITS {
            isqrt_wide(self.k * self.m)
        } else {
            let product: U512 = self.k.widening_mul(self.m);
            U256::from(isqrt_wide(product))
        };
        // k > m, so the root lies between them; rounding it down rounds the bound up.
        let input = root.checked_sub(self.m)?.checked_div(self.n)?;
        let gain = self.k + self.m - (root << 1);
        Some((input, mul_div(gain, U256::from(above), self.n * U256::from(below))?))
    }

    /// The difference of output and input at `input` times `above / below`, rounded down.
    pub(super) fn gain_at(&self, input: u128, above: u32, below: u32) -> U256 {
        let input = U512::from(input);
        let divisor = U512::from(self.m) + U512::from(self.n) * input;
        let surplus = U512::from(self.k).saturating_sub(divisor);
        let numerator = surplus * input * U512::from(above);
        numerator.checked_div(divisor * U512::from(below)).map_or(U256::MAX, U256::saturating_from)
    }

    /// Whether `above / below · (output(input) − input) ≥ target`.
    #[inline]
    pub(super) fn reaches(&self, input: u128, target: u128, above: u32, below: u32) -> bool {
        let bits = |value: u128| (u128::BITS - value.leading_zeros()) as usize;
        let input_bits = bits(input);
        let sides = self.k.bit_len() + input_bits + 32;
        let wanted_bits = (input_bits.max(bits(target)) + 33) + self.m.bit_len().max(self.n.bit_len() + input_bits) + 1;
        if sides.max(wanted_bits) <= U256::BITS {
            let (x, above) = (U256::from(input), U256::from(above));
            let wanted = U256::from(target) * U256::from(below) + above * x;
            return above * self.k * x >= wanted * (self.m + self.n * x);
        }
        let (x, above) = (U512::from(input), U512::from(above));
        let wanted = U512::from(target) * U512::from(below) + above * x;
        above * U512::from(self.k) * x >= wanted * (U512::from(self.m) + U512::from(self.n) * x)
    }
}

#[cfg(test)]
mod tests {
    use num_bigint::BigUint;
    use proptest::prelude::*;

    use super::*;

    fn big(value: U256) -> BigUint {
        BigUint::from_bytes_le(&value.to_le_bytes::<32>())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Against the chain in fractions: never below it, and by less than a 2^-90th part above.
        #[test]
        fn cutting_only_raises_the_map(
            hops in prop::collection::vec((1_u128.., 1_u128.., 1_u32.., 0_u32..8), 1..=6),
            (input, shift) in (1_u128 << 127.., 16_u32..128),
        ) {
            let mut map = Moebius::IDENTITY;
            let (mut above, mut below) = (BigUint::from(input >> shift), BigUint::from(1_u32));
            for (reserve_in, reserve_out, kept, more) in hops {
                let (reserve_in, reserve_out) = (reserve_in >> 16 | 1, reserve_out >> 16 | 1);
                let scale = kept.saturating_add(more);
                let k = U256::from(reserve_out) * U256::from(kept);
                let m = U256::from(reserve_in) * U256::from(scale);
                map = map.then(k, m, U256::from(kept));
                let paid = &above * kept;
                (above, below) = (&paid * reserve_out, big(m) * &below + paid);
            }
            let x = BigUint::from(input >> shift);
            let (mapped, divisor) = (big(map.k) * &x, big(map.m) + big(map.n) * &x);
            prop_assert!(map.k.bit_len().max(map.m.bit_len()).max(map.n.bit_len()) <= KEPT_BITS);
            let (ours, exact) = (mapped * &below, above * divisor);
            prop_assert!(ours >= exact);
            prop_assert!((&ours - &exact) << 90 <= exact);
        }
    }
}
