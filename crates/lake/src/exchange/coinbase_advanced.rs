//! Coinbase Advanced Trade: `GET /api/v3/brokerage/market/products/{id}/candles`.
//! Rows are objects of text, newest first; times are seconds; buckets without trades
//! are absent.

use assay_types::{Candle, Timeframe};
use serde::Deserialize;

use super::page::{PageError, field, json, time_ms};
use super::{PageRequest, Rules};
use crate::LakeError;

pub(super) const RULES: Rules = Rules {
    name: "coinbase-advanced",
    exchange: "coinbase",
    base_url: "https://api.coinbase.com",
    page_rows: 350,
    pace_ms: 120,
    intervals: &[
        (Timeframe::M1, "ONE_MINUTE"),
        (Timeframe::M5, "FIVE_MINUTE"),
        (Timeframe::M15, "FIFTEEN_MINUTE"),
        (Timeframe::H1, "ONE_HOUR"),
        (Timeframe::D1, "ONE_DAY"),
    ],
};

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    candles: Vec<Row<'a>>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Row<'a> {
    start: &'a str,
    low: &'a str,
    high: &'a str,
    open: &'a str,
    close: &'a str,
    volume: &'a str,
}

pub(super) fn url(request: &PageRequest<'_>) -> Result<String, LakeError> {
    let PageRequest { base_url, interval, market, window, .. } = request;
    Ok(format!(
        "{base_url}/api/v3/brokerage/market/products/{}/candles?granularity={interval}&start={}&end={}&limit={}",
        market.symbol,
        window.start / 1000,
        request.last_open_ms() / 1000,
        RULES.page_rows
    ))
}

pub(super) fn page(body: &[u8]) -> Result<Vec<Candle>, PageError> {
    let candle = |(row, fields): (usize, &Row<'_>)| {
        Ok(Candle {
            open_time_ms: time_ms(row, field(row, "start", fields.start)?, 1000)?,
            open: field(row, "open", fields.open)?,
            high: field(row, "high", fields.high)?,
            low: field(row, "low", fields.low)?,
            close: field(row, "close", fields.close)?,
            volume: field(row, "volume", fields.volume)?,
        })
    };
    json::<Answer<'_>>(body)?.candles.iter().enumerate().map(candle).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_row_reads() {
        let body = br#"{"candles":[{"start":"1712192400","low":"66055.14","high":"66331.99","open":"66312.4","close":"66181.6","volume":"355.82896243"}]}"#;
        let candle = page(body).unwrap()[0];
        assert_eq!(candle.open_time_ms, 1_712_192_400_000);
        assert_eq!(
            crate::import::describe_candle(&candle),
            "open 66312.4 high 66331.99 low 66055.14 close 66181.6 volume 355.82896243"
        );
        assert!(matches!(page(br#"{"candles":[{"start":"1"}]}"#), Err(PageError::Row(0, _))));
    }
}
