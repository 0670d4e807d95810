//! The miner's side: answers validators it can name, keeps its answers sealed until they
//! are asked for, and bounds what any caller can take of its memory and time.

mod axon;
mod guests;
mod native;
mod sealed;

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_lp::protocol::auth::VERSION;
use assay_lp::protocol::axon_v10::AxonNonces;
use assay_lp::protocol::{MAX_BODY_BYTES, NonceMemory, Problem};
use assay_lp::{RebalanceAnswer, RebalanceQuery};
use assay_types::{SigningKey, public_key_text};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::Response;
use axum::routing::get;
use http_body_util::LengthLimitError;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::clock::Clock;
use crate::error::MinerError;

use guests::Guests;
pub use guests::MAX_CONNECTIONS_PER_ADDRESS;
use sealed::SealedAnswers;
pub use sealed::{MAX_SEALED_PER_VALIDATOR, MAX_VALIDATORS};

/// Connections held at once; further ones wait.
pub const MAX_CONNECTIONS: usize = 512;
/// Strategies computing at once; further queries wait.
const MAX_ANSWERS_AT_ONCE: usize = 16;
/// Queries computing or waiting; further ones are refused.
const MAX_QUERIES: usize = 256;
/// A request's headers must be there within this time, and so must its body.
const READ_TIMEOUT: Duration = Duration::from_secs(8);
/// A connection lasts no longer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(120);
/// Open connections have this long to end when the server stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// After a failed accept (no file descriptors, say) the server waits.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a miner thinks with; it may block, and a panic is an answer withheld.
pub type Strategy = Arc<dyn Fn(&RebalanceQuery) -> RebalanceAnswer + Send + Sync>;

/// How a miner is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wire {
    /// Signed both ways and sealed.
    Native,
    /// Bittensor's v10 axon, which proves little.
    AxonV10,
}

impl Wire {
    /// `native` or `axon-v10`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::AxonV10 => "axon-v10",
        }
    }
}

impl fmt::Display for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Wire {
    type Err = MinerError;
    fn from_str(text: &str) -> Result<Self, MinerError> {
        let wire = [Self::Native, Self::AxonV10].into_iter().find(|wire| wire.name() == text);
        wire.ok_or_else(|| MinerError::Wire(text.chars().take(80).collect()))
    }
}

/// The v10 axon wire of a server, beside the native one.
#[derive(Debug, Clone)]
pub struct AxonServer {
    /// SS58 address of the miner, which callers sign for.
    pub hotkey: String,
    /// SS58 addresses that may ask; everybody when `None`.
    pub validators: Option<BTreeSet<String>>,
}

/// A miner's server.
pub struct MinerServer {
    /// Signs responses; its public half is the miner's identity.
    pub key: SigningKey,
    /// Keys that may ask; everybody when `None`, which lets rivals ask and see the answer.
    pub validators: Option<BTreeSet<String>>,
    /// Speaks the v10 axon wire too.
    pub axon: Option<AxonServer>,
    /// Makes the answers.
    pub strategy: Strategy,
    /// The time that nonces are held against.
    pub clock: Clock,
}

struct Miner {
    server: MinerServer,
    key: String,
    nonces: Mutex<NonceMemory>,
    axon_nonces: Mutex<AxonNonces>,
    sealed: Mutex<SealedAnswers>,
    queries: Semaphore,
    answering: Arc<Semaphore>,
}

impl Miner {
    /// Runs the strategy off the network's threads. One that was started counts until it
    /// ends, even when nobody waits for it any more.
    async fn answer(&self, query: RebalanceQuery) -> Result<RebalanceAnswer, NoAnswer> {
        let _place = self.queries.try_acquire().map_err(|_| NoAnswer::Busy)?;
        let turn = Arc::clone(&self.answering).acquire_owned().await.map_err(|_| NoAnswer::Busy)?;
        let strategy = Arc::clone(&self.server.strategy);
        let answer = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            strategy(&query)
        });
        answer.await.map_err(|_| NoAnswer::Failed("the strategy failed".to_owned()))
    }

    fn now(&self) -> u64 {
        (self.server.clock)()
    }
}

/// Why a proven query gets no answer.
enum NoAnswer {
    Busy,
    Failed(String),
}

