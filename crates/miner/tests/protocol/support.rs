//! Miners and validators of the tests.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::protocol::auth::Headers;
use assay_lp::protocol::seal::Commitment;
use assay_lp::protocol::{Problem, RevealRequest};
use assay_lp::{RebalanceAnswer, RebalanceQuery};
use assay_miner::{
    Ask, Asked, AxonServer, Clock, MinerClient, MinerEndpoint, MinerServer, Outcome, Reveal, Strategy, Wire, serve,
    system_clock,
};
use assay_types::{SigningKey, public_key_text};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;

pub const SECOND: u64 = 1_000_000_000;

pub fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

pub fn key_text(seed: u8) -> String {
    public_key_text(&key(seed))
}

pub fn query(checkpoint: u64) -> RebalanceQuery {
    serde_json::from_value(json!({
        "job_id": "weth-usdc", "sn_liquidity_manager_address": "0x1111111111111111111111111111111111111111",
        "pair_address": "0x2222222222222222222222222222222222222222", "chain_id": 8453,
        "round_id": "weth-usdc_evaluation_7", "round_type": "evaluation", "block_number": checkpoint,
        "current_price": 1.0, "sqrt_price_x96": "79228162514264337593543950336", "current_positions": [],
        "inventory_remaining": {"amount0": "100000000", "amount1": "100000000"}, "rebalances_so_far": 0,
        "tick_spacing": 200
    }))
    .unwrap()
}

pub fn answer() -> RebalanceAnswer {
    let position = json!({"tick_lower": -200, "tick_upper": 200, "allocation0": "5", "allocation1": "7"});
    RebalanceAnswer::read(json!({"desired_positions": [position]}).to_string().as_bytes()).unwrap()
}

pub fn strategy() -> Strategy {
    Arc::new(|_| answer())
}

/// A miner that runs until it is dropped.
pub struct Running {
    pub key: String,
    pub url: String,
    _stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub struct Miner {
    pub seed: u8,
    pub validators: Option<BTreeSet<String>>,
    pub axon: Option<AxonServer>,
    pub strategy: Strategy,
    pub clock: Clock,
}

impl Default for Miner {
    fn default() -> Self {
        Self { seed: 2, validators: None, axon: None, strategy: strategy(), clock: system_clock() }
    }
}

impl Miner {
    pub async fn start(self) -> Running {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let Self { seed, validators, axon, strategy, clock } = self;
        let server = MinerServer { key: key(seed), validators, axon, strategy, clock };
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(async move {
            serve(listener, server, async { _ = stopped.await }).await.unwrap();
        });
        Running { key: key_text(seed), url, _stop: stop, task }
    }
}

impl Running {
    pub fn endpoint(&self) -> MinerEndpoint {
        MinerEndpoint::new(&self.key, &self.url, Wire::Native).unwrap()
    }
}

/// The validator of the tests: seed 1.
pub fn validator() -> MinerClient {
    validator_of(1)
}

pub fn validator_of(seed: u8) -> MinerClient {
    MinerClient::new(key(seed), None, system_clock()).unwrap()
}

pub fn within(milliseconds: u64) -> Instant {
    Instant::now() + Duration::from_millis(milliseconds)
}

pub fn ask(endpoint: &MinerEndpoint, checkpoint: u64) -> Ask {
    Ask { endpoint: endpoint.clone(), query: query(checkpoint) }
}

pub fn reveal(endpoint: &MinerEndpoint, checkpoint: u64, commitment: Commitment) -> Reveal {
    let (job_id, round_id) = ("weth-usdc".into(), "weth-usdc_evaluation_7".into());
    Reveal { endpoint: endpoint.clone(), request: RevealRequest { job_id, round_id, checkpoint, commitment } }
}

pub fn committed(asked: &Asked) -> Commitment {
    match &asked.outcome {
        Outcome::Committed(commitment) => *commitment,
        other => panic!("{other:?}"),
    }
}

/// A response as any HTTP client sees it.
pub struct Response {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Vec<u8>,
}

impl Response {
    pub fn problem(&self) -> Problem {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn assay_headers(&self) -> Headers {
        Headers::read(|name| Some(self.headers.get(name)?.to_str().unwrap().to_owned()))
    }
}

/// A plain request with whatever headers.
pub async fn send<'a, 'b>(
    method: &str,
    url: &str,
    headers: impl Iterator<Item = (&'b str, &'a str)>,
    body: &[u8],
) -> Response {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = http.request(method.parse().unwrap(), url).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Response { status, headers, body: response.bytes().await.unwrap().to_vec() }
}
