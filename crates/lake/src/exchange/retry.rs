//! When to ask again, and how long to wait before it.

/// How often one request is tried.
pub(super) const MAX_ATTEMPTS: u32 = 8;
/// The first wait after a failure; each further one doubles it.
const BACKOFF_MS: i64 = 500;
/// The longest wait after a failure.
const MAX_BACKOFF_MS: i64 = 60_000;
/// The wait after a ban (status 418) that names no time.
const BAN_MS: i64 = 120_000;
/// The longest wait that an exchange may ask for; beyond it the fetch ends and says
/// when to come back.
pub(super) const MAX_ASKED_MS: i64 = 15 * 60_000;

/// The headers of an answer, by lower-case name.
#[derive(Debug, Default)]
pub(crate) struct Headers(pub Vec<(String, String)>);

impl Headers {
    /// The text of a header.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A header that is a whole number.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.text(name)?.trim().parse().ok()
    }
}

/// The wait before attempt `attempt + 1` when the exchange names none.
pub(super) fn backoff_ms(attempt: u32) -> i64 {
    BACKOFF_MS.saturating_mul(1 << attempt.min(20)).min(MAX_BACKOFF_MS)
}

/// The wait that an answer asks for: `Retry-After` in seconds or as a date, else the
/// default of its status.
pub(super) fn asked_ms(status: u16, headers: &Headers, attempt: u32, now_ms: i64) -> i64 {
    let after = headers.text("retry-after").and_then(|text| retry_after_ms(text, now_ms));
    let default = if status == 418 { BAN_MS } else { backoff_ms(attempt) };
    after.unwrap_or(default).max(0)
}

fn retry_after_ms(text: &str, now_ms: i64) -> Option<i64> {
    if let Ok(seconds) = text.trim().parse::<i64>() {
        return seconds.checked_mul(1000);
    }
    let time = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(time.timestamp().as_millisecond() - now_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_cap() {
        assert_eq!([0, 1, 2, 7, 30].map(backoff_ms), [500, 1000, 2000, 60_000, 60_000]);
    }

    #[test]
    fn the_exchange_names_the_wait() {
        let headers = |text: &str| Headers(vec![("retry-after".into(), text.into())]);
        let now_ms = 1_445_412_400_000;
        assert_eq!(asked_ms(429, &headers("7"), 0, now_ms), 7000);
        assert_eq!(asked_ms(429, &headers("Wed, 21 Oct 2015 07:28:00 GMT"), 0, now_ms), 80_000);
        assert_eq!(asked_ms(429, &headers("Wed, 21 Oct 2015 07:00:00 GMT"), 0, now_ms), 0);
        assert_eq!(asked_ms(429, &headers("soon"), 1, now_ms), 1000);
        assert_eq!(asked_ms(418, &Headers::default(), 0, now_ms), BAN_MS);
    }
}
