//! Fixed-point numbers: every amount that money depends on is an integer.
//!
//! Prices and quantities carry twelve decimal places, money eight (R1). Rounding is
//! always explicit and named; the crossing to and from binary floating point lives
//! here and nowhere else.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Decimal places of [`Price`] and [`Qty`].
pub const PRICE_SCALE: u32 = 12;
/// Decimal places of [`Money`].
pub const MONEY_SCALE: u32 = 8;

/// Why a text is not a fixed-point number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecimalError {
    /// The text is empty or holds a character that no decimal number has.
    #[error("`{0}` is not a decimal number")]
    Malformed(String),
    /// The number does not fit in 128 bits at the scale asked for.
    #[error("`{0}` is out of range")]
    OutOfRange(String),
    /// A binary float that is NaN or infinite.
    #[error("`{0}` is not a finite number")]
    NotFinite(String),
}

/// Reads decimal text (`12`, `-0.5`, `1.5e-3`) as an integer at `scale` decimal
/// places, rounding half to even.
///
/// # Errors
/// [`DecimalError`] when the text is no decimal number or does not fit.
pub fn parse_scaled(text: &str, scale: u32) -> Result<i128, DecimalError> {
    let malformed = || DecimalError::Malformed(text.chars().take(64).collect());
    let out_of_range = || DecimalError::OutOfRange(text.chars().take(64).collect());
    let bytes = text.as_bytes();
    let (negative, mut at) = match bytes.first() {
        Some(b'-') => (true, 1),
        Some(b'+') => (false, 1),
        Some(_) => (false, 0),
        None => return Err(malformed()),
    };
    let mut value: u128 = 0;
    let mut digits = 0_u32;
    let mut places: i64 = 0;
    let mut seen_point = false;
    // Digits beyond this many would only matter below the last place; they are kept
    // as one sticky flag so that rounding stays exact.
    let mut sticky = false;
    let mut dropped: i64 = 0;
    while at < bytes.len() {
        match bytes[at] {
            digit @ b'0'..=b'9' => {
                digits += 1;
                if value < u128::MAX / 100 {
                    value = value * 10 + u128::from(digit - b'0');
                    places += i64::from(seen_point);
                } else {
                    sticky |= digit != b'0';
                    dropped += i64::from(!seen_point);
                }
            }
            b'.' if !seen_point => seen_point = true,
            b'e' | b'E' => break,
            _ => return Err(malformed()),
        }
        at += 1;
    }
    if digits == 0 {
        return Err(malformed());
    }
    let mut exponent: i64 = 0;
    if at < bytes.len() {
        exponent = text[at + 1..].parse::<i32>().map_err(|_| malformed())?.into();
    }
    // The number is value · 10^(exponent + dropped − places); shift it to the scale.
    let shift = i64::from(scale) + exponent + dropped - places;
    let magnitude = if value == 0 {
        0
    } else if shift >= 0 {
        let factor = u32::try_from(shift).ok().and_then(|s| 10_u128.checked_pow(s)).ok_or_else(out_of_range)?;
        if sticky {
            return Err(out_of_range());
        }
        value.checked_mul(factor).ok_or_else(out_of_range)?
    } else {
        round_half_even(value, shift.unsigned_abs(), sticky)
    };
    let magnitude = i128::try_from(magnitude).map_err(|_| out_of_range())?;
    Ok(if negative { -magnitude } else { magnitude })
}

/// `value / 10^places`, half to even; `sticky` says that non-zero digits follow.
fn round_half_even(value: u128, places: u64, sticky: bool) -> u128 {
    let Some(divisor) = u32::try_from(places).ok().and_then(|p| 10_u128.checked_pow(p)) else {
        return 0;
    };
    let (quotient, rest) = (value / divisor, value % divisor);
    let half = divisor / 2;
    let up = rest > half || (rest == half && (sticky || quotient % 2 == 1));
    quotient + u128::from(up)
}

/// Writes an integer at `scale` decimal places as its shortest decimal text
/// (`1.5`, `0.00000001`, `-3`): no exponent, no trailing zeros.
#[must_use]
pub fn format_scaled(value: i128, scale: u32) -> String {
    let unit = 10_u128.pow(scale);
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    let (whole, fraction) = (magnitude / unit, magnitude % unit);
    if fraction == 0 {
        return format!("{sign}{whole}");
    }
    let digits = format!("{fraction:0width$}", width = scale as usize);
    format!("{sign}{whole}.{}", digits.trim_end_matches('0'))
}

/// Reads a binary float as the shortest decimal that reads back (R1), then as an
/// integer at `scale` decimal places.
///
/// # Errors
/// [`DecimalError::NotFinite`] for NaN and infinities, else as [`parse_scaled`].
pub fn from_f64_scaled(value: f64, scale: u32) -> Result<i128, DecimalError> {
    if !value.is_finite() {
        return Err(DecimalError::NotFinite(value.to_string()));
    }
    // Up to 2^53 a decimal with few places survives the product exactly; reading it
    // back proves that the shortcut agrees with the shortest decimal.
    if value.abs() < 1e9 {
        let scaled = (value * 1e8).round();
        if scaled.abs() < 9_007_199_254_740_992.0 && scaled / 1e8 == value && scale >= 8 {
            return Ok(scaled as i128 * 10_i128.pow(scale - 8));
        }
    }
    parse_scaled(&value.to_string(), scale)
}

