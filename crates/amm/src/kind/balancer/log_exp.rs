//! Natural logarithm, exponential and powers of 18-decimal fixed point numbers, digit for
//! digit those of the contract `LogExpMath`.
//!
//! The contract computes with signed integers that truncate towards zero; here the sign
//! is carried beside the magnitude, which is the same.

use ruint::aliases::U256;

use super::fixed_point::ONE;
use crate::error::AmmError;
use crate::integer::Divider;

const fn units(value: u128) -> U256 {
    U256::from_limbs([value as u64, (value >> 64) as u64, 0, 0])
}

const ONE_20: U256 = units(100_000_000_000_000_000_000);
const ONE_36: U256 = units(1_000_000_000_000_000_000_000_000_000_000_000_000);
/// By one in 18 and in 20 decimals; by one in 36 as twice by one in 18.
const E18: Divider = Divider::new(1_000_000_000_000_000_000);
const E20: Divider = Divider::new(100_000_000_000_000_000_000);

const HUNDRED: U256 = units(100);

/// The largest exponent of [`exp`]: 130.
const MAX_EXPONENT: U256 = units(130_000_000_000_000_000_000);
/// The largest magnitude of a negative exponent: 41.
const MAX_NEGATIVE_EXPONENT: U256 = units(41_000_000_000_000_000_000);

/// Between these the logarithm has 36 decimals.
const LN_36_LOWER: U256 = units(900_000_000_000_000_000);
const LN_36_UPPER: U256 = units(1_100_000_000_000_000_000);

/// `floor(2^254 / 10^20)`: exponents of [`pow`] stay below.
fn exponent_bound() -> U256 {
    (U256::ONE << 254) / ONE_20
}

/// `x` in 18 decimals and `e^x` as a plain integer.
const X0: U256 = units(128_000_000_000_000_000_000);
const A0: U256 = U256::from_limbs([171_843_153_341_448_192, 17_670_479_068_478_958_691, 114_249_481_722_274_167, 0]);
const X1: U256 = units(64_000_000_000_000_000_000);
const A1: U256 = units(6_235_149_080_811_616_882_910_000_000);

/// `x` and `e^x` in 20 decimals, from 32 down to one sixteenth.
const STEPS: [(U256, U256); 10] = [
    (units(3_200_000_000_000_000_000_000), units(7_896_296_018_268_069_516_100_000_000_000_000)),
    (units(1_600_000_000_000_000_000_000), units(888_611_052_050_787_263_676_000_000)),
    (units(800_000_000_000_000_000_000), units(298_095_798_704_172_827_474_000)),
    (units(400_000_000_000_000_000_000), units(5_459_815_003_314_423_907_810)),
    (units(200_000_000_000_000_000_000), units(738_905_609_893_065_022_723)),
    (units(100_000_000_000_000_000_000), units(271_828_182_845_904_523_536)),
    (units(50_000_000_000_000_000_000), units(164_872_127_070_012_814_685)),
    (units(25_000_000_000_000_000_000), units(128_402_541_668_774_148_407)),
    (units(12_500_000_000_000_000_000), units(113_314_845_306_682_631_683)),
    (units(6_250_000_000_000_000_000), units(106_449_445_891_785_942_956)),
];

/// How many of [`STEPS`] the exponential uses: its series is short enough for the rest.
const EXP_STEPS: usize = 8;

/// A magnitude and whether it is below zero.
#[derive(Clone, Copy)]
struct Signed {
    magnitude: U256,
    negative: bool,
}

/// `x^y`.
///
/// # Errors
/// A base of 2^255 or more, an exponent of 2^254 / 10^20 or more, or a result whose
/// logarithm is outside −41 to 130.
pub fn pow(x: U256, y: U256) -> Result<U256, AmmError> {
    if y.is_zero() {
        return Ok(ONE);
    }
    if x.is_zero() {
        return Ok(U256::ZERO);
    }
    if x.bit(255) {
        return Err(overflow(format!("the base {x} of a power, signed,")));
    }
    if y >= exponent_bound() {
        return Err(overflow(format!("the exponent {y} of a power")));
    }
    let logarithm = if LN_36_LOWER < x && x < LN_36_UPPER {
        let fine = ln_36(x);
        let whole = E18.divide(fine.magnitude);
        let rest = fine.magnitude - whole * ONE;
        Signed { magnitude: whole * y + E18.divide(rest * y), negative: fine.negative }
    } else {
        let coarse = ln(x);
        Signed { magnitude: coarse.magnitude * y, negative: coarse.negative }
    };
    exp_of(Signed { magnitude: E18.divide(logarithm.magnitude), negative: logarithm.negative })
}

/// `e^x`, or `e^−x` when `negative`.
///
/// # Errors
/// An exponent above 130 or below −41.
pub fn exp(x: U256, negative: bool) -> Result<U256, AmmError> {
    exp_of(Signed { magnitude: x, negative })
}

#[cold]
fn overflow(what: String) -> AmmError {
    AmmError::Overflow { what, bits: 256 }
}

