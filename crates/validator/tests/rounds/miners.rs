//! Honest miners of the product, and others on sockets of their own.

use std::sync::Arc;

use assay_lp::protocol::auth::{Headers, RequestPayload, SCHEME, VERSION, sign_response};
use assay_lp::protocol::seal::{SealPlace, commit};
use assay_lp::protocol::{CommitReply, QUERY_PATH, RevealReply};
use assay_lp::{DesiredPosition, RebalanceAnswer, RebalanceQuery};
use assay_miner::{AxonKey, AxonServer, Clock, MinerServer, Strategy, serve, system_clock};
use assay_types::{Hash, SigningKey, public_key_text};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

pub fn key(seed: u16) -> SigningKey {
    let mut bytes = [9; 32];
    bytes[..2].copy_from_slice(&seed.to_be_bytes());
    SigningKey::from_bytes(&bytes)
}

/// A miner that listens until it is dropped.
pub struct Miner {
    pub key: String,
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Miner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A miner of the product.
pub async fn honest(seed: u16, strategy: Strategy) -> Miner {
    honest_at(seed, strategy, system_clock()).await
}

/// The same with a clock of its own.
pub async fn honest_at(seed: u16, strategy: Strategy, clock: Clock) -> Miner {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = MinerServer { key: key(seed), validators: None, axon: None, strategy, clock };
    let task = tokio::spawn(async move { serve(listener, server, std::future::pending()).await.unwrap() });
    Miner { key: public_key_text(&key(seed)), url, task }
}

/// A miner that speaks the v10 axon wire, registered by its SS58 address.
pub async fn axon(seed: u16, strategy: Strategy) -> Miner {
    let hotkey = AxonKey::from_mini_secret(&[7; 32]).unwrap().address().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let axon = Some(AxonServer { hotkey: hotkey.clone(), validators: None });
    let server = MinerServer { key: key(seed), validators: None, axon, strategy, clock: system_clock() };
    let task = tokio::spawn(async move { serve(listener, server, std::future::pending()).await.unwrap() });
    Miner { key: hotkey, url, task }
}

/// Wants the same positions at each checkpoint.
pub fn wants(positions: Vec<DesiredPosition>) -> Strategy {
    Arc::new(move |_| RebalanceAnswer::positions(positions.clone()))
}

/// Holds.
pub fn holds() -> Strategy {
    wants(Vec::new())
}

/// What a cheat does with one request of the protocol.
pub enum Deed {
    /// A signed response with this status and body.
    Respond(u16, Vec<u8>),
    /// Bytes without any sense, as they are.
    Raw(Vec<u8>),
    /// Nothing, while the connection stays.
    Silence,
    /// A response that comes one byte a second.
    Drip,
}

/// A request of the protocol as a cheat sees it.
pub struct Seen {
    pub path: String,
    pub body: Vec<u8>,
    headers: std::collections::BTreeMap<String, String>,
}

impl Seen {
    pub fn is_query(&self) -> bool {
        self.path == QUERY_PATH
    }

    pub fn query(&self) -> RebalanceQuery {
        serde_json::from_slice(&self.body).unwrap()
    }

    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut bytes = Vec::new();
        loop {
            if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8(bytes[..end].to_vec()).ok()?;
                let mut lines = head.split("\r\n");
                let path = lines.next()?.split(' ').nth(1)?.to_owned();
                let split = |line: &str| line.split_once(": ").map(|(a, b)| (a.to_lowercase(), b.to_owned()));
                let headers: std::collections::BTreeMap<_, _> = lines.filter_map(split).collect();
                let length: usize = headers.get("content-length")?.parse().ok()?;
                if bytes.len() == end + 4 + length {
                    return Some(Self { path, headers, body: bytes[end + 4..].to_vec() });
                }
            }
            if stream.read_buf(&mut bytes).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// An honestly signed response.
    fn response(&self, key: &SigningKey, status: u16, body: &[u8]) -> Vec<u8> {
        let payload = RequestPayload {
            version: VERSION,
            scheme: SCHEME,
            method: "POST",
            target: &self.path,
            body: &self.body,
            nonce: self.headers["x-assay-nonce"].parse().unwrap(),
            sender: &self.headers["x-assay-key"],
            receiver: &self.headers["x-assay-receiver"],
        };
        let digest = Hash::of(payload.text().as_bytes());
        let headers: Headers = sign_response(key, digest, status, body, &self.headers["x-assay-key"]);
        let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
        headers.pairs().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
        let mut bytes = (text + "\r\n").into_bytes();
        bytes.extend_from_slice(body);
        bytes
    }
}

/// A miner that does with each request as it likes.
pub async fn cheat(seed: u16, deed: impl Fn(&Seen) -> Deed + Send + Sync + 'static) -> Miner {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let deed = Arc::new(deed);
    let task = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (deed, key) = (Arc::clone(&deed), key(seed));
            tokio::spawn(async move {
                let Some(seen) = Seen::read(&mut stream).await else { return };
                match deed(&seen) {
                    Deed::Respond(status, body) => _ = stream.write_all(&seen.response(&key, status, &body)).await,
                    Deed::Raw(bytes) => _ = stream.write_all(&bytes).await,
                    Deed::Silence => {
                        let mut rest = [0; 16];
                        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                    }
                    Deed::Drip => {
                        let bytes = seen.response(&key, 200, &vec![b' '; 1_000]);
                        for byte in bytes {
                            if stream.write_all(&[byte]).await.is_err() {
                                return;
                            }
                            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                        }
                    }
                }
            });
        }
    });
    Miner { key: public_key_text(&key(seed)), url, task }
}

/// Seals `text` under a fixed salt, as a cheat may.
pub fn sealed(seed: u16, query: &RebalanceQuery, text: &str) -> Vec<u8> {
    let miner = public_key_text(&key(seed));
    let place =
        SealPlace { job_id: &query.job_id, round_id: &query.round_id, checkpoint: query.block_number, miner: &miner };
    serde_json::to_vec(&CommitReply { commitment: commit(&place, &[1; 32], text) }).unwrap()
}

/// Opens what [`sealed`] sealed, or something else.
pub fn opened(text: &str) -> Vec<u8> {
    let salt = "01".repeat(32);
    serde_json::to_vec(&RevealReply { salt, answer: text.to_owned() }).unwrap()
}
