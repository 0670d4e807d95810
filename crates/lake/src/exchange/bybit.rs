//! Bybit version 5: `GET /v5/market/kline`. Rows are text, newest first, times are
//! milliseconds, the newest may be open; errors come with status 200 and a `retCode`.

use assay_types::{Candle, Market, Timeframe};
use serde::Deserialize;

use super::page::{Columns, PageError, Rows, candles, json};
use super::{Headers, PageRequest, Rules};
use crate::LakeError;

/// Codes that ask to come back later: system busy, too many requests, server error,
/// address limited.
const BUSY_CODES: [i64; 5] = [10_000, 10_006, 10_016, 10_018, 10_429];

pub(super) const RULES: Rules = Rules {
    name: "bybit",
    exchange: "bybit",
    base_url: "https://api.bybit.com",
    page_rows: 1000,
    pace_ms: 10,
    intervals: &[
        (Timeframe::M1, "1"),
        (Timeframe::M5, "5"),
        (Timeframe::M15, "15"),
        (Timeframe::H1, "60"),
        (Timeframe::H4, "240"),
        (Timeframe::D1, "D"),
    ],
};

const COLUMNS: Columns = Columns { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5, unit_ms: 1 };

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(rename = "retCode")]
    code: i64,
    #[serde(rename = "retMsg", default)]
    message: String,
    #[serde(borrow)]
    result: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    list: Rows<'a>,
}

/// The product group of a market and the venue's word for it.
pub(super) fn category(market: &Market) -> Result<(&'static str, String), LakeError> {
    let mut parts = market.symbol.splitn(3, '-');
    let pair = parts.by_ref().take(2).collect();
    match parts.next() {
        None => Ok(("spot", pair)),
        Some("PERP") => Ok(("linear", pair)),
        Some(_) => Err(LakeError::Unsupported(format!(
            "bybit is read for spot pairs and linear perpetuals (BTC-USDT-PERP), not {}",
            market.symbol
        ))),
    }
}

pub(super) fn url(request: &PageRequest<'_>) -> Result<String, LakeError> {
    let PageRequest { base_url, interval, window, market, .. } = request;
    let (category, pair) = category(market)?;
    Ok(format!(
        "{base_url}/v5/market/kline?category={category}&symbol={pair}&interval={interval}&start={}&end={}&limit={}",
        window.start,
        request.last_open_ms(),
        RULES.page_rows
    ))
}

pub(super) fn page(body: &[u8]) -> Result<Vec<Candle>, PageError> {
    let answer: Answer<'_> = json(body)?;
    let told = format!("code {}: {}", answer.code, answer.message);
    match answer.result {
        _ if BUSY_CODES.contains(&answer.code) => Err(PageError::Again(told)),
        Some(result) if answer.code == 0 => candles(&json::<Page<'_>>(result.get().as_bytes())?.list, &COLUMNS),
        _ => Err(PageError::Refused(told)),
    }
}

/// With no request left in the window, waits for its end.
pub(super) fn pause_ms(headers: &Headers, now_ms: i64) -> i64 {
    match (headers.number("x-bapi-limit-status"), headers.number("x-bapi-limit-reset-timestamp")) {
        (Some(left), Some(reset_ms)) if left <= 0 => reset_ms - now_ms,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_answer_reads() {
        let body = br#"{"retCode":0,"retMsg":"OK","result":{"category":"linear","symbol":"BTCUSDT","list":[
            ["1709891679000","27450","27460","27440","27455","123.45","3390000"]]},"retExtInfo":{},"time":1709891679050}"#;
        let candle = page(body).unwrap()[0];
        assert_eq!(candle.open_time_ms, 1_709_891_679_000);
        assert_eq!(
            crate::import::describe_candle(&candle),
            "open 27450 high 27460 low 27440 close 27455 volume 123.45"
        );
    }

    #[test]
    fn codes_tell_busy_from_refused() {
        let answer = |code: i64| page(format!(r#"{{"retCode":{code},"retMsg":"m","result":{{}}}}"#).as_bytes());
        assert!(matches!(answer(10_006), Err(PageError::Again(_))));
        assert_eq!(answer(10_001), Err(PageError::Refused("code 10001: m".into())));
    }
}
