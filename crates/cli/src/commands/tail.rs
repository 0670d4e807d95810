//! `assay signals tail`: signals of a running server as they are stored, over its WebSocket.

use std::time::Duration;

use assay_jobs::JobError;
use clap::Args;
use futures::StreamExt as _;
use reqwest::{Method, Upgraded};
use serde_json::Value;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use super::remote::{Asked, Place, Remote, away, refusal, segment};
use crate::output::Console;

/// The first wait after a cut; each further one doubles it.
const BACKOFF: Duration = Duration::from_millis(250);
/// The longest.
const MAX_BACKOFF: Duration = Duration::from_secs(10);
/// A socket on which nothing came for so long is cut; heartbeats come every 30 s.
const SILENCE: Duration = Duration::from_secs(75);
/// The longest wait for a socket to open.
const OPENING: Duration = Duration::from_secs(10);
/// Close code of a key that has ended, or of a model that may not be heard any more.
const NO_LONGER: u16 = 4_401;

const EXAMPLES: &str = "\
Examples:
  assay signals tail MODEL --key-file owner.key
  assay signals tail MODEL --from 0 --count 100 --server https://assay.example.org";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Tail {
    /// Model id: the weights hash.
    model: String,
    #[command(flatten)]
    place: Place,
    /// Number of the first signal; without it the last ten and what follows.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// End after so many signals.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

/// How far it has come.
struct Follower<'a> {
    remote: &'a Remote,
    console: &'a Console<'a>,
    model: String,
    next: u64,
    left: Option<u64>,
    wait: Duration,
}

impl Tail {
    pub fn run(self, console: &Console) -> anyhow::Result<()> {
        let remote = self.place.remote()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.follow(&remote, console))
    }

    async fn follow(self, remote: &Remote, console: &Console<'_>) -> anyhow::Result<()> {
        let model = segment(&self.model);
        let next = match self.from {
            Some(from) => from,
            None => {
                let last = remote.get(&format!("/v1/signals/{model}?last=10")).await;
                let last = last.map_err(|asked| remote.error(asked))?;
                last["items"][0]["seq"].as_u64().unwrap_or(0)
            }
        };
        let mut follower = Follower { remote, console, model, next, left: self.count, wait: BACKOFF };
        let mut socket = follower.open().await.map_err(|asked| remote.error(asked))?;
        loop {
            if follower.read(&mut socket).await? {
                return Ok(());
            }
            // Nothing is lost by a cut: it goes on after the last signal that was printed.
            socket = loop {
                tokio::time::sleep(follower.wait).await;
                follower.wait = (follower.wait * 2).min(MAX_BACKOFF);
                match follower.open().await {
                    Ok(socket) => break socket,
                    Err(Asked::Away(_)) => {}
                    Err(refused) => return Err(remote.error(refused).into()),
                }
            };
        }
    }
}

impl Follower<'_> {
    /// A socket that begins with the signal `next`.
    async fn open(&self) -> Result<WebSocketStream<Upgraded>, Asked> {
        let key = generate_key();
        let path = match self.next.checked_sub(1) {
            Some(after) => format!("/v1/stream/{}?after={after}", self.model),
            None => format!("/v1/stream/{}?after=-1", self.model),
        };
        let request = self.remote.request(Method::GET, &path);
        let request = request.header("connection", "Upgrade").header("upgrade", "websocket");
        let request = request.header("sec-websocket-version", "13").header("sec-websocket-key", &key);
        let opening = tokio::time::timeout(OPENING, request.send());
        let response = opening.await.map_err(|_| Asked::Away("it takes too long".to_owned()))?.map_err(away)?;
        let status = response.status().as_u16();
        if status != 101 {
            let body = response.bytes().await.unwrap_or_default();
            return Err(refusal(status, &serde_json::from_slice(&body).unwrap_or_default()));
        }
        let accepted = response
            .headers()
            .get("sec-websocket-accept")
            .is_some_and(|accept| accept.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
        if !accepted {
            return Err(Asked::Away("what answers there speaks no WebSocket".to_owned()));
        }
        let stream = response.upgrade().await.map_err(away)?;
        Ok(WebSocketStream::from_raw_socket(stream, Role::Client, None).await)
    }

    /// Prints what comes until the socket is cut; whether enough was printed.
    async fn read(&mut self, socket: &mut WebSocketStream<Upgraded>) -> anyhow::Result<bool> {
        loop {
            if self.left == Some(0) {
                return Ok(true);
            }
            let text = match tokio::time::timeout(SILENCE, socket.next()).await {
                Ok(Some(Ok(Message::Text(text)))) => text,
                Ok(Some(Ok(Message::Close(Some(frame))))) if u16::from(frame.code) == NO_LONGER => {
                    return Err(JobError::Input(format!("the server refuses: {}", frame.reason)).into());
                }
                Ok(None | Some(Ok(Message::Close(_)) | Err(_))) | Err(_) => return Ok(false),
                Ok(Some(Ok(_))) => continue,
            };
            let said: Value = serde_json::from_str(text.as_str()).unwrap_or_default();
            // Greetings and heartbeats have a type, signals have none.
            let Some(seq) = said["seq"].as_u64().filter(|seq| said["type"].is_null() && *seq >= self.next) else {
                continue;
            };
            self.console.raw(&format!("{}\n", text.as_str()))?;
            self.next = seq + 1;
            self.left = self.left.map(|left| left - 1);
            self.wait = BACKOFF;
        }
    }
}
