//! Coinbase Advanced Trade market data: `wss://advanced-trade-ws.coinbase.com`. The `candles`
//! channel has buckets of five minutes alone, without a word on which are closed; the
//! `heartbeats` channel tells the time every second and keeps the connection open. So the
//! socket is the clock here, for every length that REST has, and REST gives the values.

use assay_types::{Market, time::parse_utc};
use serde::Deserialize;
use serde_json::json;

use super::page::PageError;
use super::socket::{ClosedRule, Heard, SocketRequest, Told, message};

const URL: &str = "wss://advanced-trade-ws.coinbase.com";

/// The exchange's time past the end.
pub(super) const CLOSED: ClosedRule = ClosedRule::ByTime;

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(default)]
    channel: &'a str,
    #[serde(rename = "type", default)]
    kind: &'a str,
    #[serde(default)]
    message: String,
    timestamp: Option<&'a str>,
    #[serde(default, borrow)]
    events: Vec<Event<'a>>,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default, borrow)]
    candles: Vec<Bucket<'a>>,
}

#[derive(Deserialize)]
struct Bucket<'a> {
    start: &'a str,
}

pub(super) fn request(market: &Market, url: Option<&str>) -> SocketRequest {
    let product = &market.symbol;
    SocketRequest {
        url: url.unwrap_or(URL).to_owned(),
        subscribe: vec![
            json!({ "type": "subscribe", "channel": "candles", "product_ids": [product] }).to_string(),
            json!({ "type": "subscribe", "channel": "heartbeats" }).to_string(),
        ],
        ping: None,
        ping_ms: 20_000,
        topic: product.clone(),
    }
}

pub(super) fn hear(text: &str) -> Result<Heard, PageError> {
    let message: Message<'_> = message(text)?;
    if message.kind == "error" {
        return Err(PageError::Refused(message.message));
    }
    // Nine digits of a second come here; what is read keeps three.
    let sent_ms = message.timestamp.and_then(|text| parse_utc(text).ok());
    let mut told = Vec::new();
    if message.channel == "candles" {
        for (row, bucket) in message.events.iter().flat_map(|event| &event.candles).enumerate() {
            let seconds: i64 = super::page::field(row, "start", bucket.start)?;
            told.push(Told::Forming(super::page::time_ms(row, seconds, 1000)?));
        }
    }
    Ok(Heard { sent_ms, told })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_messages_read() {
        let candles = r#"{"channel":"candles","client_id":"","timestamp":"2023-06-09T20:19:35.39625135Z","sequence_num":0,
            "events":[{"type":"snapshot","candles":[{"start":"1688998200","high":"1867.72","low":"1865.63","open":"1867.38",
            "close":"1866.81","volume":"0.20269406","product_id":"ETH-USD"}]}]}"#;
        let heard = hear(candles).unwrap();
        assert_eq!((heard.sent_ms, heard.told), (Some(1_686_341_975_396), vec![Told::Forming(1_688_998_200_000)]));
        let beat = r#"{"channel":"heartbeats","client_id":"","timestamp":"2023-06-23T20:31:26.122969572Z","sequence_num":0,
            "events":[{"current_time":"2023-06-23 20:31:56.121961769 +0000 UTC m=+91717.525857105","heartbeat_counter":"3049"}]}"#;
        assert_eq!(hear(beat).unwrap(), Heard { sent_ms: Some(1_687_552_286_122), told: Vec::new() });
        let refused = hear(r#"{"type":"error","message":"authentication failure"}"#);
        assert_eq!(refused, Err(PageError::Refused("authentication failure".into())));
    }
}
