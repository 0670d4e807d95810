//! Requests to a node: in batches, bounded, and repeated while that may help.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::endpoint::Endpoint;
use crate::error::ChainError;
use crate::hexadecimal::shortened;
use crate::refusal::{LOGS, Refusal, meaning};
use crate::reply::{Item, NodeError, Replies, replies};

/// How long a connection may take to open.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one request may take, from the first byte sent to the last byte read.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// How often a request is tried before it counts as failed.
pub const MAX_ATTEMPTS: u32 = 8;
/// The wait after the first failure; each further one doubles it.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(250);
/// The longest wait after a failure, whatever a node asks for.
pub const MAX_BACKOFF: Duration = Duration::from_secs(30);
/// The largest answer that is read.
pub const MAX_RESPONSE_BYTES: usize = 64 << 20;
/// The most calls sent at once.
pub const MAX_BATCH: usize = 100;

/// The status of an answer that is too large, to us or to the node.
const TOO_LARGE: i64 = 413;
/// The status of an answer that did not come in time.
const TOO_LATE: i64 = 408;

/// How patient a client is.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// How long one request may take, [`REQUEST_TIMEOUT`] by default.
    pub request_timeout: Duration,
    /// How often a request is tried, [`MAX_ATTEMPTS`] by default.
    pub max_attempts: u32,
    /// The wait after the first failure, [`FIRST_BACKOFF`] by default.
    pub first_backoff: Duration,
    /// The largest answer that is read, [`MAX_RESPONSE_BYTES`] by default.
    pub max_response_bytes: usize,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            request_timeout: REQUEST_TIMEOUT,
            max_attempts: MAX_ATTEMPTS,
            first_backoff: FIRST_BACKOFF,
            max_response_bytes: MAX_RESPONSE_BYTES,
        }
    }
}

/// A question to a node.
#[derive(Debug, Clone)]
pub struct Call {
    /// The name of the method.
    pub method: &'static str,
    /// Its parameters, a list.
    pub params: Value,
    /// Whether it asks about several blocks and can be asked about fewer.
    pub divisible: bool,
}

impl Call {
    /// A question that cannot be divided.
    #[must_use]
    pub fn new(method: &'static str, params: Value) -> Self {
        Self { method, params, divisible: false }
    }
}

/// A client of one node.
#[derive(Debug)]
pub struct RpcClient {
    endpoint: Endpoint,
    http: reqwest::Client,
    options: ClientOptions,
    next_id: AtomicU64,
    batch_size: AtomicUsize,
}

/// What one request came to.
enum Sent {
    /// One answer per call.
    Items(Vec<Item>),
    /// The node says no to all of them.
    Denied(NodeError),
    /// Failed for now; the node may say how long to wait.
    Later(String, Option<Duration>),
    /// Too many calls at once.
    SmallerBatch(String),
}

impl RpcClient {
    /// A client with the usual patience.
    ///
    /// # Errors
    /// [`ChainError::Endpoint`] when the system gives no TLS.
    pub fn new(endpoint: Endpoint) -> Result<Self, ChainError> {
        Self::with(endpoint, ClientOptions::default())
    }

    /// A client with another patience.
    ///
    /// # Errors
    /// As [`RpcClient::new`].
    pub fn with(endpoint: Endpoint, options: ClientOptions) -> Result<Self, ChainError> {
        // A redirect would carry the key to wherever it points.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(options.request_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ChainError::Endpoint { detail: format!("no HTTP client on this machine: {error}") })?;
        Ok(Self { endpoint, http, options, next_id: AtomicU64::new(1), batch_size: AtomicUsize::new(MAX_BATCH) })
    }

    /// Where the node is.
    #[must_use]
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Asks one question.
    ///
    /// # Errors
    /// [`ChainError::Unreachable`] after the last attempt, [`ChainError::Refused`] when the node
    /// says no.
    pub async fn call(&self, call: Call) -> Result<Box<RawValue>, ChainError> {
        let method = call.method;
        let item = self.items(&[call]).await?.pop();
        let item = item.ok_or_else(|| self.malformed(method, "no answer".into()))?;
        item.map_err(|error| self.refused(method, error))
    }

