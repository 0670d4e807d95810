//! One value of a table, and its crossing into exact numbers and times.

use assay_types::{PRICE_SCALE, format_scaled, parse_scaled, time::parse_utc};

/// A value as a file holds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell<'a> {
    /// No value.
    Null,
    /// Text.
    Text(&'a str),
    /// A whole number.
    Int(i64),
    /// A binary float of 64 bits.
    Double(f64),
    /// A binary float of 32 bits.
    Single(f32),
    /// A decimal: value and places.
    Decimal(i128, i8),
    /// An instant: count and how many of them are a second.
    Instant(i64, i64),
    /// Days since 1970.
    Day(i32),
    /// True or false.
    Truth(bool),
}

impl Cell<'_> {
    /// The value at 1e-12, rounded half to even; a float as its shortest decimal.
    pub(super) fn scaled(self) -> Result<i128, String> {
        let parse = |text: &str| parse_scaled(text, PRICE_SCALE).map_err(|error| error.to_string());
        match self {
            Self::Null => Err("is missing".to_owned()),
            Self::Text(text) if text.trim().is_empty() => Err("is missing".to_owned()),
            Self::Text(text) => parse(text.trim()),
            Self::Int(value) => Ok(i128::from(value) * 10_i128.pow(PRICE_SCALE)),
            Self::Double(value) => assay_types::from_f64_scaled(value, PRICE_SCALE).map_err(|error| error.to_string()),
            Self::Single(value) if !value.is_finite() => Err(format!("`{value}` is not a finite number")),
            Self::Single(value) => parse(&value.to_string()),
            Self::Decimal(value, places) => {
                if let Ok(places @ 0..=38) = u32::try_from(places) {
                    parse(&format_scaled(value, places))
                } else {
                    parse(&format!("{value}e{}", -i32::from(places)))
                }
            }
            Self::Instant(..) | Self::Day(_) | Self::Truth(_) => Err("is not a number".to_owned()),
        }
    }

    /// The instant in milliseconds since 1970 UTC.
    pub(super) fn time_ms(self) -> Result<i64, String> {
        match self {
            Self::Null => Err("is missing".to_owned()),
            Self::Text(text) => text_time_ms(text.trim()),
            Self::Int(value) => whole_time_ms(value),
            Self::Double(value) if value.fract() == 0.0 && value.abs() < 9e18 => whole_time_ms(value as i64),
            Self::Instant(value, per_second) if per_second <= 1000 => {
                value.checked_mul(1000 / per_second).ok_or_else(|| format!("{value} is out of range"))
            }
            Self::Instant(value, per_second) => divide_exact(value, per_second / 1000),
            Self::Day(days) => Ok(i64::from(days) * assay_types::time::DAY_MS),
            Self::Double(value) => Err(format!("{value} is not a whole number of seconds or milliseconds")),
            Self::Single(value) => Err(format!("{value} has too few digits for a time")),
            Self::Decimal(..) | Self::Truth(_) => Err("is not a time".to_owned()),
        }
    }

    /// A whole number that is not negative.
    pub(super) fn whole(self) -> Result<u64, String> {
        match self {
            Self::Int(value) => u64::try_from(value).map_err(|_| format!("{value} is negative")),
            Self::Text(text) => text.trim().parse().map_err(|_| format!("`{}` is not a whole number", cut(text))),
            Self::Double(value) if value.fract() == 0.0 && (0.0..9e15).contains(&value) => Ok(value as u64),
            Self::Null => Err("is missing".to_owned()),
            _ => Err("is not a whole number".to_owned()),
        }
    }

    /// The text, when it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text.trim()),
            _ => None,
        }
    }
}

/// The first 64 characters, for messages.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}

fn divide_exact(value: i64, per_ms: i64) -> Result<i64, String> {
    if value % per_ms == 0 { Ok(value / per_ms) } else { Err(format!("{value} is not a whole millisecond")) }
}

/// Seconds, milliseconds, microseconds or nanoseconds, told apart by their size:
/// each unit covers the years 1973 to 5138 and no two overlap.
fn whole_time_ms(value: i64) -> Result<i64, String> {
    match value {
        100_000_000..100_000_000_000 => Ok(value * 1000),
        100_000_000_000..100_000_000_000_000 => Ok(value),
        100_000_000_000_000..100_000_000_000_000_000 => divide_exact(value, 1000),
        100_000_000_000_000_000.. => divide_exact(value, 1_000_000),
        _ => Err(format!("{value} is no time in seconds, milliseconds, microseconds or nanoseconds since 1970")),
    }
}

