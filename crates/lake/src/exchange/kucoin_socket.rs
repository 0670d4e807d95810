//! KuCoin spot sockets: a token and an address from `POST /api/v1/bullet-public`, then topic
//! `/market/candles:{symbol}_{type}`. A candle comes while it trades, without a word on which
//! is the last of it; so the socket is the clock and REST gives the values. The client pings
//! as often as the answer with the token says.

use assay_types::{Market, Secret};
use serde::Deserialize;
use serde_json::json;

use super::client::ExchangeClient;
use super::page::{PageError, json as read_json};
use super::socket::{ClosedRule, Heard, SocketRequest, Told, message};
use crate::LakeError;

/// The exchange's time past the end.
pub(super) const CLOSED: ClosedRule = ClosedRule::ByTime;

#[derive(Deserialize)]
struct Bullet<'a> {
    code: &'a str,
    #[serde(default)]
    msg: String,
    data: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    token: String,
    instance_servers: Vec<Server>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Server {
    endpoint: String,
    ping_interval: u64,
}

#[derive(Deserialize)]
struct Message<'a> {
    #[serde(rename = "type", default)]
    kind: &'a str,
    #[serde(default)]
    topic: &'a str,
    #[serde(borrow)]
    data: Option<&'a serde_json::value::RawValue>,
}

#[derive(Deserialize)]
struct Row<'a> {
    #[serde(borrow)]
    candles: Vec<&'a str>,
    /// Nanoseconds.
    time: i64,
}

pub(super) async fn request(
    client: &ExchangeClient,
    market: &Market,
    interval: &str,
) -> Result<SocketRequest, LakeError> {
    if market.symbol.split('-').count() != 2 {
        return Err(LakeError::Unsupported(format!("kucoin is read for spot pairs only, not {}", market.symbol)));
    }
    let url = format!("{}/api/v1/bullet-public", client.base_url());
    let (token, endpoint, ping_ms) = client.post(&url, bullet).await?;
    let topic = format!("/market/candles:{}_{interval}", market.symbol);
    Ok(SocketRequest {
        url: format!("{endpoint}?token={}&connectId=assay", token.reveal()),
        subscribe: vec![json!({ "id": "1", "type": "subscribe", "topic": topic, "response": true }).to_string()],
        ping: Some(json!({ "id": "2", "type": "ping" }).to_string()),
        ping_ms,
        topic,
    })
}

fn bullet(body: &[u8]) -> Result<(Secret, String, u64), PageError> {
    let answer: Bullet<'_> = read_json(body)?;
    let refused = || PageError::Refused(format!("code {}: {}", answer.code, answer.msg));
    let place = answer.data.as_ref().filter(|_| answer.code == "200000").ok_or_else(refused)?;
    let server = place.instance_servers.first().ok_or_else(refused)?;
    Ok((Secret::new(place.token.clone()), server.endpoint.clone(), server.ping_interval))
}

pub(super) fn hear(text: &str, request: &SocketRequest) -> Result<Heard, PageError> {
    let message: Message<'_> = message(text)?;
    let data = message.data.map(serde_json::value::RawValue::get);
    if message.kind == "error" {
        return Err(PageError::Refused(data.unwrap_or_default().chars().take(200).collect()));
    }
    let Some(data) = data.filter(|_| message.topic == request.topic) else { return Ok(Heard::default()) };
    let row: Row<'_> = read_json(data.as_bytes())?;
    let seconds = row.candles.first().ok_or_else(|| PageError::Row(0, "no time".to_owned()))?;
    let start_ms = super::page::time_ms(0, super::page::field(0, "time", seconds)?, 1000)?;
    Ok(Heard { sent_ms: Some(row.time / 1_000_000), told: vec![Told::Forming(start_ms)] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_messages_read() {
        let text = r#"{"topic":"/market/candles:BTC-USDT_1hour","type":"message","subject":"trade.candles.update","data":{
            "symbol":"BTC-USDT","candles":["1729839600","67644.9","67437.6","67724.8","67243.8","44.88321441","3027558.99"],
            "time":1729842192785164840}}"#;
        let topic = "/market/candles:BTC-USDT_1hour".to_owned();
        let request = SocketRequest { url: String::new(), subscribe: Vec::new(), ping: None, ping_ms: 1, topic };
        let heard = hear(text, &request).unwrap();
        assert_eq!((heard.sent_ms, heard.told), (Some(1_729_842_192_785), vec![Told::Forming(1_729_839_600_000)]));
        assert_eq!(hear(r#"{"id":"hQvf8jkno","type":"welcome"}"#, &request).unwrap(), Heard::default());
        assert!(matches!(hear(r#"{"type":"error","code":404,"data":"topic"}"#, &request), Err(PageError::Refused(_))));
        let body = br#"{"code":"200000","data":{"token":"2neAiuY","instanceServers":[{"endpoint":"wss://ws-api-spot.kucoin.com/",
            "encrypt":true,"protocol":"websocket","pingInterval":18000,"pingTimeout":10000}]}}"#;
        let (token, endpoint, ping_ms) = bullet(body).unwrap();
        assert_eq!((token.reveal(), endpoint.as_str(), ping_ms), ("2neAiuY", "wss://ws-api-spot.kucoin.com/", 18_000));
    }
}
