//! Decimal numbers as people write them, and the one scale at which those of a question are
//! whole units: nothing is rounded on the way in.

use std::fmt;

use ruint::aliases::U256;

use super::calculator::CalculatorError;
use crate::kind::uniswap_v2::MAX_RESERVE;

/// The finest unit that is counted in: 18 digits after the point.
pub const MAX_DIGITS: u32 = 18;
/// Longest text of a number that is read.
const MAX_TEXT: usize = 400;
/// Most digits after the point that are read.
const MAX_PARSED_DIGITS: usize = 38;
/// What a scaled number may be, so that a reserve and an input together fit into a pair.
const MAX_UNITS: u128 = MAX_RESERVE / 4;

/// A decimal number, exactly: `units / 10^digits`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decimal {
    units: i128,
    digits: u32,
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { units: 0, digits: 0 };

    /// `units / 10^digits` in its shortest form.
    #[must_use]
    pub const fn new(mut units: i128, mut digits: u32) -> Self {
        while digits > 0 && units % 10 == 0 {
            units /= 10;
            digits -= 1;
        }
        Self { units, digits }
    }

    /// The number in `text`: digits, with a sign before and a point among them if need be.
    /// `None` when it is none, or has more than 38 digits that count.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (sign, plain) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let (whole, part) = plain.split_once('.').unwrap_or((plain, ""));
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_number = text.len() <= MAX_TEXT
            && !whole.is_empty()
            && all_digits(whole)
            && all_digits(part)
            && (plain.len() == whole.len() || !part.is_empty());
        if !is_number {
            return None;
        }
        let part = part.trim_end_matches('0');
        if part.len() > MAX_PARSED_DIGITS {
            return None;
        }
        let mut units: i128 = 0;
        for digit in whole.bytes().chain(part.bytes()) {
            units = units.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
        }
        Some(Self::new(sign * units, u32::try_from(part.len()).ok()?))
    }

    /// The number that a binary float stands for: its shortest decimal that reads back.
    /// `None` for infinities, what is not a number, and more than 38 digits that count.
    #[must_use]
    pub fn from_f64(value: f64) -> Option<Self> {
        if value.is_finite() { Self::parse(&value.to_string()) } else { None }
    }

    /// Whether it is above zero.
    #[must_use]
    pub const fn is_positive(self) -> bool {
        self.units > 0
    }

    /// Whether it is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.units < 0
    }

    /// As whole units of `10^-digits`; `None` when that rounds, is negative or does not fit.
    pub(super) fn scaled(self, digits: u32) -> Option<u128> {
        let factor = 10_u128.checked_pow(digits.checked_sub(self.digits)?)?;
        u128::try_from(self.units).ok()?.checked_mul(factor).filter(|units| *units <= MAX_UNITS)
    }

    /// As a fraction of `denominator`, a power of ten; `None` when that rounds or it is
    /// outside [0, 1).
    pub(super) fn parts_of(self, denominator: u32) -> Option<u32> {
        let parts = u32::try_from(self.scaled(denominator.ilog10())?).ok()?;
        (parts < denominator).then_some(parts)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = usize::try_from(self.digits).unwrap_or(usize::MAX);
        let text = format!("{:0>width$}", self.units.unsigned_abs(), width = digits + 1);
        let (whole, part) = text.split_at(text.len() - digits);
        f.pad(&if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        // A number holds at most 38 digits, so both powers fit wherever there is a fraction.
        let parts = |number: &Self| {
            let unit = 10_i128.checked_pow(number.digits).unwrap_or(i128::MAX);
            (number.units.div_euclid(unit), number.units.rem_euclid(unit))
        };
        let ((whole, part), (other_whole, other_part)) = (parts(self), parts(other));
        let digits = self.digits.max(other.digits);
        let fraction =
            |part: i128, own: u32| U256::from(part.unsigned_abs()) * U256::from(10).pow(U256::from(digits - own));
        whole.cmp(&other_whole).then_with(|| fraction(part, self.digits).cmp(&fraction(other_part, other.digits)))
    }
}

/// The unit that all numbers of one question are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Scale {
    digits: u32,
}

impl Scale {
    /// The finest unit, at most [`MAX_DIGITS`] digits after the point, at which the largest
    /// of `numbers` fits into a pair.
    pub fn of(numbers: &[Decimal]) -> Self {
        let fits = |digits: &u32| {
            let whole = |number: &Decimal| Decimal::new(number.units, 0).scaled(digits.saturating_sub(number.digits));
            numbers.iter().all(|number| whole(number).is_some())
        };
        Self { digits: (0..=MAX_DIGITS).rev().find(fits).unwrap_or(0) }
    }

    /// `number` in units.
    pub fn units(self, name: &str, number: Decimal) -> Result<u128, CalculatorError> {
        number.scaled(self.digits).ok_or_else(|| CalculatorError::Digits {
            name: name.to_owned(),
            value: number,
            digits: self.digits,
        })
    }

    /// The number that `units` are.
    pub fn decimal(self, units: i128) -> Decimal {
        Decimal::new(units, self.digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_and_printed_exactly() {
        for text in ["0", "1", "-2.5", "0.000000000000000001", "123456789012345678901234567890.12345678", "100"] {
            assert_eq!(Decimal::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Decimal::parse("007.500").unwrap().to_string(), "7.5");
        for text in [
            "",
            ".5",
            "5.",
            "1e6",
            "+1",
            "--1",
            "1_000",
            "NaN",
            "inf",
            " 1",
            "1.2.3",
            &"9".repeat(60),
            &format!("0.{}1", "0".repeat(40)),
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::from_f64(1e21).unwrap().to_string(), "1000000000000000000000");
        assert_eq!(Decimal::from_f64(0.1).unwrap().to_string(), "0.1");
        assert_eq!(Decimal::from_f64(f64::NAN), None);
        assert_eq!(Decimal::from_f64(1e300), None);
    }

    #[test]
    fn numbers_are_ordered_whatever_their_digits() {
        let ordered = [
            "-5000000000000000000000000000000000",
            "-1.5",
            "-1.499999999999999999",
            "-0.1",
            "0",
            "0.000000000000000001",
            "0.5",
            "1",
            "1.000000000000000001",
            "5000000000000000000000000000000000",
        ];
        let numbers = ordered.map(|text| Decimal::parse(text).unwrap());
        assert!(numbers.is_sorted() && numbers.windows(2).all(|pair| pair[0] < pair[1]));
    }

    #[test]
    fn one_scale_holds_the_largest_and_the_finest() {
        let number = |text: &str| Decimal::parse(text).unwrap();
        assert_eq!(Scale::of(&[number("1000000"), number("0.5")]).digits, 18);
        let wei = number("1000000000000000000000000");
        assert_eq!(Scale::of(&[wei]).digits, 9);
        let scale = Scale::of(&[wei, number("0.0000000001")]);
        assert!(scale.units("small", number("0.0000000001")).is_err());
        assert_eq!(scale.units("big", wei).unwrap(), 10_u128.pow(33));
        assert!(scale.units("negative", number("-1")).is_err());
    }
}