fn text_time_ms(text: &str) -> Result<i64, String> {
    if text.is_empty() {
        return Err("is missing".to_owned());
    }
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| format!("`{}` is out of range", cut(text))).and_then(whole_time_ms);
    }
    if let Some(time) = half_day_ms(text) {
        return Ok(time);
    }
    if let Ok(time) = parse_utc(text) {
        return Ok(time);
    }
    match text.parse::<f64>() {
        Ok(value) => Cell::Double(value).time_ms(),
        Err(_) => Err(format!(
            "`{}` is not a time such as 2024-01-31 14:00:00, 2024-01-31T14:00:00Z or seconds since 1970",
            cut(text)
        )),
    }
}

/// `2019-10-17 09-AM`, an hour of a twelve-hour clock.
fn half_day_ms(text: &str) -> Option<i64> {
    let (date, clock) = text.split_once(' ')?;
    let (hour, half) = clock.split_once('-')?;
    let hour: i64 = hour.parse().ok().filter(|hour| (1..=12).contains(hour))?;
    let noon = match half {
        "AM" | "am" => 0,
        "PM" | "pm" => 12,
        _ => return None,
    };
    let midnight = parse_utc(date).ok().filter(|_| date.len() == 10)?;
    Some(midnight + (hour % 12 + noon) * 3_600_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_every_shape_agree() {
        let expected = parse_utc("2019-10-17T21:00:00Z").unwrap();
        for text in [
            "2019-10-17 09-PM",
            "2019-10-17 21:00:00",
            "2019-10-17 21:00",
            "2019-10-17T21:00:00Z",
            "2019-10-17 21:00:00+00:00",
            "2019-10-17T23:00:00+02:00",
            "2019-10-17 21:00:00.000000",
            "1571346000",
            "1571346000.0",
            "1571346000000",
            "1571346000000000",
            "1571346000000000000",
        ] {
            assert_eq!(Cell::Text(text).time_ms(), Ok(expected), "{text}");
        }
        for (cell, name) in [
            (Cell::Int(1_571_346_000), "s"),
            (Cell::Instant(1_571_346_000, 1), "typed s"),
            (Cell::Instant(1_571_346_000_000_000_000, 1_000_000_000), "typed ns"),
            (Cell::Double(1_571_346_000_000.0), "float ms"),
        ] {
            assert_eq!(cell.time_ms(), Ok(expected), "{name}");
        }
        assert_eq!(Cell::Text("2019-10-17 12-AM").time_ms(), Cell::Text("2019-10-17").time_ms());
        assert_eq!(Cell::Text("2019-10-17 12-PM").time_ms(), Cell::Text("2019-10-17 12:00").time_ms());
        for text in ["", "2019-10-17 13-PM", "2019-10-17 00-AM", "12", "1571346000.5", "soon", "2019-13-01"] {
            assert!(Cell::Text(text).time_ms().is_err(), "{text}");
        }
        assert!(Cell::Instant(1, 1_000_000_000).time_ms().is_err());
        assert!(Cell::Instant(i64::MAX, 1).time_ms().is_err());
    }

    #[test]
    fn numbers_of_every_type_agree() {
        let expected = Ok(1_500_000_000_000);
        for cell in [
            Cell::Text(" 1.5 "),
            Cell::Double(1.5),
            Cell::Single(1.5),
            Cell::Decimal(150, 2),
            Cell::Decimal(1_500_000_000_000, 12),
        ] {
            assert_eq!(cell.scaled(), expected, "{cell:?}");
        }
        assert_eq!(Cell::Single(0.1).scaled(), Cell::Text("0.1").scaled());
        assert_eq!(Cell::Int(-3).scaled(), Ok(-3_000_000_000_000));
        assert_eq!(Cell::Decimal(2, -3).scaled(), Cell::Int(2000).scaled());
        for cell in [Cell::Null, Cell::Text(""), Cell::Text("NaN"), Cell::Double(f64::NAN), Cell::Single(f32::INFINITY)]
        {
            assert!(cell.scaled().is_err(), "{cell:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = Cell::Text(&text).time_ms();
            let _ = Cell::Text(&text).scaled();
            let _ = Cell::Text(&text).whole();
        }

        #[test]
        fn no_number_makes_it_panic(value in any::<i64>(), float in any::<f64>(), wide in any::<i128>(), places in any::<i8>()) {
            let _ = (Cell::Int(value).time_ms(), Cell::Int(value).scaled());
            let _ = (Cell::Double(float).time_ms(), Cell::Double(float).scaled(), Cell::Double(float).whole());
            let _ = Cell::Decimal(wide, places).scaled();
            for per_second in [1, 1000, 1_000_000, 1_000_000_000] {
                let _ = Cell::Instant(value, per_second).time_ms();
            }
        }
    }
}
