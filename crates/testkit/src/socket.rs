//! The fake exchange's WebSockets: candles as they form and close on the simulated clock, in
//! the messages of four venues, with faults at given candles.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_types::{Candle, Timeframe, time::format_utc};
use axum::body::Body;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, State};
use axum::http::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::server::{Inner, half_formed};

/// One way in which a socket goes wrong at a candle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SocketFault {
    /// The connection is cut before the candle is told.
    Drop,
    /// The candle is told twice, and once more after the next.
    Duplicate,
    /// The candle is told after the next one.
    Late,
    /// The candle and the next are told in exchanged order, each right after the other.
    OutOfOrder,
    /// The exchange's clock is wrong by so much from this candle on.
    Skew {
        /// How far ahead it is.
        ms: i64,
    },
    /// What is told is torn in the middle.
    Malformed,
    /// Nothing comes any more on this connection, not even an answer to a ping.
    Silence,
    /// The candle is told with a high below its low.
    Impossible,
}

/// Faults that are still to come, by candle.
#[derive(Debug)]
pub(crate) struct Sockets {
    faults: Mutex<BTreeMap<usize, SocketFault>>,
    skew_ms: std::sync::atomic::AtomicI64,
    tick: watch::Sender<()>,
    connections: std::sync::atomic::AtomicU64,
}

impl Sockets {
    pub fn new() -> Self {
        Self { faults: Mutex::default(), skew_ms: 0.into(), tick: watch::Sender::new(()), connections: 0.into() }
    }

    pub fn set_faults(&self, faults: &[(usize, SocketFault)]) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults.iter().copied().collect();
    }

    pub fn tick(&self) {
        self.tick.send_replace(());
    }

    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    fn take_fault(&self, candle: usize) -> Option<SocketFault> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).remove(&candle)
    }
}

/// Which venue's words a socket speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Words {
    Binance,
    Bybit { topic: String },
    Coinbase { product: String },
    Kucoin { topic: String },
}

pub(crate) fn routes() -> Router<Arc<Inner>> {
    Router::new()
        .route("/ws/{stream}", get(binance))
        .route("/v5/public/{category}", get(bybit))
        .route("/", get(coinbase))
        .route("/api/v1/bullet-public", post(bullet))
        .route("/kucoin", get(kucoin))
}

type Answer = Response<Body>;

async fn binance(State(inner): State<Arc<Inner>>, Path(stream): Path<String>, upgrade: WebSocketUpgrade) -> Answer {
    upgrade.on_upgrade(async move |mut socket| {
        let known = stream.strip_prefix("btcusdt@kline_").and_then(|word| word.parse().ok());
        if known == inner.timeframe() {
            speak(&inner, &mut socket, &Words::Binance).await;
        }
    })
}

async fn bybit(State(inner): State<Arc<Inner>>, upgrade: WebSocketUpgrade) -> Answer {
    upgrade.on_upgrade(async move |mut socket| {
        let Some(asked) = read(&mut socket).await else { return };
        let topic = asked["args"][0].as_str().unwrap_or_default().to_owned();
        let known = ["1", "5", "15", "60", "240", "D"].map(|word| format!("kline.{word}.BTCUSDT"));
        let is_known = known.iter().position(|known| *known == topic).and_then(|at| Timeframe::ALL.get(at).copied());
        let is_known = is_known.is_some() && is_known == inner.timeframe();
        let message = if is_known { "subscribe" } else { "error:handler not found" };
        let answer = json!({ "success": is_known, "ret_msg": message, "conn_id": "1", "op": "subscribe" });
        if socket.send(text(&answer)).await.is_ok() && is_known {
            speak(&inner, &mut socket, &Words::Bybit { topic }).await;
        }
    })
}

async fn coinbase(State(inner): State<Arc<Inner>>, upgrade: WebSocketUpgrade) -> Answer {
    upgrade.on_upgrade(async move |mut socket| {
        let Some(asked) = read(&mut socket).await else { return };
        let product = asked["product_ids"][0].as_str().unwrap_or_default().to_owned();
        speak(&inner, &mut socket, &Words::Coinbase { product }).await;
    })
}

async fn bullet(State(inner): State<Arc<Inner>>) -> Json<Value> {
    let endpoint = format!("ws://{}/kucoin", inner.address());
    Json(json!({ "code": "200000", "data": { "token": "token", "instanceServers": [
        { "endpoint": endpoint, "encrypt": true, "protocol": "websocket", "pingInterval": 18_000, "pingTimeout": 10_000 }
    ] } }))
}

async fn kucoin(State(inner): State<Arc<Inner>>, upgrade: WebSocketUpgrade) -> Answer {
    upgrade.on_upgrade(async move |mut socket| {
        if socket.send(text(&json!({ "id": "1", "type": "welcome" }))).await.is_err() {
            return;
        }
        let Some(asked) = read(&mut socket).await else { return };
        let topic = asked["topic"].as_str().unwrap_or_default().to_owned();
        if socket.send(text(&json!({ "id": asked["id"], "type": "ack" }))).await.is_ok() {
            speak(&inner, &mut socket, &Words::Kucoin { topic }).await;
        }
    })
}

fn text(value: &Value) -> Message {
    Message::text(value.to_string())
}

async fn read(socket: &mut WebSocket) -> Option<Value> {
    while let Some(Ok(message)) = socket.recv().await {
        if let Message::Text(text) = message {
            return serde_json::from_str(text.as_str()).ok();
        }
    }
    None
}

