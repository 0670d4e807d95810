//! Miners that do not keep to the protocol, on plain sockets.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_lp::protocol::auth::{Headers, RequestPayload, SCHEME, VERSION, sign_response};
use assay_miner::{MinerEndpoint, Wire};
use assay_types::{Hash, SigningKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::key_text;

/// A request as it came from the socket.
pub struct Seen {
    pub target: String,
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

impl Seen {
    async fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        loop {
            let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some(end) = end {
                let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
                let mut lines = head.split("\r\n");
                let target = lines.next().unwrap().split(' ').nth(1).unwrap().to_owned();
                let split = |line: &str| line.split_once(": ").map(|(a, b)| (a.to_lowercase(), b.to_owned()));
                let headers: BTreeMap<String, String> = lines.filter_map(split).collect();
                let length: usize = headers["content-length"].parse().unwrap();
                if bytes.len() == end + 4 + length {
                    return Self { target, headers, body: bytes[end + 4..].to_vec() };
                }
            }
            assert!(stream.read_buf(&mut bytes).await.unwrap() > 0, "the validator broke off");
        }
    }

    /// The digest that an honest response names.
    pub fn digest(&self) -> Hash {
        let payload = RequestPayload {
            version: VERSION,
            scheme: SCHEME,
            method: "POST",
            target: &self.target,
            body: &self.body,
            nonce: self.headers["x-assay-nonce"].parse().unwrap(),
            sender: &self.headers["x-assay-key"],
            receiver: &self.headers["x-assay-receiver"],
        };
        Hash::of(payload.text().as_bytes())
    }

    /// The headers of an honest response of `key`.
    pub fn sign(&self, key: &SigningKey, status: u16, body: &[u8]) -> Headers {
        sign_response(key, self.digest(), status, body, &self.headers["x-assay-key"])
    }
}

/// An HTTP response as it goes over the wire.
pub fn raw(status: u16, headers: &Headers, body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    headers.pairs().for_each(|(name, value)| text.push_str(&format!("{name}: {value}\r\n")));
    let mut bytes = (text + "\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// A listener that does as it likes with each connection; ends when dropped.
pub struct Rogue {
    pub url: String,
    task: JoinHandle<()>,
}

impl Drop for Rogue {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Rogue {
    /// Reads a request, then does as `behave` says with request and connection.
    pub async fn start<F, R>(behave: F) -> Self
    where
        F: Fn(Seen, TcpStream) -> R + Send + Sync + 'static,
        R: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let behave = Arc::new(behave);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let behave = Arc::clone(&behave);
                tokio::spawn(async move {
                    let seen = Seen::read(&mut stream).await;
                    behave(seen, stream).await;
                });
            }
        });
        Self { url, task }
    }

    /// Answers each request with the bytes that `respond` makes of it.
    pub async fn responding(respond: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let respond = Arc::new(respond);
        Self::start(move |seen, mut stream| {
            let respond = Arc::clone(&respond);
            async move { _ = stream.write_all(&respond(&seen)).await }
        })
        .await
    }

    /// The endpoint of a miner with the key of `seed`.
    pub fn endpoint(&self, seed: u8) -> MinerEndpoint {
        MinerEndpoint::new(&key_text(seed), &self.url, Wire::Native).unwrap()
    }
}