    /// Asks many questions, [`MAX_BATCH`] or fewer per request; the answers come in the
    /// order of the questions.
    ///
    /// # Errors
    /// As [`RpcClient::call`]; one refused question fails all.
    pub async fn batch(&self, calls: &[Call]) -> Result<Vec<Box<RawValue>>, ChainError> {
        let items = self.items(calls).await?;
        let refused = |(item, call): (Item, &Call)| item.map_err(|error| self.refused(call.method, error));
        items.into_iter().zip(calls).map(refused).collect()
    }

    pub(crate) fn refused(&self, method: &'static str, error: NodeError) -> ChainError {
        ChainError::Refused { node: self.endpoint.to_string(), method, code: error.code, detail: error.message }
    }

    pub(crate) fn malformed(&self, method: &'static str, detail: String) -> ChainError {
        ChainError::Malformed { node: self.endpoint.to_string(), method, detail: self.endpoint.without_keys(&detail) }
    }

    /// The answers of the node, its refusals among them.
    pub(crate) async fn items(&self, calls: &[Call]) -> Result<Vec<Item>, ChainError> {
        let mut answers = Vec::with_capacity(calls.len());
        let mut rest = calls;
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(self.batch_size.load(Ordering::Relaxed).clamp(1, rest.len()));
            if let Some(items) = self.chunk(chunk).await? {
                answers.extend(items);
                rest = tail;
            }
        }
        Ok(answers)
    }

    /// The answers to calls sent at once, or `None` when they were too many, which cannot
    /// happen again and again: each time the batch size is halved, and one call is not many.
    async fn chunk(&self, calls: &[Call]) -> Result<Option<Vec<Item>>, ChainError> {
        let mut answers: Vec<Option<Item>> = std::iter::repeat_with(|| None).take(calls.len()).collect();
        let mut failures = 0;
        loop {
            let open: Vec<usize> = (0..calls.len()).filter(|place| answers[*place].is_none()).collect();
            if open.is_empty() {
                return Ok(Some(answers.into_iter().flatten().collect()));
            }
            let asked: Vec<&Call> = open.iter().map(|place| &calls[*place]).collect();
            let (detail, wait) = match self.send(&asked).await {
                Sent::Items(items) => {
                    let mut detail = String::new();
                    for (place, item) in open.iter().zip(items) {
                        match self.judged(&calls[*place], item) {
                            Ok(item) => {
                                answers[*place] = Some(item);
                                failures = 0;
                            }
                            Err(later) => detail = later,
                        }
                    }
                    (detail, None)
                }
                Sent::Denied(error) => match meaning(asked[0].method, error.code, &error.message) {
                    Refusal::Later => (error.message, None),
                    // Nodes that know no batches, or shorter ones, say so in many words.
                    _ if asked.len() > 1 => return self.smaller_batch(asked.len()),
                    _ => {
                        open.iter().for_each(|place| answers[*place] = Some(Err(error.clone())));
                        continue;
                    }
                },
                Sent::Later(detail, wait) => (detail, wait),
                Sent::SmallerBatch(_) if asked.len() > 1 => return self.smaller_batch(asked.len()),
                Sent::SmallerBatch(detail) => return Err(self.malformed(calls[0].method, detail)),
            };
            if answers.iter().all(Option::is_some) {
                continue;
            }
            failures += 1;
            if failures >= self.options.max_attempts {
                let node = self.endpoint.to_string();
                return Err(ChainError::Unreachable { node, method: calls[0].method, attempts: failures, detail });
            }
            tokio::time::sleep(wait.unwrap_or_else(|| self.backoff(failures))).await;
        }
    }

    /// The answer, or why to ask again.
    fn judged(&self, call: &Call, item: Item) -> Result<Item, String> {
        match item {
            Err(error) => {
                let message = self.endpoint.without_keys(&shortened(&error.message));
                match meaning(call.method, error.code, &message) {
                    Refusal::Later => Err(format!("{message} (code {})", error.code)),
                    _ => Ok(Err(NodeError { message, ..error })),
                }
            }
            answer => Ok(answer),
        }
    }

    fn smaller_batch(&self, refused: usize) -> Result<Option<Vec<Item>>, ChainError> {
        self.batch_size.fetch_min((refused / 2).max(1), Ordering::Relaxed);
        Ok(None)
    }

    /// The wait after so many failures in a row.
    pub(crate) fn backoff(&self, failures: u32) -> Duration {
        let factor = 1_u32 << failures.saturating_sub(1).min(16);
        self.options.first_backoff.saturating_mul(factor).min(MAX_BACKOFF)
    }

    pub(crate) fn max_attempts(&self) -> u32 {
        self.options.max_attempts
    }

    async fn send(&self, calls: &[&Call]) -> Sent {
        let first_id = self.next_id.fetch_add(calls.len() as u64, Ordering::Relaxed);
        let mut questions: Vec<Value> = (first_id..)
            .zip(calls)
            .map(|(id, call)| json!({ "jsonrpc": "2.0", "id": id, "method": call.method, "params": call.params }))
            .collect();
        // Nodes that know no batches answer single questions.
        let question = if calls.len() == 1 { questions.remove(0) } else { Value::Array(questions) };
        let request = self.http.post(self.endpoint.url().clone()).header("content-type", "application/json");
        let (status, wait, body) = match self.exchange(request.body(question.to_string())).await {
            Ok(answer) => answer,
            Err(Failure::TooLarge) => return self.too_large(calls),
            Err(Failure::TimedOut) if calls.len() == 1 && calls[0].divisible => {
                let message = format!("no answer within {:?}", self.options.request_timeout);
                return Sent::Denied(NodeError { code: TOO_LATE, message });
            }
            Err(Failure::TimedOut) => {
                return Sent::Later(format!("no answer within {:?}", self.options.request_timeout), None);
            }
            Err(Failure::Connection(detail)) => return Sent::Later(self.endpoint.without_keys(&detail), None),
        };
        let told = || self.endpoint.without_keys(&shortened(&String::from_utf8_lossy(&body)));
        match (status, replies(&body, first_id, calls.len())) {
            (429, _) => Sent::Later(format!("status 429: {}", told()), wait),
            (_, Ok(Replies::Whole(error))) => {
                Sent::Denied(NodeError { message: self.endpoint.without_keys(&shortened(&error.message)), ..error })
            }
            (_, Ok(Replies::Each(items))) => Sent::Items(items),
            (413, _) => self.too_large(calls),
            (500..=599, _) => Sent::Later(format!("status {status}: {}", told()), wait),
            (200..=299, Err(detail)) => Sent::Later(self.endpoint.without_keys(&detail), None),
            _ => Sent::Denied(NodeError { code: i64::from(status), message: told() }),
        }
    }

    fn too_large(&self, calls: &[&Call]) -> Sent {
        let message = format!("the answer is longer than {} bytes", self.options.max_response_bytes);
        if calls.len() == 1 && calls[0].method == LOGS {
            return Sent::Denied(NodeError { code: TOO_LARGE, message });
        }
        Sent::SmallerBatch(message)
    }

    /// Status, the wait it asks for, and the whole body.
    async fn exchange(&self, request: reqwest::RequestBuilder) -> Result<(u16, Option<Duration>, Vec<u8>), Failure> {
        let mut response = request.send().await.map_err(Failure::of)?;
        let status = response.status().as_u16();
        let asked = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let wait = asked.map(|seconds| Duration::from_secs(seconds).min(MAX_BACKOFF));
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(Failure::of)? {
            if body.len() + chunk.len() > self.options.max_response_bytes {
                return Err(Failure::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, wait, body))
    }
}

/// Why a request has no answer.
enum Failure {
    TooLarge,
    TimedOut,
    Connection(String),
}

impl Failure {
    fn of(error: reqwest::Error) -> Self {
        if error.is_timeout() && !error.is_connect() {
            return Self::TimedOut;
        }
        let error = error.without_url();
        // The outermost error alone says only "error sending request".
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            text = format!("{text}: {cause}");
            source = cause.source();
        }
        Self::Connection(text)
    }
}
