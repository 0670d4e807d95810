//! Coinbase Exchange: `GET /products/{id}/candles`. Rows are time, LOW, HIGH, OPEN,
//! CLOSE, volume, newest first; times are seconds, numbers are bare; buckets without
//! trades are absent, and rows before the start may come along.

use assay_types::{Candle, Timeframe, time::format_utc};

use super::page::{Columns, PageError, Rows, candles, json};
use super::{PageRequest, Rules};
use crate::LakeError;

pub(super) const RULES: Rules = Rules {
    name: "coinbase",
    exchange: "coinbase",
    base_url: "https://api.exchange.coinbase.com",
    page_rows: 300,
    pace_ms: 120,
    intervals: &[
        (Timeframe::M1, "60"),
        (Timeframe::M5, "300"),
        (Timeframe::M15, "900"),
        (Timeframe::H1, "3600"),
        (Timeframe::D1, "86400"),
    ],
};

const COLUMNS: Columns = Columns { time: 0, low: 1, high: 2, open: 3, close: 4, volume: 5, unit_ms: 1000 };

pub(super) fn url(request: &PageRequest<'_>) -> Result<String, LakeError> {
    let PageRequest { base_url, interval, market, window, .. } = request;
    Ok(format!(
        "{base_url}/products/{}/candles?granularity={interval}&start={}&end={}",
        market.symbol,
        format_utc(window.start),
        format_utc(request.last_open_ms())
    ))
}

pub(super) fn page(body: &[u8]) -> Result<Vec<Candle>, PageError> {
    candles(&json::<Rows<'_>>(body)?, &COLUMNS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recorded_row_reads() {
        let candle = page(b"[[1710327600,73241.5,73402.47,73243.33,73370.65,1.56794406]]").unwrap()[0];
        assert_eq!(candle.open_time_ms, 1_710_327_600_000);
        assert_eq!(
            crate::import::describe_candle(&candle),
            "open 73243.33 high 73402.47 low 73241.5 close 73370.65 volume 1.56794406"
        );
    }
}