/// Tells what closes from now on, until the connection is cut or nobody listens.
async fn speak(inner: &Inner, socket: &mut WebSocket, words: &Words) {
    let sockets = inner.sockets();
    sockets.connections.fetch_add(1, Ordering::SeqCst);
    let mut tick = sockets.tick.subscribe();
    let (candles, step_ms) = inner.canonical();
    let mut now_ms = inner.now_ms();
    let mut next = candles.partition_point(|candle| candle.open_time_ms + step_ms <= now_ms);
    let mut held: Vec<Candle> = Vec::new();
    loop {
        let mut out: Vec<Value> = Vec::new();
        while let Some(candle) = candles.get(next).filter(|candle| candle.open_time_ms + step_ms <= now_ms) {
            let at_ms = candle.open_time_ms + step_ms + sockets.skew_ms.load(Ordering::SeqCst);
            let say = |candle: &Candle, is_closed| told(words, candle, step_ms, is_closed, at_ms);
            out.push(say(&half_formed(candle), false));
            let after = std::mem::take(&mut held);
            match sockets.take_fault(next) {
                None => out.push(say(candle, true)),
                Some(SocketFault::Drop) => {
                    _ = send(socket, out).await;
                    return;
                }
                Some(SocketFault::Duplicate) => {
                    out.extend([say(candle, true), say(candle, true)]);
                    held.push(*candle);
                }
                Some(SocketFault::Late | SocketFault::OutOfOrder) => held.push(*candle),
                Some(SocketFault::Skew { ms }) => {
                    sockets.skew_ms.store(ms, Ordering::SeqCst);
                    out.push(told(words, candle, step_ms, true, candle.open_time_ms + step_ms + ms));
                }
                Some(SocketFault::Malformed) => {
                    let whole = say(candle, true).to_string();
                    if send(socket, std::mem::take(&mut out)).await.is_err()
                        || socket.send(Message::text(whole[..whole.len() / 2].to_owned())).await.is_err()
                    {
                        return;
                    }
                }
                Some(SocketFault::Impossible) => {
                    let high = assay_types::Price(candle.low.0 - 1);
                    out.push(say(&Candle { high, ..*candle }, true));
                }
                Some(SocketFault::Silence) => {
                    _ = send(socket, out).await;
                    // Until the other side gives up; nothing is read, so pings find no answer.
                    tokio::time::sleep(Duration::from_secs(600)).await;
                    return;
                }
            }
            out.extend(after.iter().map(|late| say(late, true)));
            next += 1;
        }
        if let Some(open) = candles.get(next).filter(|candle| candle.open_time_ms <= now_ms) {
            let at_ms = now_ms + sockets.skew_ms.load(Ordering::SeqCst);
            out.push(told(words, &half_formed(open), step_ms, false, at_ms));
        }
        if matches!(words, Words::Coinbase { .. }) {
            let at = format_utc(now_ms + sockets.skew_ms.load(Ordering::SeqCst));
            out.push(json!({ "channel": "heartbeats", "client_id": "", "timestamp": at, "sequence_num": 0,
                "events": [{ "current_time": at, "heartbeat_counter": "1" }] }));
        }
        if send(socket, out).await.is_err() {
            return;
        }
        loop {
            tokio::select! {
                changed = tick.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    break;
                }
                message = socket.recv() => match message {
                    // Pings of the venues' own kind are answered as they answer them.
                    Some(Ok(Message::Text(asked))) if asked.as_str().contains("ping") => {
                        let pong = json!({ "id": "2", "type": "pong", "op": "ping", "ret_msg": "pong", "success": true });
                        if socket.send(text(&pong)).await.is_err() {
                            return;
                        }
                    }
                    Some(Ok(_)) => {}
                    _ => return,
                },
            }
        }
        now_ms = inner.now_ms();
    }
}

async fn send(socket: &mut WebSocket, messages: Vec<Value>) -> Result<(), axum::Error> {
    for message in messages {
        socket.send(text(&message)).await?;
    }
    Ok(())
}

/// A candle in a venue's words.
fn told(words: &Words, candle: &Candle, step_ms: i64, is_closed: bool, at_ms: i64) -> Value {
    let start = candle.open_time_ms;
    let [open, high, low, close] = [candle.open, candle.high, candle.low, candle.close].map(|price| price.to_string());
    let volume = candle.volume.to_string();
    match words {
        Words::Binance => json!({ "e": "kline", "E": at_ms, "s": "BTCUSDT", "k": {
            "t": start, "T": start + step_ms - 1, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 2, "o": open, "c": close,
            "h": high, "l": low, "v": volume, "n": 3, "x": is_closed, "q": "1", "V": "1", "Q": "1", "B": "0",
        } }),
        Words::Bybit { topic } => json!({ "topic": topic, "type": "snapshot", "ts": at_ms, "data": [{
            "start": start, "end": start + step_ms - 1, "interval": "1", "open": open, "close": close, "high": high,
            "low": low, "volume": volume, "turnover": "1", "confirm": is_closed, "timestamp": at_ms,
        }] }),
        Words::Coinbase { product } => {
            // Buckets of five minutes, whatever the length of the candle.
            let bucket = start.max(at_ms.min(start + step_ms - 1).div_euclid(300_000) * 300_000);
            json!({ "channel": "candles", "client_id": "", "timestamp": format_utc(at_ms), "sequence_num": 0,
                "events": [{ "type": "update", "candles": [{ "start": (bucket / 1000).to_string(), "high": high,
                "low": low, "open": open, "close": close, "volume": volume, "product_id": product }] }] })
        }
        Words::Kucoin { topic } => json!({ "topic": topic, "type": "message", "subject": "trade.candles.update",
            "data": { "symbol": "BTC-USDT", "time": at_ms * 1_000_000,
            "candles": [(start / 1000).to_string(), open, close, high, low, volume, "1"] } }),
    }
}
