//! How far this machine's clock is from an exchange's: signals later than five seconds are stale.

use std::time::Duration;

use assay_lake::{Clock, ExchangeClient, LakeError, Venue};

use super::{Doctor, Line};
use crate::jobs::lp::registry::runtime;

/// Longest wait for the exchange.
const TIMEOUT_MS: u64 = 3_000;
/// Offsets up to this are fine; the exchange tells whole seconds.
const FINE_MS: i64 = 2_000;
/// Offsets above this make signals stale.
const STALE_MS: i64 = 5_000;

const FIX: &str = "sudo timedatectl set-ntp true";

pub(super) fn check(doctor: &Doctor<'_>) -> Line {
    const CHECK: &str = "clock";
    let unknown = |reason: String| {
        let found = format!("offset unknown, no network: {reason}");
        Line::warning(CHECK, found, "timedatectl timesync-status")
    };
    match ahead_ms(doctor) {
        Err(reason) => unknown(reason),
        Ok(None) => unknown("the exchange tells no date".to_owned()),
        Ok(Some(ahead)) => {
            let found = format!(
                "{:.1} s {} the exchange",
                ahead.abs() as f64 / 1e3,
                if ahead < 0 { "behind" } else { "ahead of" }
            );
            match ahead.abs() {
                0..=FINE_MS => Line::ok(CHECK, found),
                ..=STALE_MS => Line::warning(CHECK, found, FIX),
                _ => Line::fail(CHECK, format!("{found}: signals would be stale"), FIX),
            }
        }
    }
}

fn ahead_ms(doctor: &Doctor<'_>) -> Result<Option<i64>, String> {
    let client = match &doctor.exchange_url {
        Some(url) => ExchangeClient::with(Venue::Binance, url, Clock::System, TIMEOUT_MS),
        None => ExchangeClient::new(Venue::Binance),
    };
    let client = client.map_err(|error| error.to_string())?;
    runtime(2).map_err(|error| error.to_string())?.block_on(async {
        let asked = tokio::time::timeout(Duration::from_millis(TIMEOUT_MS), client.clock_ahead_ms()).await;
        asked.map_err(|_| "no answer".to_owned())?.map_err(|error| match error {
            LakeError::Request { url, detail, .. } => format!("{url}: {detail}"),
            other => other.to_string(),
        })
    })
}
