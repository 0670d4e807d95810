//! Quantity times price, and the fee on it, exactly.
//!
//! A quantity at 1e-12 times a price at 1e-12 is divided by 1e16 to give money at
//! 1e-8. The dividend needs more than 64 bits, where the processor has no fast
//! division, so the common case multiplies by a precomputed reciprocal (Möller and
//! Granlund, "Improved division by invariant integers", 2011, algorithm 4) and the
//! rest falls back to long division. All paths give the same integers.

/// Units of quantity times price in one unit of money.
const UNIT: u64 = 10_u64.pow(16);
/// Shift that moves the leading bit of [`UNIT`] to the top of 64 bits.
const SHIFT: u32 = UNIT.leading_zeros();
const DIVISOR: u64 = UNIT << SHIFT;
const RECIPROCAL: u64 = (u128::MAX / DIVISOR as u128 - (1 << 64)) as u64;

/// An amount of money with what rounding would lose: `floor + rest / 1e16` units of
/// 1e-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Amount {
    /// Whole units of money.
    pub floor: i128,
    /// What is left over, in units of 1e-24; below 1e16.
    rest: u64,
}

impl Amount {
    /// `quantity · price`, both at 1e-12 and not negative; `None` beyond 128 bits.
    #[inline]
    pub fn new(quantity: i128, price: i128) -> Option<Self> {
        debug_assert!(quantity >= 0 && price >= 0, "magnitudes");
        let (quantity, price) = (quantity as u128, price as u128);
        if (quantity | price) >> 64 == 0 {
            let product = u128::from(quantity as u64) * u128::from(price as u64);
            if product >> 117 == 0 {
                return Some(Self::divide(product));
            }
        }
        Self::divide_wide(quantity, price)
    }

    /// Rounded up: what is paid.
    #[inline]
    pub const fn ceil(self) -> i128 {
        self.floor + (self.rest != 0) as i128
    }

    /// `product / 1e16` for a product below 2^117, whose quotient fits in 64 bits.
    #[inline]
    fn divide(product: u128) -> Self {
        let shifted = product << SHIFT;
        let (high, low) = ((shifted >> 64) as u64, shifted as u64);
        let estimate = (u128::from(RECIPROCAL) * u128::from(high)).wrapping_add(shifted);
        let (mut quotient, fraction) = (((estimate >> 64) as u64).wrapping_add(1), estimate as u64);
        let mut rest = low.wrapping_sub(quotient.wrapping_mul(DIVISOR));
        if rest > fraction {
            quotient = quotient.wrapping_sub(1);
            rest = rest.wrapping_add(DIVISOR);
        }
        if rest >= DIVISOR {
            quotient = quotient.wrapping_add(1);
            rest -= DIVISOR;
        }
        Self { floor: i128::from(quotient), rest: rest >> SHIFT }
    }

    /// The same for any product, through 256 bits.
    #[cold]
    fn divide_wide(quantity: u128, price: u128) -> Option<Self> {
        let (q1, q0) = (quantity >> 64, quantity & u128::from(u64::MAX));
        let (p1, p0) = (price >> 64, price & u128::from(u64::MAX));
        let low = q0 * p0;
        let (middle, carried) = (q1 * p0).overflowing_add(q0 * p1);
        let (low, carry) = low.overflowing_add(middle << 64);
        let high = q1 * p1 + (middle >> 64) + (u128::from(carried) << 64) + u128::from(carry);
        let mut rest = 0;
        let mut quotient = [0_u64; 4];
        let limbs = [high >> 64, high, low >> 64, low].map(|limb| limb as u64);
        for (digit, limb) in quotient.iter_mut().zip(limbs) {
            let dividend = (rest << 64) | u128::from(limb);
            *digit = (dividend / u128::from(UNIT)) as u64;
            rest = dividend % u128::from(UNIT);
        }
        if quotient[0] != 0 || quotient[1] != 0 {
            return None;
        }
        let floor = (u128::from(quotient[2]) << 64) | u128::from(quotient[3]);
        Some(Self { floor: i128::try_from(floor).ok()?, rest: rest as u64 })
    }
}

