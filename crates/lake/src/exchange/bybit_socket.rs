//! Bybit version 5 public sockets: `wss://stream.bybit.com/v5/public/{spot|linear}`, topic
//! `kline.{interval}.{symbol}`. A candle comes every 1 to 60 s while it trades, the last one
//! with `confirm` true. The client pings every 20 s with `{"op":"ping"}`.

use assay_types::{Candle, Market};
use serde::Deserialize;
use serde_json::json;

use super::bybit::category;
use super::page::{PageError, field};
use super::socket::{ClosedRule, Heard, SocketRequest, Told, message};
use crate::LakeError;

const URL: &str = "wss://stream.bybit.com";

/// `confirm` on the candle's last message.
pub(super) const CLOSED: ClosedRule = ClosedRule::Flagged;

#[derive(Deserialize)]
struct Message<'a> {
    topic: Option<&'a str>,
    ts: Option<i64>,
    success: Option<bool>,
    #[serde(default)]
    ret_msg: String,
    #[serde(borrow, default)]
    data: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Row<'a> {
    start: i64,
    open: &'a str,
    high: &'a str,
    low: &'a str,
    close: &'a str,
    volume: &'a str,
    confirm: bool,
}

pub(super) fn request(market: &Market, interval: &str, url: Option<&str>) -> Result<SocketRequest, LakeError> {
    let (category, pair) = category(market)?;
    let topic = format!("kline.{interval}.{pair}");
    Ok(SocketRequest {
        url: format!("{}/v5/public/{category}", url.unwrap_or(URL)),
        subscribe: vec![json!({ "op": "subscribe", "args": [topic] }).to_string()],
        ping: Some(json!({ "op": "ping" }).to_string()),
        ping_ms: 20_000,
        topic,
    })
}

pub(super) fn hear(text: &str, request: &SocketRequest) -> Result<Heard, PageError> {
    let message: Message<'_> = message(text)?;
    if message.success == Some(false) {
        return Err(PageError::Refused(message.ret_msg));
    }
    let Some(data) = message.data.filter(|_| message.topic == Some(request.topic.as_str())) else {
        return Ok(Heard { sent_ms: message.ts, told: Vec::new() });
    };
    let rows: Vec<Row<'_>> = super::page::json(data.get().as_bytes())?;
    let told = |(row, fields): (usize, &Row<'_>)| {
        if !fields.confirm {
            return Ok(Told::Forming(fields.start));
        }
        Ok(Told::Closed(Candle {
            open_time_ms: fields.start,
            open: field(row, "open", fields.open)?,
            high: field(row, "high", fields.high)?,
            low: field(row, "low", fields.low)?,
            close: field(row, "close", fields.close)?,
            volume: field(row, "volume", fields.volume)?,
        }))
    };
    let told = rows.iter().enumerate().map(told).collect::<Result<_, PageError>>()?;
    Ok(Heard { sent_ms: message.ts, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = r#"{"topic":"kline.5.BTCUSDT","data":[{"start":1672324800000,"end":1672325099999,"interval":"5",
        "open":"16649.5","close":"16677","high":"16677","low":"16608","volume":"2.081","turnover":"34666.4005",
        "confirm":false,"timestamp":1672324988882}],"ts":1672324988882,"type":"snapshot"}"#;

    #[test]
    fn the_documented_message_reads() {
        let request = request(&Market::new("bybit", "BTC-USDT").unwrap(), "5", None).unwrap();
        assert_eq!(request.url, "wss://stream.bybit.com/v5/public/spot");
        let open = hear(DOCUMENTED, &request).unwrap();
        assert_eq!((open.sent_ms, open.told), (Some(1_672_324_988_882), vec![Told::Forming(1_672_324_800_000)]));
        let closed = hear(&DOCUMENTED.replace("\"confirm\":false", "\"confirm\":true"), &request).unwrap();
        assert!(matches!(&closed.told[..], [Told::Closed(candle)] if candle.close.to_string() == "16677"));
        let other = hear(&DOCUMENTED.replace("BTCUSDT", "ETHUSDT"), &request).unwrap();
        assert!(other.told.is_empty());
        assert!(hear(r#"{"success":true,"ret_msg":"pong","op":"ping"}"#, &request).unwrap().told.is_empty());
        let refused = hear(r#"{"success":false,"ret_msg":"error:handler not found","op":"subscribe"}"#, &request);
        assert_eq!(refused, Err(PageError::Refused("error:handler not found".into())));
    }
}
