//! From the bytes of a closed candle to the last byte at the last of 1,000 WebSocket listeners:
//! 1,000 distinct [64, 64] policies on one symbol, each close decided, signed, stored durably and
//! sent.
//!
//! `cargo bench -p assay-server --bench live_latency [-- MODELS CLOSES]`. The fake exchange, its
//! socket, the database (SQLite, synchronous) and the listeners are in this process and share its
//! cores. One JSON line: models, closes, milliseconds (median, 99th percentile, worst), the mean of
//! each stage, what is left of the mean for the exchange and the sockets, and CPU time per close.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark prints and fails by panicking"
)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use assay_jobs::jobs::runs::{Pins, policy_file};
use assay_jobs::jobs::train::Train;
use assay_jobs::{Advance, Progress, Workspace};
use assay_lake::{Clock, LiveSettings, OnConflict};
use assay_model::{Activation, Head, Mlp, Policy};
use assay_registry::ContentId;
use assay_server::access::{AccessOptions, first_owner};
use assay_server::live::{LiveOptions, NewStreamRequest, SourceRequest, VenueAddress, start_stream};
use assay_server::{GatewaySettings, ServeSettings, Server, Settings};
use assay_store::database::DatabaseLocation;
use assay_store::{Home, RunSummary};
use assay_testkit::{FakeExchange, Schedule, Series, generate_candles};
use assay_types::{Candles, Dataset, Hash, InputScaling, Timeframe};
use futures::StreamExt as _;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

const STEP: i64 = Timeframe::M1.ms();
const FIRST_MS: i64 = 1_700_000_400_000 / STEP * STEP;
const STORED: usize = 6_000;
/// Closes before the measurement: caches fill, statements are prepared.
const WARM_UP: usize = 10;

struct Unwatched;

impl Progress for Unwatched {
    fn stage(&self, _: &str) {}
    fn advance(&self, _: &Advance) {}
    fn note(&self, _: &str) {}
    fn done(&self) {}
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|text| text.parse().ok()).collect();
    let (models, closes) = (*numbers.first().unwrap_or(&1_000), *numbers.get(1).unwrap_or(&120));
    let folder = tempfile::tempdir().unwrap();
    let runs = prepare(folder.path(), models);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (mut times, stages) = runtime.block_on(measure(folder.path(), &runs, closes));
    times.sort_unstable();
    let mean = times.iter().sum::<Duration>().as_secs_f64() * 1e3 / times.len() as f64;
    let sockets = mean - stages["decide"].as_f64().unwrap() - stages["store"].as_f64().unwrap();
    let at = |share: f64| times[((times.len() - 1) as f64 * share).round() as usize].as_secs_f64() * 1e3;
    println!(
        "{}",
        json!({"models": models, "closes": times.len(), "p50_ms": at(0.5), "p99_ms": at(0.99), "worst_ms": at(1.0),
               "mean_ms": mean, "stage_means_ms": stages, "sockets_ms": sockets})
    );
}

