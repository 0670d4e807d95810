//! Signed fixed point at eighteen decimal places: gains, losses, scores and averages.
//! Every division rounds toward −∞, so that two programs get the same integer.

use assay_amm::{U256, U512, integer};

/// One, at the scale of gains and scores.
pub const ONE: i128 = 1_000_000_000_000_000_000;
/// Gains beyond this many units of [`ONE`] are cut to it; the score is clamped long before.
const LARGEST_RATIO: i128 = ONE * 1_000_000_000_000;

/// Fractional bits of the exponential's inner arithmetic.
const BITS: usize = 160;
/// ln 2 at 2^160, rounded down.
const LN_2: U256 = U256::from_limbs([0x03f2_f6af_40f3_4326, 0xd1cf_79ab_c9e3_b398, 0x0000_0000_b172_17f7, 0]);

/// `value / divisor` toward −∞.
#[must_use]
pub const fn div_floor(value: i128, divisor: i128) -> i128 {
    let quotient = value / divisor;
    if value % divisor != 0 && (value < 0) != (divisor < 0) { quotient - 1 } else { quotient }
}

/// `(end − start) / start` at eighteen places toward −∞; `None` when the start is zero.
#[must_use]
pub fn relative_change(start: U256, end: U256) -> Option<i128> {
    signed_ratio(end >= start, start.abs_diff(end), start)
}

/// `±magnitude / divisor` at eighteen places toward −∞; `None` for a zero divisor.
#[must_use]
pub fn signed_ratio(positive: bool, magnitude: U256, divisor: U256) -> Option<i128> {
    if divisor.is_zero() {
        return None;
    }
    let product: U512 = U512::from(magnitude) * U512::from(ONE.unsigned_abs());
    let divisor = U512::from(divisor);
    let (mut quotient, rest) = (product / divisor, product % divisor);
    if !positive && !rest.is_zero() {
        quotient += U512::ONE;
    }
    let magnitude = i128::try_from(quotient).unwrap_or(LARGEST_RATIO).min(LARGEST_RATIO);
    Some(if positive { magnitude } else { -magnitude })
}

/// `value · factor / ONE` toward −∞, the product exact; clamped to 128 bits.
#[must_use]
pub fn mul_floor(value: i128, factor: i128) -> i128 {
    let positive = (value < 0) == (factor < 0);
    let product: U512 = U512::from(value.unsigned_abs()) * U512::from(factor.unsigned_abs());
    let one = U512::from(ONE.unsigned_abs());
    let (mut quotient, rest) = (product / one, product % one);
    if !positive && !rest.is_zero() {
        quotient += U512::ONE;
    }
    let magnitude = i128::try_from(quotient).unwrap_or(i128::MAX);
    if positive { magnitude } else { -magnitude }
}

/// `e^exponent` at eighteen places, rounded down, for an exponent of −20 … 20.
///
/// The inner error is below 2^−140 of the value; a power of e at a non-zero rational is
/// never that close to a whole number of 1e-18 in practice, so the rounding is the true one.
///
/// # Panics
/// When the exponent is out of range.
#[must_use]
pub fn exp(exponent: i128) -> i128 {
    assert!(exponent.abs() <= 20 * ONE, "an exponent of at most 20");
    let one = U256::ONE << BITS;
    let scaled = (U256::from(exponent.unsigned_abs()) << BITS) / U256::from(ONE.unsigned_abs());
    let (doublings, rest) = (scaled / LN_2, scaled % LN_2);
    let doublings = usize::try_from(doublings).expect("20 / ln 2 is below 29");
    let (mut sum, mut term, mut index) = (one, one, 1_u64);
    while !term.is_zero() {
        term = integer::mul_div(term, rest, one).expect("a power of less than one") / U256::from(index);
        sum += term;
        index += 1;
    }
    let unit = U256::from(ONE.unsigned_abs());
    let value = if exponent >= 0 {
        integer::mul_div(sum << doublings, unit, one)
    } else {
        integer::mul_div(unit, one, sum << doublings)
    };
    i128::try_from(value.expect("below e^20 · 1e18")).expect("below e^20 · 1e18")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_goes_down() {
        assert_eq!((div_floor(7, 2), div_floor(-7, 2), div_floor(-8, 2)), (3, -4, -4));
        assert_eq!(relative_change(U256::from(3), U256::from(4)), Some(333_333_333_333_333_333));
        assert_eq!(relative_change(U256::from(3), U256::from(2)), Some(-333_333_333_333_333_334));
        assert_eq!(relative_change(U256::ZERO, U256::ONE), None);
        assert_eq!(relative_change(U256::ONE, U256::MAX), Some(LARGEST_RATIO));
        assert_eq!(mul_floor(-1, 1), -1);
        assert_eq!(mul_floor(3 * ONE / 2, -ONE), -3 * ONE / 2);
    }

    /// Values of e^x from Python's `decimal` at 120 digits, rounded down.
    #[test]
    fn published_powers() {
        for (exponent, value) in POWERS {
            assert_eq!(exp(exponent), value, "e^{exponent}");
        }
    }

    const POWERS: [(i128, i128); 18] = [
        (0, 1_000_000_000_000_000_000),
        (1_000_000_000_000_000_000, 2_718_281_828_459_045_235),
        (-1_000_000_000_000_000_000, 367_879_441_171_442_321),
        (100_000_000_000_000_000, 1_105_170_918_075_647_624),
        (-100_000_000_000_000_000, 904_837_418_035_959_573),
        (10_000_000_000_000_000_000, 22_026_465_794_806_716_516_957),
        (-10_000_000_000_000_000_000, 45_399_929_762_484),
        (5_000_000_000_000_000_000, 148_413_159_102_576_603_421),
        (-5_000_000_000_000_000_000, 6_737_946_999_085_467),
        (1, 1_000_000_000_000_000_001),
        (-1, 999_999_999_999_999_999),
        (3_141_592_653_589_793_238, 23_140_692_632_779_268_995),
        (-9_999_999_999_999_999_999, 45_399_929_762_484),
        (693_147_180_559_945_309, 1_999_999_999_999_999_999),
        (693_147_180_559_945_310, 2_000_000_000_000_000_001),
        (7_500_000_000_000_000_000, 1_808_042_414_456_063_206_903),
        (-2_302_585_092_994_045_684, 100_000_000_000_000_000),
        (19_999_000_000_000_000_000, 484_680_272_716_137_537_858_750_852),
    ];
}
