//! Binance spot streams: `wss://stream.binance.com:9443/ws/{symbol}@kline_{interval}`. The
//! address subscribes; a kline comes every second or two while it trades, the last one of a
//! candle with `x` true. The server pings every 20 s and hangs up after 24 hours.

use assay_types::{Candle, Market};
use serde::Deserialize;

use super::binance::symbol;
use super::page::{PageError, field};
use super::socket::{ClosedRule, Heard, SocketRequest, Told, message};
use crate::LakeError;

const URL: &str = "wss://stream.binance.com:9443";

/// `x` on the candle's last message.
pub(super) const CLOSED: ClosedRule = ClosedRule::Flagged;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "e")]
    event: Option<&'a str>,
    #[serde(rename = "E")]
    sent_ms: Option<i64>,
    #[serde(rename = "k", borrow)]
    kline: Option<Kline<'a>>,
}

#[derive(Deserialize)]
struct Kline<'a> {
    #[serde(rename = "t")]
    open_time_ms: i64,
    #[serde(rename = "o")]
    open: &'a str,
    #[serde(rename = "h")]
    high: &'a str,
    #[serde(rename = "l")]
    low: &'a str,
    #[serde(rename = "c")]
    close: &'a str,
    #[serde(rename = "v")]
    volume: &'a str,
    #[serde(rename = "x")]
    is_closed: bool,
}

pub(super) fn request(market: &Market, interval: &str, url: Option<&str>) -> Result<SocketRequest, LakeError> {
    let topic = format!("{}@kline_{interval}", symbol(market)?.to_lowercase());
    let url = format!("{}/ws/{topic}", url.unwrap_or(URL));
    Ok(SocketRequest { url, subscribe: Vec::new(), ping: None, ping_ms: 20_000, topic })
}

pub(super) fn hear(text: &str) -> Result<Heard, PageError> {
    let message: Message<'_> = message(text)?;
    let Some(kline) = message.kline.filter(|_| message.event == Some("kline")) else {
        return Ok(Heard { sent_ms: message.sent_ms, told: Vec::new() });
    };
    let told = if kline.is_closed {
        Told::Closed(Candle {
            open_time_ms: kline.open_time_ms,
            open: field(0, "o", kline.open)?,
            high: field(0, "h", kline.high)?,
            low: field(0, "l", kline.low)?,
            close: field(0, "c", kline.close)?,
            volume: field(0, "v", kline.volume)?,
        })
    } else {
        Told::Forming(kline.open_time_ms)
    };
    Ok(Heard { sent_ms: message.sent_ms, told: vec![told] })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOCUMENTED: &str = r#"{"e":"kline","E":1638747660000,"s":"BTCUSDT","k":{"t":1638747660000,"T":1638747719999,
        "s":"BTCUSDT","i":"1m","f":100,"L":200,"o":"0.0010","c":"0.0020","h":"0.0025","l":"0.0015","v":"1000","n":100,
        "x":false,"q":"1.0000","V":"500","Q":"0.500","B":"123456"}}"#;

    #[test]
    fn the_documented_message_reads() {
        let open = hear(DOCUMENTED).unwrap();
        assert_eq!((open.sent_ms, open.told), (Some(1_638_747_660_000), vec![Told::Forming(1_638_747_660_000)]));
        let closed = hear(&DOCUMENTED.replace("\"x\":false", "\"x\":true")).unwrap();
        let [Told::Closed(candle)] = &closed.told[..] else { panic!("{closed:?}") };
        assert_eq!((candle.close, candle.volume), ("0.002".parse().unwrap(), "1000".parse().unwrap()));
        assert_eq!(hear(r#"{"result":null,"id":1}"#).unwrap(), Heard::default());
        assert!(
            hear("<html>").is_err() && hear(&DOCUMENTED.replace("0.0020", "NaN").replace("false", "true")).is_err()
        );
    }
}