/// A lake, one trained run, and `models` runs like it with other policies.
fn prepare(home: &Path, models: usize) -> Vec<String> {
    let dataset: Dataset = "binance/BTC-USDT/1m".parse().unwrap();
    let workspace = Workspace::open(home, None, &Unwatched, 1, false).unwrap();
    let mut candles = Candles::new(dataset.market.clone(), Timeframe::M1);
    generate_candles(3, FIRST_MS, Timeframe::M1, STORED).into_iter().for_each(|candle| candles.push(candle));
    workspace.lake.store_candles(&candles, OnConflict::Refuse).unwrap();
    let config = json!({
        "dataset": dataset, "algorithm": "ppo", "seed": 1, "total_timesteps": 256, "n_envs": 2, "n_steps": 64,
        "net_arch": [64, 64], "split_preset": "short",
    });
    let trained = Train { config, resume: false, asked: false, again: false }.run(&workspace).unwrap().run_id;
    let source = workspace.home.runs().folder(&trained);
    let [config, pins] = ["config.json", "pins.json"].map(|name| source.read(name).unwrap());
    let columns = serde_json::from_slice::<Pins>(&pins).unwrap().features.columns;
    let model = |number: usize| {
        let policy = policy(number as u64, &columns);
        let run_id = Hash::of(format!("model {number}").as_bytes()).to_string()[..32].to_owned();
        let folder = workspace.home.runs().folder(&run_id);
        let files = [
            ("config.json", config.clone()),
            ("pins.json", pins.clone()),
            ("policy.json", policy_file(&policy, Activation::Tanh)),
            ("weights.safetensors", policy.weights()),
        ];
        let listed: serde_json::Map<_, _> =
            files.iter().map(|(name, bytes)| ((*name).to_owned(), json!(ContentId::of(bytes).to_string()))).collect();
        let listed = serde_json::to_vec(&listed).unwrap();
        files.iter().for_each(|(name, bytes)| folder.write(name, bytes).unwrap());
        folder.write("artefacts.json", &listed).unwrap();
        let summary = RunSummary {
            run_id: run_id.clone(),
            weights_hash: Some(policy.weights_hash().to_string()),
            artefacts_hash: Some(Hash::of(&listed).to_string()),
            ..source.summary().unwrap()
        };
        folder.set_summary(&summary).unwrap();
        run_id
    };
    (0..models).map(model).collect()
}

/// A policy whose weights follow from `seed`.
fn policy(seed: u64, columns: &[String]) -> Policy {
    let sizes = [columns.len() + 2, 64, 64, 3];
    let mut network = Mlp::new(&sizes, Activation::Tanh).unwrap();
    let mut state = seed.wrapping_mul(2) + 1;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / (1 << 23) as f32 - 1.0) * 0.3
    };
    for (layer, pair) in sizes.windows(2).enumerate() {
        let weight: Vec<f32> = (0..pair[0] * pair[1]).map(|_| next()).collect();
        network.set_layer(layer, &weight, &vec![0.0; pair[1]]).unwrap();
    }
    let scaling = InputScaling { offset: vec![0.0; columns.len()], factor: vec![0.02; columns.len()] };
    Policy::new(columns.to_vec(), scaling, network, Head::Discrete).unwrap()
}

async fn measure(home: &Path, runs: &[String], closes: usize) -> (Vec<Duration>, Value) {
    let clock = Arc::new(AtomicI64::new(FIRST_MS + STORED as i64 * STEP + 1_000));
    let candles = generate_candles(3, FIRST_MS, Timeframe::M1, STORED + closes + 2 * WARM_UP);
    let series = Series { candles, timeframe: Some(Timeframe::M1), ..Series::default() };
    let exchange = FakeExchange::start(series, Schedule::calm(), clock.clone()).await;
    let server = Server::start(settings(home)).await.unwrap();
    let key = first_owner(server.state()).await.unwrap().unwrap();
    let owner = server.state().platform.first_owner().await.unwrap().unwrap().user_id;
    let address =
        VenueAddress { venue: "binance".to_owned(), base_url: exchange.base_url(), socket_url: exchange.socket_url() };
    let feed = LiveSettings { overdue_ms: 10 * STEP, ..LiveSettings::default() };
    let options = LiveOptions { addresses: vec![address], feed, clock: Clock::Simulated(clock.clone()) };
    server.state().live.configure(options);
    let heard = Arc::new(Heard::default());
    for run_id in runs {
        let request = NewStreamRequest {
            run_id: run_id.clone(),
            owner: owner.clone(),
            source: SourceRequest::Exchange { venue: "binance".to_owned() },
            limits: None,
            phrase: None,
        };
        let stream = start_stream(server.state(), request).await.unwrap();
        tokio::spawn(listen(server.address(), stream.model_id, key.reveal().to_owned(), heard.clone()));
    }
    // Every stream is on the desk and every socket is joined once a whole close was heard.
    let mut close = 0;
    let mut step = || {
        close += 1;
        exchange.advance_to(FIRST_MS + (STORED + close) as i64 * STEP + 100);
    };
    for _ in 0..WARM_UP {
        heard.expect(runs.len());
        step();
        let _ = tokio::time::timeout(Duration::from_secs(3), heard.all.notified()).await;
    }
    let mut times = Vec::with_capacity(closes);
    let (before, cpu_before) = (stages(server.address()).await, cpu_ms());
    for _ in 0..closes {
        heard.expect(runs.len());
        let began = Instant::now();
        step();
        let all = tokio::time::timeout(Duration::from_secs(30), heard.all.notified());
        all.await.expect("every listener hears");
        times.push(began.elapsed());
    }
    let (after, cpu_after) = (stages(server.address()).await, cpu_ms());
    server.stop().await;
    let mut split: serde_json::Map<String, Value> =
        after.iter().map(|(name, sum)| (name.clone(), json!((sum - before[name]) * 1e3 / closes as f64))).collect();
    split.insert("cpu".to_owned(), json!((cpu_after - cpu_before) / closes as f64));
    (times, Value::Object(split))
}

