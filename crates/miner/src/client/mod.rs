//! The validator's side: asks every miner at once, and whatever one miner does costs only
//! that miner.

mod endpoint;
mod fault;
mod http;

use std::sync::Arc;
use std::time::Duration;

use assay_lp::protocol::auth::{Headers, sign_request, verify_response};
use assay_lp::protocol::seal::{self, Commitment};
use assay_lp::protocol::{CommitReply, QUERY_PATH, REVEAL_PATH, RevealReply, RevealRequest, axon_v10};
use assay_lp::round::Reply;
use assay_lp::{RebalanceAnswer, RebalanceQuery};
use assay_types::{SigningKey, public_key_text};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::axon::AxonKey;
use crate::clock::{Clock, Nonces};
use crate::error::MinerError;
use crate::server::Wire;

pub use endpoint::MinerEndpoint;
pub use fault::Fault;

/// Miners asked in one call; those beyond are not asked.
pub const MAX_ASKS: usize = 1024;
/// Connecting takes no longer, whatever the deadline.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Header lines of a response.
const MAX_RESPONSE_HEADERS: usize = 64;

/// One question to one miner.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The miner.
    pub endpoint: MinerEndpoint,
    /// What it is asked.
    pub query: RebalanceQuery,
}

/// What came of a question.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The miner sealed an answer.
    Committed(Commitment),
    /// A miner on the v10 axon wire answered openly.
    Open(RebalanceAnswer),
    /// There is no answer.
    Failed(Fault),
}

/// One miner's outcome.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// Key of the miner.
    pub miner: String,
    /// What came of it.
    pub outcome: Outcome,
    /// Whether the miner proved that the outcome is its own.
    pub authenticated: bool,
    /// Milliseconds until the outcome.
    pub response_ms: u64,
}

impl Asked {
    /// What the round is told now; nothing while the answer is sealed.
    #[must_use]
    pub fn reply(&self) -> Option<Reply> {
        match &self.outcome {
            Outcome::Committed(_) => None,
            Outcome::Open(answer) => Some(Reply::Answer(answer.clone())),
            Outcome::Failed(fault @ Fault::Answer(_)) => Some(Reply::Invalid(fault.to_string())),
            Outcome::Failed(fault) => Some(Reply::Missed(fault.to_string())),
        }
    }
}

/// One sealed answer to be opened.
#[derive(Debug, Clone)]
pub struct Reveal {
    /// The miner.
    pub endpoint: MinerEndpoint,
    /// Where and what it sealed.
    pub request: RevealRequest,
}

/// An answer that opens its commitment.
#[derive(Debug, Clone, PartialEq)]
pub struct RevealedAnswer {
    /// The answer.
    pub answer: RebalanceAnswer,
    /// The text that was sealed, for the record.
    pub text: String,
    /// The salt, for the record.
    pub salt: String,
}

/// One miner's reveal.
#[derive(Debug, Clone, PartialEq)]
pub struct Revealed {
    /// Key of the miner.
    pub miner: String,
    /// The answer, or why there is none.
    pub outcome: Result<RevealedAnswer, Fault>,
    /// Milliseconds until the outcome.
    pub response_ms: u64,
}

impl Revealed {
    /// What the round is told: an answer, or an invalid one when it was not opened (R6).
    #[must_use]
    pub fn reply(&self) -> Reply {
        match &self.outcome {
            Ok(opened) => Reply::Answer(opened.answer.clone()),
            Err(fault) => Reply::Invalid(fault.to_string()),
        }
    }
}

/// A validator's HTTP client. Clones share it.
#[derive(Clone)]
pub struct MinerClient {
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    key: SigningKey,
    us: String,
    axon: Option<AxonKey>,
    axon_uuid: String,
    nonces: Nonces,
}

