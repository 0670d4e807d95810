//! KuCoin spot: `GET /api/v1/market/candles`. Rows are time, OPEN, CLOSE, HIGH, LOW,
//! volume, turnover as text, newest first; times are seconds; errors come with a
//! `code` other than 200000.

use assay_types::{Candle, Timeframe};
use serde::Deserialize;

use super::page::{Columns, PageError, Rows, candles, json};
use super::{Headers, PageRequest, Rules};
use crate::LakeError;

/// Codes that ask to come back later: too many requests, server error, busy.
const BUSY_CODES: [&str; 4] = ["429000", "500000", "200002", "200005"];
/// Requests that are left to other programs of the same address.
const SPARE_WEIGHT: i64 = 30;

pub(super) const RULES: Rules = Rules {
    name: "kucoin",
    exchange: "kucoin",
    base_url: "https://api.kucoin.com",
    // One below the limit of 1500: whether the end is included differs between
    // versions of the interface, and a page over the limit would lose its oldest row.
    page_rows: 1499,
    pace_ms: 50,
    intervals: &[
        (Timeframe::M1, "1min"),
        (Timeframe::M5, "5min"),
        (Timeframe::M15, "15min"),
        (Timeframe::H1, "1hour"),
        (Timeframe::H4, "4hour"),
        (Timeframe::D1, "1day"),
    ],
};

const COLUMNS: Columns = Columns { time: 0, open: 1, close: 2, high: 3, low: 4, volume: 5, unit_ms: 1000 };

#[derive(Deserialize)]
struct Answer<'a> {
    code: &'a str,
    #[serde(default)]
    msg: String,
    #[serde(borrow)]
    data: Option<&'a serde_json::value::RawValue>,
}

pub(super) fn url(request: &PageRequest<'_>) -> Result<String, LakeError> {
    let PageRequest { base_url, interval, market, window, .. } = request;
    if request.parts().1.is_some() {
        return Err(LakeError::Unsupported(format!("kucoin is read for spot pairs only, not {}", market.symbol)));
    }
    Ok(format!(
        "{base_url}/api/v1/market/candles?symbol={}&type={interval}&startAt={}&endAt={}",
        market.symbol,
        window.start / 1000,
        window.end / 1000
    ))
}

pub(super) fn page(body: &[u8]) -> Result<Vec<Candle>, PageError> {
    let answer: Answer<'_> = json(body)?;
    let told = format!("code {}: {}", answer.code, answer.msg);
    match answer.data {
        _ if BUSY_CODES.contains(&answer.code) => Err(PageError::Again(told)),
        Some(data) if answer.code == "200000" => candles(&json::<Rows<'_>>(data.get().as_bytes())?, &COLUMNS),
        _ => Err(PageError::Refused(told)),
    }
}

/// With little left in the window, waits for its end.
pub(super) fn pause_ms(headers: &Headers) -> i64 {
    match (headers.number("gw-ratelimit-remaining"), headers.number("gw-ratelimit-reset")) {
        (Some(left), Some(reset_ms)) if left < SPARE_WEIGHT => reset_ms,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_answer_reads() {
        let body = br#"{"code":"200000","data":[
            ["1706637600","43396.4","43369.4","43491.9","43285.2","135.02905655","5859577.939581874"]]}"#;
        let candle = page(body).unwrap()[0];
        assert_eq!(candle.open_time_ms, 1_706_637_600_000);
        assert_eq!(
            crate::import::describe_candle(&candle),
            "open 43396.4 high 43491.9 low 43285.2 close 43369.4 volume 135.02905655"
        );
    }

    #[test]
    fn codes_tell_busy_from_refused() {
        let answer = |code: &str| page(format!(r#"{{"code":"{code}","msg":"m"}}"#).as_bytes());
        assert!(matches!(answer("429000"), Err(PageError::Again(_))));
        assert_eq!(answer("400100"), Err(PageError::Refused("code 400100: m".into())));
    }
}
