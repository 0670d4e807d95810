//! Time as milliseconds since 1970-01-01T00:00:00Z, and its ISO-8601 text.

/// Milliseconds in a day.
pub const DAY_MS: i64 = 86_400_000;

/// A text that is not a UTC time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a UTC time such as 2024-01-31, 2024-01-31T12:00:00Z or milliseconds since 1970")]
pub struct TimeError(pub String);

/// `ms` as ISO-8601 UTC: `2025-09-03T14:00:00Z`, with milliseconds only when they
/// are not zero. Years outside 0000–9999 are written as plain milliseconds.
#[must_use]
pub fn format_utc(ms: i64) -> String {
    match jiff::Timestamp::from_millisecond(ms) {
        Ok(time) if ms % 1000 == 0 => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        Ok(time) => time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => ms.to_string(),
    }
}

/// Reads `2024-01-31`, `2024-01-31T12:00Z`, `2024-01-31 12:00:00`, an ISO-8601 time
/// with an offset, or milliseconds since 1970, as milliseconds. A time without an
/// offset is UTC.
///
/// # Errors
/// [`TimeError`] for anything else.
pub fn parse_utc(text: &str) -> Result<i64, TimeError> {
    let text = text.trim();
    let error = || TimeError(text.chars().take(64).collect());
    if text.len() >= 9 && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().map_err(|_| error());
    }
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let local = text.strip_suffix('Z').unwrap_or(text);
    let civil = local
        .parse::<jiff::civil::DateTime>()
        .or_else(|_| local.parse::<jiff::civil::Date>().map(|date| date.at(0, 0, 0, 0)))
        .map_err(|_| error())?;
    civil_ms(civil).ok_or_else(error)
}

/// The UTC instant of a civil date and time, in milliseconds.
fn civil_ms(civil: jiff::civil::DateTime) -> Option<i64> {
    let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// UTC year, month (1–12) and day of `ms`; `None` outside years −9999 to 9999.
#[must_use]
pub fn utc_date(ms: i64) -> Option<(i16, i8, i8)> {
    let date = jiff::Timestamp::from_millisecond(ms).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Some((date.year(), date.month(), date.day()))
}

/// The first instant of a UTC month (1–12), in milliseconds; `None` when there is no
/// such month.
#[must_use]
pub fn month_start_ms(year: i16, month: i8) -> Option<i64> {
    civil_ms(jiff::civil::Date::new(year, month, 1).ok()?.at(0, 0, 0, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_milliseconds_agree() {
        for (text, ms) in [
            ("1970-01-01", 0),
            ("2024-02-29", 1_709_164_800_000),
            ("2025-09-03T14:00:00Z", 1_756_908_000_000),
            ("2025-09-03 14:00:00", 1_756_908_000_000),
            ("2025-09-03T14:00Z", 1_756_908_000_000),
            ("2025-09-03T16:00:00+02:00", 1_756_908_000_000),
            ("1756908000000", 1_756_908_000_000),
        ] {
            assert_eq!(parse_utc(text), Ok(ms), "{text}");
        }
        assert_eq!(format_utc(1_756_908_000_000), "2025-09-03T14:00:00Z");
        assert_eq!(format_utc(1_756_908_000_250), "2025-09-03T14:00:00.250Z");
        for text in ["", "yesterday", "2024-13-01", "2024-02-30", "12"] {
            assert!(parse_utc(text).is_err(), "{text}");
        }
    }

    #[test]
    fn months_start_on_their_first_day() {
        assert_eq!(month_start_ms(2024, 3), Some(parse_utc("2024-03-01").unwrap()));
        assert_eq!(month_start_ms(2024, 13), None);
        assert_eq!(utc_date(parse_utc("2024-02-29T23:59:59Z").unwrap()), Some((2024, 2, 29)));
    }

    proptest::proptest! {
        #[test]
        fn times_read_back(seconds in -62_000_000_000_i64..253_000_000_000) {
            proptest::prop_assert_eq!(parse_utc(&format_utc(seconds * 1000)), Ok(seconds * 1000));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9TZ:+. -]{0,40}", other in ".{0,40}", ms in proptest::prelude::any::<i64>()) {
            let _ = (parse_utc(&text), parse_utc(&other), format_utc(ms), utc_date(ms));
        }
    }
}