macro_rules! fixed {
    ($(#[$doc:meta])* $name:ident, $scale:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(transparent)]
        pub struct $name(pub i128);

        impl $name {
            /// Decimal places of the integer inside.
            pub const SCALE: u32 = $scale;
            /// Zero.
            pub const ZERO: Self = Self(0);

            /// The number as a binary float, for statistics and display only.
            #[must_use]
            pub fn to_f64(self) -> f64 {
                // Both parts are exact when the value fits in 53 bits, which every
                // real price does; the division rounds once.
                const UNIT: f64 = 10_u64.pow($scale) as f64;
                match i64::try_from(self.0) {
                    // The same rounding in one instruction.
                    Ok(small) => small as f64 / UNIT,
                    Err(_) => self.0 as f64 / UNIT,
                }
            }

            /// Reads a binary float as its shortest decimal (R1).
            ///
            /// # Errors
            /// [`DecimalError`] for NaN, infinities and numbers out of range.
            pub fn from_f64(value: f64) -> Result<Self, DecimalError> {
                from_f64_scaled(value, $scale).map(Self)
            }
        }

        impl FromStr for $name {
            type Err = DecimalError;
            fn from_str(text: &str) -> Result<Self, DecimalError> {
                parse_scaled(text, $scale).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&format_scaled(self.0, $scale))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = decimal_text(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

fixed! {
    /// A price in quote units per base unit, at 1e-12.
    Price, PRICE_SCALE
}
fixed! {
    /// A quantity in base units, at 1e-12. Volumes use it too.
    Qty, PRICE_SCALE
}
fixed! {
    /// An amount of quote money, at 1e-8.
    Money, MONEY_SCALE
}

/// Takes a JSON string or number as decimal text.
fn decimal_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    struct Text;
    impl serde::de::Visitor<'_> for Text {
        type Value = String;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a decimal number, as text or as a number")
        }
        fn visit_str<E>(self, text: &str) -> Result<String, E> {
            Ok(text.to_owned())
        }
        fn visit_i64<E>(self, value: i64) -> Result<String, E> {
            Ok(value.to_string())
        }
        fn visit_u64<E>(self, value: u64) -> Result<String, E> {
            Ok(value.to_string())
        }
        fn visit_f64<E>(self, value: f64) -> Result<String, E> {
            Ok(value.to_string())
        }
    }
    deserializer.deserialize_any(Text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_decimal_text_and_rounds_half_to_even() {
        for (text, scale, value) in [
            ("0", 8, 0),
            ("1", 8, 100_000_000),
            ("-0.5", 1, -5),
            ("+2.50", 1, 25),
            (".5", 1, 5),
            ("5.", 0, 5),
            ("0.25", 1, 2),
            ("0.35", 1, 4),
            ("0.250001", 1, 3),
            ("1.5e-3", 4, 15),
            ("2E3", 0, 2000),
            ("1e-40", 12, 0),
            ("0e400", 12, 0),
            ("0.00000000000000000000000000000000000000000000000000001", 12, 0),
            ("0.2500000000000000000000000000000000000000000000000001", 1, 3),
        ] {
            assert_eq!(parse_scaled(text, scale), Ok(value), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_no_number() {
        for text in ["", "-", ".", "1.2.3", "NaN", "inf", "0x10", "1 ", " 1", "1e", "1e+", "--1", "1,5"] {
            assert!(matches!(parse_scaled(text, 12), Err(DecimalError::Malformed(_))), "{text:?}");
        }
        for text in ["1e40", "170141183460469231731687303715884105728", "99999999999999999999999999999"] {
            assert!(matches!(parse_scaled(text, 12), Err(DecimalError::OutOfRange(_))), "{text:?}");
        }
        assert!(Price::from_f64(f64::NAN).is_err());
        assert!(Price::from_f64(f64::INFINITY).is_err());
    }

    #[test]
    fn a_float_is_its_shortest_decimal() {
        assert_eq!(Price::from_f64(4261.48), "4261.48".parse());
        assert_eq!(Price::from_f64(0.1), "0.1".parse());
        assert_eq!(Price::from_f64(1e-9), "0.000000001".parse());
        assert_eq!(Price::from_f64(0.001_413_42), "0.00141342".parse());
    }

    proptest! {
        #[test]
        fn text_round_trips(value in any::<i64>()) {
            let price = Price(i128::from(value) * 1_000_003);
            prop_assert_eq!(price.to_string().parse(), Ok(price));
        }

        #[test]
        fn float_shortcut_equals_text(value in -1e12..1e12_f64, places in 0..14_i32) {
            let unit = 10_f64.powi(places);
            let value = (value * unit).round() / unit;
            prop_assert_eq!(from_f64_scaled(value, 12), parse_scaled(&value.to_string(), 12));
        }

        #[test]
        fn no_text_makes_it_panic(text in ".{0,60}") {
            let _ = parse_scaled(&text, 12);
        }

        #[test]
        fn digits_never_panic(text in "[-+]?[0-9.]{0,60}([eE][-+]?[0-9]{1,4})?") {
            let _ = parse_scaled(&text, 12);
        }
    }
}
