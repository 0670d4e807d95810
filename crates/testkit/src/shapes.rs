//! Rows as the venues write them: column order, units, direction and quoting as
//! recorded from each of them.

use assay_types::{Candle, TakerSide, Trade};
use serde_json::{Value, json};

/// The interfaces that are spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    Binance,
    CoinbaseExchange,
    CoinbaseAdvanced,
    Bybit,
    Kucoin,
    BinanceTrades,
}

/// A bare JSON number with every digit of a decimal.
fn bare(text: String) -> Value {
    serde_json::from_str(&text).expect("a decimal is a JSON number")
}

/// A candle as the venue writes it.
pub(crate) fn candle_row(shape: Shape, candle: &Candle, step_ms: i64) -> Value {
    let Candle { open_time_ms, .. } = *candle;
    let [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_string());
    let volume = candle.volume.to_string();
    match shape {
        Shape::Binance => json!([
            open_time_ms,
            open,
            high,
            low,
            close,
            volume,
            open_time_ms + step_ms - 1,
            "0.0",
            12,
            "0.0",
            "0.0",
            "0"
        ]),
        Shape::CoinbaseExchange => {
            json!([open_time_ms / 1000, bare(low), bare(high), bare(open), bare(close), bare(volume)])
        }
        Shape::CoinbaseAdvanced => json!({
            "start": (open_time_ms / 1000).to_string(),
            "low": low, "high": high, "open": open, "close": close, "volume": volume,
        }),
        Shape::Bybit => json!([open_time_ms.to_string(), open, high, low, close, volume, "1.5"]),
        Shape::Kucoin => json!([(open_time_ms / 1000).to_string(), open, close, high, low, volume, "1.5"]),
        Shape::BinanceTrades => unreachable!("trades have their own row"),
    }
}

/// An aggregate trade as Binance writes it.
pub(crate) fn trade_row(trade: &Trade) -> Value {
    json!({
        "a": trade.id, "p": trade.price.to_string(), "q": trade.quantity.to_string(), "f": trade.id * 2,
        "l": trade.id * 2 + 1, "T": trade.time_ms, "m": trade.taker == TakerSide::Sell, "M": true,
    })
}

/// Where a row's high is, and how the row loses its tail.
pub(crate) fn spoil(shape: Shape, row: &mut Value, high: Option<Value>) {
    let at: &[&str] = match shape {
        Shape::CoinbaseAdvanced => &["high", "volume"],
        Shape::BinanceTrades => &["p", "m"],
        _ => &[],
    };
    let index = match shape {
        Shape::Kucoin => 3,
        _ => 2,
    };
    match (row, high) {
        (Value::Object(fields), Some(high)) => _ = fields.insert(at[0].to_owned(), high),
        (Value::Object(fields), None) => _ = fields.remove(at[1]),
        (Value::Array(fields), Some(high)) => fields[index] = high,
        (Value::Array(fields), None) => fields.truncate(4),
        _ => unreachable!("rows are arrays or objects"),
    }
}

/// The whole answer around the rows.
pub(crate) fn envelope(shape: Shape, rows: Vec<Value>) -> Value {
    match shape {
        Shape::Binance | Shape::CoinbaseExchange | Shape::BinanceTrades => Value::Array(rows),
        Shape::CoinbaseAdvanced => json!({ "candles": rows }),
        Shape::Bybit => json!({
            "retCode": 0, "retMsg": "OK", "retExtInfo": {}, "time": 1_709_891_679_050_i64,
            "result": { "category": "spot", "symbol": "BTCUSDT", "list": rows },
        }),
        Shape::Kucoin => json!({ "code": "200000", "data": rows }),
    }
}

/// Status and body of a refusal, as the venue words it.
pub(crate) fn refusal(shape: Shape, message: &str) -> (u16, Value) {
    match shape {
        Shape::Binance | Shape::BinanceTrades => (400, json!({ "code": -1121, "msg": message })),
        Shape::CoinbaseExchange => (400, json!({ "message": message })),
        Shape::CoinbaseAdvanced => (400, json!({ "error": "INVALID_ARGUMENT", "message": message })),
        Shape::Bybit => (200, json!({ "retCode": 10_001, "retMsg": message, "result": {}, "time": 1 })),
        Shape::Kucoin => (200, json!({ "code": "400100", "msg": message })),
    }
}

/// Status and body of "too many requests" in the venue's own words.
pub(crate) fn busy(shape: Shape) -> (u16, Value) {
    match shape {
        Shape::Bybit => (200, json!({ "retCode": 10_006, "retMsg": "Too many visits!", "result": {}, "time": 1 })),
        Shape::Kucoin => (200, json!({ "code": "429000", "msg": "Too Many Requests" })),
        _ => (429, json!({ "code": -1003, "msg": "Too many requests" })),
    }
}