impl MinerClient {
    /// A client that signs with `key`, and with `axon` towards miners on the v10 axon wire.
    /// Redirects are not followed and no proxy of the environment is used.
    ///
    /// # Errors
    /// [`MinerError`] when the system gives no HTTP client or no randomness.
    pub fn new(key: SigningKey, axon: Option<AxonKey>, clock: Clock) -> Result<Self, MinerError> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .http1_max_headers(MAX_RESPONSE_HEADERS)
            .pool_max_idle_per_host(0)
            .build()
            .map_err(|error| MinerError::Client(error.to_string()))?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(|error| MinerError::Randomness(error.to_string()))?;
        let us = public_key_text(&key);
        let axon_uuid = hex::encode(id);
        Ok(Self { inner: Arc::new(Inner { http, key, us, axon, axon_uuid, nonces: Nonces::new(clock) }) })
    }

    /// Our public key, which miners put on their lists.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.inner.us
    }

    /// Asks one miner; returns at the deadline at the latest.
    pub async fn ask(&self, ask: &Ask, deadline: Instant) -> Asked {
        let start = Instant::now();
        let Ask { endpoint, query } = ask;
        let native = endpoint.wire() == Wire::Native;
        let work = async {
            if native {
                self.commitment(endpoint, query).await
            } else {
                self.open_answer(endpoint, query, deadline).await
            }
        };
        let outcome = timeout_at(deadline, work).await.unwrap_or(Err(Fault::Late));
        Asked {
            miner: endpoint.key().to_owned(),
            authenticated: native && outcome.is_ok(),
            outcome: outcome.unwrap_or_else(Outcome::Failed),
            response_ms: milliseconds(start),
        }
    }

    /// Asks all miners at once and returns their outcomes in the order of `asks`, at the
    /// deadline at the latest.
    pub async fn ask_all(&self, asks: Vec<Ask>, deadline: Instant) -> Vec<Asked> {
        let client = self.clone();
        let failed = |ask: &Ask, fault| Asked {
            miner: ask.endpoint.key().to_owned(),
            outcome: Outcome::Failed(fault),
            authenticated: false,
            response_ms: 0,
        };
        let work = move |ask: Ask| {
            let client = client.clone();
            async move { client.ask(&ask, deadline).await }
        };
        at_once(asks, failed, work).await
    }

    /// Has one sealed answer opened; returns at the deadline at the latest.
    pub async fn reveal(&self, reveal: &Reveal, deadline: Instant) -> Revealed {
        let start = Instant::now();
        let outcome = timeout_at(deadline, self.opened(reveal)).await.unwrap_or(Err(Fault::Late));
        Revealed { miner: reveal.endpoint.key().to_owned(), outcome, response_ms: milliseconds(start) }
    }

    /// Has all sealed answers opened at once and returns them in the order of `reveals`, at
    /// the deadline at the latest.
    pub async fn reveal_all(&self, reveals: Vec<Reveal>, deadline: Instant) -> Vec<Revealed> {
        let client = self.clone();
        let failed = |reveal: &Reveal, fault| Revealed {
            miner: reveal.endpoint.key().to_owned(),
            outcome: Err(fault),
            response_ms: 0,
        };
        let work = move |reveal: Reveal| {
            let client = client.clone();
            async move { client.reveal(&reveal, deadline).await }
        };
        at_once(reveals, failed, work).await
    }

    async fn commitment(&self, endpoint: &MinerEndpoint, query: &RebalanceQuery) -> Result<Outcome, Fault> {
        let reply: CommitReply = self.exchange(endpoint, QUERY_PATH, query).await?;
        Ok(Outcome::Committed(reply.commitment))
    }

    async fn opened(&self, reveal: &Reveal) -> Result<RevealedAnswer, Fault> {
        let Reveal { endpoint, request } = reveal;
        let reply: RevealReply = self.exchange(endpoint, REVEAL_PATH, request).await?;
        seal::verify(&request.place(endpoint.key()), request.commitment, &reply).map_err(Fault::FalseReveal)?;
        let answer = RebalanceAnswer::read(reply.answer.as_bytes()).map_err(Fault::Answer)?;
        Ok(RevealedAnswer { answer, text: reply.answer, salt: reply.salt })
    }

    /// A signed request and its verified response.
    async fn exchange<T: DeserializeOwned>(
        &self,
        endpoint: &MinerEndpoint,
        path: &'static str,
        body: &impl Serialize,
    ) -> Result<T, Fault> {
        let Inner { http, key, us, nonces, .. } = &*self.inner;
        let body = serde_json::to_vec(body).map_err(|error| Fault::Malformed(error.to_string()))?;
        let signed = sign_request(key, "POST", path, &body, nonces.next(), endpoint.key());
        let headers = signed.headers.pairs().map(|(name, value)| (name.to_owned(), value.to_owned()));
        let response = http::post(http, endpoint.url(path), headers, body).await?;
        let found = Headers::read(|name| response.header(name));
        verify_response(&found, endpoint.key(), us, signed.digest, response.status, &response.body)
            .map_err(|error| response.fault(error))?;
        response.ok()?;
        serde_json::from_slice(&response.body).map_err(|error| Fault::Malformed(error.to_string()))
    }

    async fn open_answer(
        &self,
        endpoint: &MinerEndpoint,
        query: &RebalanceQuery,
        deadline: Instant,
    ) -> Result<Outcome, Fault> {
        let Inner { http, axon, axon_uuid, nonces, .. } = &*self.inner;
        let key = axon.as_ref().ok_or(Fault::NoAxonKey)?;
        let call = axon_v10::Call {
            axon_ip: endpoint.host(),
            axon_port: endpoint.port(),
            axon_hotkey: endpoint.key(),
            dendrite_ip: "0.0.0.0",
            dendrite_hotkey: key.address(),
            uuid: axon_uuid,
            nonce: nonces.next(),
            timeout_s: deadline.saturating_duration_since(Instant::now()).as_secs_f64(),
        };
        let body = axon_v10::query_body(query).to_string().into_bytes();
        let headers = call.headers(&key.sign(&call.message()), body.len());
        let response = http::post(http, endpoint.url(QUERY_PATH), headers.into_iter(), body).await?;
        response.ok()?;
        RebalanceAnswer::read(&response.body).map(Outcome::Open).map_err(Fault::Answer)
    }
}

/// Runs `work` on every item at the same time, each in a task of its own, and keeps the order.
async fn at_once<I, O, F>(items: Vec<I>, failed: impl Fn(&I, Fault) -> O, work: impl Fn(I) -> F) -> Vec<O>
where
    I: Clone,
    O: Send + 'static,
    F: Future<Output = O> + Send + 'static,
{
    let mut outcomes: Vec<Option<O>> = items.iter().map(|_| None).collect();
    let mut tasks = JoinSet::new();
    for (index, item) in items.iter().take(MAX_ASKS).enumerate() {
        let outcome = work(item.clone());
        tasks.spawn(async move { (index, outcome.await) });
    }
    while let Some(done) = tasks.join_next().await {
        if let Ok((index, outcome)) = done {
            outcomes[index] = Some(outcome);
        }
    }
    let fault = |index: usize| if index < MAX_ASKS { Fault::Late } else { Fault::NotAsked { limit: MAX_ASKS } };
    let pairs = items.iter().zip(outcomes).enumerate();
    pairs.map(|(index, (item, outcome))| outcome.unwrap_or_else(|| failed(item, fault(index)))).collect()
}

fn milliseconds(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