/// Seconds that each stage took so far, from the server's metrics.
async fn stages(address: SocketAddr) -> BTreeMap<String, f64> {
    let page = reqwest::get(format!("http://{address}/metrics")).await.unwrap().text().await.unwrap();
    let sums = page.lines().filter_map(|line| line.strip_prefix("assay_close_stage_seconds_sum{stage=\""));
    let read = |line: &str| {
        let (name, sum) = line.split_once("\"} ").unwrap();
        (name.to_owned(), sum.parse().unwrap())
    };
    sums.map(read).collect()
}

/// CPU time of this process, in milliseconds: the server, the exchange and the listeners.
fn cpu_ms() -> f64 {
    const MS_PER_TICK: f64 = 10.0;
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<f64> = rest.split_whitespace().filter_map(|field| field.parse().ok()).collect();
    (fields[10] + fields[11]) * MS_PER_TICK
}

fn settings(home: &Path) -> ServeSettings {
    let sqlite = |name: &str| DatabaseLocation::Sqlite(home.join(name));
    let state = Settings {
        home: Home::open(home).unwrap(),
        lake: None,
        platform: sqlite("platform.db"),
        liquidity: sqlite("jobs.db"),
        gateway: GatewaySettings::default(),
        job_slots: 0,
        demo: false,
    };
    let mut access = AccessOptions::default();
    access.limits.credential_per_second = 100_000;
    access.limits.address_per_second = 100_000;
    ServeSettings { state, listen: "127.0.0.1:0".parse().unwrap(), tls: None, access, live: LiveOptions::default() }
}

/// Signals that the listeners still wait for.
#[derive(Default)]
struct Heard {
    missing: AtomicUsize,
    all: Notify,
}

impl Heard {
    fn expect(&self, count: usize) {
        self.missing.store(count, Ordering::SeqCst);
    }
}

/// Listens to a model's signals over a WebSocket and counts each once its last byte is here. After the
/// greeting it reads the frames by itself, so that the listeners take as little of the cores as they can.
async fn listen(address: SocketAddr, model_id: String, key: String, heard: Arc<Heard>) {
    let mut request = format!("ws://{address}/v1/stream/{model_id}").into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let mut stream = socket.into_inner();
    let mut buffer = vec![0_u8; 16 << 10];
    let mut filled = 0;
    while let Ok(read @ 1..) = stream.read(&mut buffer[filled..]).await {
        filled += read;
        while let Some(frame) = frame(&buffer[..filled]) {
            let is_signal = buffer[..frame].windows(9).any(|window| window == b"price_ref");
            if is_signal && heard.missing.fetch_sub(1, Ordering::SeqCst) == 1 {
                heard.all.notify_one();
            }
            buffer.copy_within(frame..filled, 0);
            filled -= frame;
        }
    }
}

/// The length of the whole frame that `bytes` begin with, if it is whole; servers do not mask.
fn frame(bytes: &[u8]) -> Option<usize> {
    let length = match bytes.get(1)? {
        126 => 4 + usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])),
        127 => panic!("a signal is no longer than 64 KiB"),
        length => 2 + usize::from(*length),
    };
    (bytes.len() >= length).then_some(length)
}