fn exp_of(x: Signed) -> Result<U256, AmmError> {
    let limit = if x.negative { MAX_NEGATIVE_EXPONENT } else { MAX_EXPONENT };
    if x.magnitude > limit {
        return Err(AmmError::Limit { what: "the magnitude of an exponent", value: x.magnitude, limit });
    }
    let power = exp_positive(x.magnitude);
    Ok(if x.negative { ONE_36 / power } else { power })
}

fn exp_positive(mut x: U256) -> U256 {
    let mut first = U256::ONE;
    if x >= X0 {
        x -= X0;
        first = A0;
    } else if x >= X1 {
        x -= X1;
        first = A1;
    }
    x *= HUNDRED;
    let mut product = ONE_20;
    for (step, power) in &STEPS[..EXP_STEPS] {
        if x >= *step {
            x -= *step;
            product = E20.divide(product * *power);
        }
    }
    let mut term = x;
    let mut series = ONE_20 + term;
    for divisor in 2..=12_u64 {
        term = part(E20.divide(term * x), divisor);
        series += term;
    }
    E20.divide(product * series) * first / HUNDRED
}

/// Logarithm in 18 decimals of a positive value below 2^255.
fn ln(mut a: U256) -> Signed {
    let negative = a < ONE;
    if negative {
        a = ONE_36 / a;
    }
    let mut sum = U256::ZERO;
    if a >= A0 * ONE {
        a /= A0;
        sum += X0;
    }
    if a >= A1 * ONE {
        a /= A1;
        sum += X1;
    }
    sum *= HUNDRED;
    a *= HUNDRED;
    for (step, power) in &STEPS {
        if a >= *power {
            a = a * ONE_20 / *power;
            sum += *step;
        }
    }
    let z = (a - ONE_20) * ONE_20 / (a + ONE_20);
    let series = odd_series(z, |product| E20.divide(product), 11);
    Signed { magnitude: (sum + series) / HUNDRED, negative }
}

/// Logarithm in 36 decimals of a value near one.
fn ln_36(x: U256) -> Signed {
    let x = x * ONE;
    let negative = x < ONE_36;
    let distance = if negative { ONE_36 - x } else { x - ONE_36 };
    let z = distance * ONE_36 / (x + ONE_36);
    Signed { magnitude: odd_series(z, |product| E18.divide(E18.divide(product)), 15), negative }
}

/// `2 · (z + z³/3 + z⁵/5 + …)` up to the power `last`, every product truncated.
fn odd_series(z: U256, unscale: impl Fn(U256) -> U256, last: u64) -> U256 {
    let square = unscale(z * z);
    let mut power = z;
    let mut series = z;
    for divisor in (3..=last).step_by(2) {
        power = unscale(power * square);
        series += part(power, divisor);
    }
    series << 1
}

/// `floor(value / divisor)`, in native integers where the value fits.
#[inline]
fn part(value: U256, divisor: u64) -> U256 {
    let limbs = value.as_limbs();
    if limbs[1] | limbs[2] | limbs[3] == 0 { U256::from(limbs[0] / divisor) } else { value / U256::from(divisor) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_steps_are_the_contracts() {
        assert_eq!(A0.to_string(), "38877084059945950922200000000000000000000000000000000000");
        assert_eq!(exponent_bound().to_string(), "289480223093290488558927462521719769633174961664101410098");
    }

    #[test]
    fn the_ends_of_the_domain() {
        assert_eq!(pow(U256::MAX, U256::ZERO), Ok(ONE));
        assert_eq!(pow(U256::ZERO, ONE), Ok(U256::ZERO));
        assert_eq!(exp(U256::ZERO, false), Ok(ONE));
        assert!(exp(MAX_EXPONENT, false).is_ok());
        assert!(exp(MAX_EXPONENT + U256::ONE, false).is_err());
        assert_eq!(exp(MAX_NEGATIVE_EXPONENT, true), Ok(U256::ONE));
        assert!(exp(MAX_NEGATIVE_EXPONENT + U256::ONE, true).is_err());
        assert!(pow(U256::ONE << 255, ONE).is_err());
        assert!(pow((U256::ONE << 255) - U256::ONE, U256::ONE).is_ok());
        assert!(pow(ONE << 1, exponent_bound()).is_err());
        assert!(pow(ONE << 1, exponent_bound() - U256::ONE).is_err());
        assert!(pow(U256::ONE, ONE).is_err());
    }

    /// `e` to 20 decimals and its steps, each the square of the next.
    #[test]
    fn every_step_is_the_square_of_the_next() {
        for pair in STEPS.windows(2) {
            let [(wide, power), (narrow, root)] = pair else { unreachable!("windows of two") };
            assert_eq!(*wide, *narrow << 1);
            let square = *root * *root / ONE_20;
            // The wide constants keep some 21 digits, and a root's last digit counts twice.
            let slack = *power / units(10_000_000_000_000_000_000) + U256::from(4);
            assert!(power.abs_diff(square) <= slack, "{power} and {square}");
        }
    }
}