impl NoAnswer {
    fn refusal(self) -> (StatusCode, &'static str, String) {
        match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "busy", format!("{MAX_QUERIES} queries are waiting")),
            Self::Failed(message) => (StatusCode::INTERNAL_SERVER_ERROR, "no_answer", message),
        }
    }
}

/// Answers validators on `listener` until `stop` is done.
///
/// # Errors
/// [`MinerError::Listen`] when the socket has no address.
pub async fn serve(
    listener: TcpListener,
    server: MinerServer,
    stop: impl Future<Output = ()>,
) -> Result<(), MinerError> {
    listener.local_addr().map_err(MinerError::Listen)?;
    let miner = Arc::new(Miner {
        key: public_key_text(&server.key),
        server,
        nonces: Mutex::default(),
        axon_nonces: Mutex::default(),
        sealed: Mutex::default(),
        queries: Semaphore::new(MAX_QUERIES),
        answering: Arc::new(Semaphore::new(MAX_ANSWERS_AT_ONCE)),
    });
    let routes = Router::new().route("/health", get(health)).fallback(dispatch).with_state(miner);
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let guests = Guests::default();
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        let accepted = async {
            let room = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, room)
        };
        let ((stream, peer), room) = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            (accepted, room) = accepted => match accepted {
                Ok(accepted) => (accepted, room),
                Err(_) => {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let Some(guest) = guests.enter(peer.ip()) else { continue };
        let service = TowerToHyperService::new(routes.clone());
        connections.spawn(async move {
            let _places = (room, guest);
            let mut protocol = http1::Builder::new();
            protocol.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT).max_buf_size(MAX_BODY_BYTES);
            let connection = protocol.serve_connection(TokioIo::new(stream), service);
            // A caller that breaks off or is too slow has nobody to be told.
            _ = timeout(CONNECTION_TIMEOUT, connection).await;
        });
    }
    let ended = async { while connections.join_next().await.is_some() {} };
    _ = timeout(STOP_TIMEOUT, ended).await;
    Ok(())
}

async fn health(State(miner): State<Arc<Miner>>) -> Response {
    let health = serde_json::json!({ "status": "ok", "protocol": VERSION, "key": miner.key });
    reply(StatusCode::OK, health.to_string().into_bytes(), std::iter::empty())
}

async fn dispatch(State(miner): State<Arc<Miner>>, request: Request) -> Response {
    let native = assay_lp::protocol::auth::Headers::read(|name| header(request.headers(), name));
    match &miner.server.axon {
        Some(axon) if native.version.is_none() && native.signature.is_none() => {
            axon::respond(&miner, axon, request).await
        }
        _ => native::respond(&miner, &native, request).await,
    }
}

/// Why a body was not read.
enum Unread {
    TooLarge,
    Broken,
    Slow,
}

impl Unread {
    fn problem(&self) -> (StatusCode, &'static str, String) {
        match self {
            Self::TooLarge => {
                (StatusCode::PAYLOAD_TOO_LARGE, "too_large", format!("the body is above {MAX_BODY_BYTES} bytes"))
            }
            Self::Broken => (StatusCode::BAD_REQUEST, "broken", "the body broke off".into()),
            Self::Slow => {
                let seconds = READ_TIMEOUT.as_secs();
                (StatusCode::REQUEST_TIMEOUT, "slow", format!("the body took more than {seconds} s"))
            }
        }
    }
}

async fn read_body(body: Body) -> Result<Bytes, Unread> {
    use axum::body::HttpBody as _;
    if body.size_hint().lower() > MAX_BODY_BYTES as u64 {
        return Err(Unread::TooLarge);
    }
    match timeout(READ_TIMEOUT, axum::body::to_bytes(body, MAX_BODY_BYTES)).await {
        Err(_) => Err(Unread::Slow),
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => match std::error::Error::source(&error) {
            Some(source) if source.is::<LengthLimitError>() => Err(Unread::TooLarge),
            _ => Err(Unread::Broken),
        },
    }
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

fn problem(error: &str, message: String) -> Vec<u8> {
    let problem = Problem { error: error.to_owned(), message };
    serde_json::to_vec(&problem).unwrap_or_default()
}

fn reply<'a>(status: StatusCode, body: Vec<u8>, headers: impl Iterator<Item = (&'static str, &'a str)>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    for (name, value) in headers {
        // A text that a header cannot hold is in the body anyway.
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// Locks; a panic elsewhere leaves nothing half-written under these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
