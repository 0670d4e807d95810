//! Binance spot: `GET /api/v3/klines` and `/api/v3/aggTrades`. Rows ascend, times are
//! milliseconds, numbers are text, the last row may be the open candle.

use assay_types::{Candle, Market, Timeframe, Trade};

use super::page::{Columns, PageError, Rows, candles, json};
use super::{Headers, PageRequest, Rules};
use crate::LakeError;
use crate::import::Payload;

/// Weight a minute per address, of which a tenth is left to other programs.
const WEIGHT_LIMIT: i64 = 5_400;
/// Trades in a page, the most the venue gives.
pub(crate) const TRADES_PAGE_ROWS: usize = 1000;

pub(super) const RULES: Rules = Rules {
    name: "binance",
    exchange: "binance",
    base_url: "https://api.binance.com",
    page_rows: 1000,
    pace_ms: 25,
    intervals: &[
        (Timeframe::M1, "1m"),
        (Timeframe::M5, "5m"),
        (Timeframe::M15, "15m"),
        (Timeframe::H1, "1h"),
        (Timeframe::H4, "4h"),
        (Timeframe::D1, "1d"),
    ],
};

const COLUMNS: Columns = Columns { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5, unit_ms: 1 };

pub(super) fn symbol(market: &Market) -> Result<String, LakeError> {
    match market.symbol.split('-').collect::<Vec<_>>()[..] {
        [base, quote] => Ok(format!("{base}{quote}")),
        _ => Err(LakeError::Unsupported(format!("binance is read for spot pairs only, not {}", market.symbol))),
    }
}

pub(super) fn url(request: &PageRequest<'_>) -> Result<String, LakeError> {
    let PageRequest { base_url, interval, window, .. } = request;
    let symbol = symbol(request.market)?;
    Ok(format!(
        "{base_url}/api/v3/klines?symbol={symbol}&interval={interval}&startTime={}&endTime={}&limit={}",
        window.start,
        window.end - 1,
        RULES.page_rows
    ))
}

pub(super) fn page(body: &[u8]) -> Result<Vec<Candle>, PageError> {
    candles(&json::<Rows<'_>>(body)?, &COLUMNS)
}

/// Near the limit, waits for the next minute, when the count starts anew.
pub(super) fn pause_ms(headers: &Headers, now_ms: i64) -> i64 {
    match headers.number("x-mbx-used-weight-1m") {
        Some(used) if used >= WEIGHT_LIMIT => 60_000 - now_ms.rem_euclid(60_000),
        _ => 0,
    }
}

/// Where a page of aggregate trades starts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TradesFrom {
    /// At the trade with this id.
    Id(u64),
    /// At the first trade of these milliseconds, both included.
    Time(i64, i64),
}

pub(super) fn trades_url(base_url: &str, market: &Market, from: TradesFrom) -> Result<String, LakeError> {
    let symbol = symbol(market)?;
    let start = match from {
        TradesFrom::Id(id) => format!("fromId={id}"),
        TradesFrom::Time(first_ms, last_ms) => format!("startTime={first_ms}&endTime={last_ms}"),
    };
    Ok(format!("{base_url}/api/v3/aggTrades?symbol={symbol}&{start}&limit={TRADES_PAGE_ROWS}"))
}

pub(super) fn trades_page(body: &[u8]) -> Result<Vec<Trade>, PageError> {
    let rows: Vec<Payload<'_>> = json(body)?;
    let trade = |(row, payload): (usize, &Payload<'_>)| {
        payload.trade().and_then(crate::import::check_trade).map_err(|detail| PageError::Row(row, detail))
    };
    rows.iter().enumerate().map(trade).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_row_reads() {
        let body = br#"[[1499040000000,"0.01634790","0.80000000","0.01575800","0.01577100","148976.11427815",
            1499644799999,"2434.19055334",308,"1756.87402397","28.46694368","0"]]"#;
        let candle = page(body).unwrap()[0];
        assert_eq!(candle.open_time_ms, 1_499_040_000_000);
        assert_eq!(
            crate::import::describe_candle(&candle),
            "open 0.0163479 high 0.8 low 0.015758 close 0.015771 volume 148976.11427815"
        );
        assert!(matches!(page(br#"[[1,"2"]]"#), Err(PageError::Row(0, _))));
        assert!(matches!(page(br#"[[1,"2","#), Err(PageError::Again(_))));
    }

    #[test]
    fn aggregate_trades_read() {
        let body = br#"[{"a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27781,"T":1498793709153,"m":true,"M":true}]"#;
        let trade = trades_page(body).unwrap()[0];
        assert_eq!((trade.id, trade.time_ms, trade.taker), (26_129, 1_498_793_709_153, assay_types::TakerSide::Sell));
        assert!(matches!(trades_page(br#"[{"a":1,"p":"x","q":"1","T":1,"m":true}]"#), Err(PageError::Row(0, _))));
    }
}