/// `ceil(amount · fee_ppm / 1e6)` with the amount at full precision: the fee of R2,
/// `ceil(q · fill · fee_ppm / 1e22)`; `None` beyond 128 bits.
#[inline]
pub(crate) fn fee(amount: Amount, fee_ppm: u32) -> Option<i128> {
    const MILLION: u128 = 1_000_000;
    let ppm = u128::from(fee_ppm);
    let scaled = (amount.floor as u128).checked_mul(ppm)?;
    let (whole, left) = match u64::try_from(scaled) {
        Ok(scaled) => (u128::from(scaled / 1_000_000), u128::from(scaled % 1_000_000)),
        Err(_) => (scaled / MILLION, scaled % MILLION),
    };
    // Both terms of the rest are below 1e22, so it rounds up by 0, 1 or 2.
    let rest = left * u128::from(UNIT) + u128::from(amount.rest) * ppm;
    let one = MILLION * u128::from(UNIT);
    let up = i128::from(rest > 0) + i128::from(rest > one);
    Some(whole as i128 + up)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Any magnitude, with every bit length about as likely as any other.
    fn magnitude(bits: u32) -> impl Strategy<Value = i128> {
        (any::<u128>(), 0..bits).prop_map(|(value, shift)| ((value >> 1) >> (127 - shift.min(126))) as i128)
    }

    proptest! {
        #[test]
        fn amounts_and_fees_equal_plain_division(quantity in magnitude(63), price in magnitude(63), ppm in 0..=500_000_u32) {
            let product = quantity * price;
            let amount = Amount::new(quantity, price).unwrap();
            prop_assert_eq!(amount.floor, product / 10_i128.pow(16));
            prop_assert_eq!(amount.ceil(), (product + 10_i128.pow(16) - 1) / 10_i128.pow(16));
            if let Some(scaled) = product.checked_mul(i128::from(ppm)) {
                let expected = scaled / 10_i128.pow(22) + i128::from(scaled % 10_i128.pow(22) != 0);
                prop_assert_eq!(fee(amount, ppm), Some(expected));
            }
        }

        #[test]
        fn the_wide_path_agrees_with_the_fast_one(quantity in magnitude(58), price in magnitude(58)) {
            let wide = Amount::divide_wide(quantity as u128, price as u128);
            prop_assert_eq!(Amount::new(quantity, price), wide);
        }

        #[test]
        fn wide_amounts_are_within_one_unit_of_the_product(quantity in magnitude(110), price in magnitude(90)) {
            let product = quantity as f64 * price as f64 / 1e16;
            match Amount::new(quantity, price) {
                Some(amount) => prop_assert!((amount.floor as f64 - product).abs() <= 1.0 + product * 1e-15),
                None => prop_assert!(product > 1e38),
            }
        }
    }

    #[test]
    fn the_edges_of_the_fast_path_divide_exactly() {
        let unit = 10_i128.pow(16);
        for quotient in [0, 1, 2, 99_999, u64::MAX as i128 / 3, i128::from(u64::MAX) - 1] {
            for offset in [0, 1, unit / 2, unit - 1] {
                let product = quotient * unit + offset;
                if product >> 117 == 0 {
                    let amount = Amount::divide(product as u128);
                    assert_eq!((amount.floor, i128::from(amount.rest)), (quotient, offset));
                }
            }
        }
        assert_eq!(Amount::new(i128::MAX, i128::MAX), None);
        assert_eq!(fee(Amount { floor: 1_000_000, rest: 1 }, 1_000), Some(1_001));
        assert_eq!(fee(Amount { floor: 999_999, rest: UNIT - 1 }, 500_000), Some(500_000));
    }
}
