//! A home with candles and a trained policy, and a server's live part over it.

use std::path::Path;
use std::time::Duration;

use assay_gateway::GatewaySettings;
use assay_jobs::jobs::train::Train;
use assay_jobs::{Advance, JobError, Progress, Workspace};
use assay_lake::OnConflict;
use assay_store::Home;
use assay_store::database::{DatabaseLocation, StoredSignal, Stream, StreamStatus};
use assay_testkit::generate_candles;
use assay_types::{Candle, Candles, Dataset, Timeframe};
use futures::TryStreamExt as _;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::live::{NewStreamRequest, SourceRequest, run, start_stream};
use crate::state::{ServerState, Settings};

pub const STEP: i64 = Timeframe::M1.ms();
pub const FIRST_MS: i64 = 1_700_000_400_000 / STEP * STEP;
/// Candles in the lake.
pub const STORED: usize = 900;
/// The longest that a test waits for something.
pub const PATIENCE: Duration = Duration::from_secs(60);

struct Unwatched;

impl Progress for Unwatched {
    fn stage(&self, _: &str) {}
    fn advance(&self, _: &Advance) {}
    fn note(&self, _: &str) {}
    fn done(&self) {}
}

pub fn dataset() -> Dataset {
    "binance/BTC-USDT/1m".parse().unwrap()
}

/// What is in the lake, and `more` candles after it.
pub fn candles(more: usize) -> Vec<Candle> {
    generate_candles(3, FIRST_MS, Timeframe::M1, STORED + more)
}

/// Fills the lake of `home` and trains `count` policies; the ids of their runs. Blocks.
pub fn trained(home: &Path, count: u64) -> Vec<String> {
    let workspace = Workspace::open(home, None, &Unwatched, 1, false).unwrap();
    let mut stored = Candles::new(dataset().market, Timeframe::M1);
    candles(0).into_iter().for_each(|candle| stored.push(candle));
    workspace.lake.store_candles(&stored, OnConflict::Refuse).unwrap();
    let train = |seed: u64| {
        let config = json!({
            "dataset": dataset(), "algorithm": "ppo", "seed": seed, "total_timesteps": 512, "n_envs": 2, "n_steps": 64,
            "net_arch": [8], "features": ["return_1", "rsi_14", "gap"], "split_preset": "short",
        });
        Train { config, resume: false, asked: false, again: false }.run(&workspace).unwrap().run_id
    };
    (0..count).map(train).collect()
}

pub fn settings(home: &Path) -> Settings {
    let sqlite = |name: &str| DatabaseLocation::Sqlite(home.join(name));
    Settings {
        home: Home::open(home).unwrap(),
        lake: None,
        platform: sqlite("platform.db"),
        liquidity: sqlite("jobs.db"),
        gateway: GatewaySettings::default(),
        job_slots: 0,
        demo: false,
    }
}

/// A server's live part; dropped, it ends as a killed process does.
pub struct Running {
    pub state: ServerState,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<Result<(), JobError>>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    pub fn over(state: ServerState) -> Self {
        let (shutdown, told) = watch::channel(false);
        let task = tokio::spawn(run(state.clone(), told));
        Self { state, shutdown, task }
    }

    /// Ends it as a killed process does; what it held is free then.
    pub async fn kill(mut self) {
        self.task.abort();
        let _ = (&mut self.task).await;
    }

    /// Lets it end by itself.
    pub async fn stop(mut self) {
        self.shutdown.send_replace(true);
        tokio::time::timeout(PATIENCE, &mut self.task).await.unwrap().unwrap().unwrap();
    }

    pub async fn stream(&self, stream_id: &str) -> Stream {
        self.state.platform.stream(stream_id).await.unwrap().unwrap()
    }

    /// Waits until the stream is in a state.
    pub async fn until(&self, stream_id: &str, status: StreamStatus) -> Stream {
        let wait = async {
            loop {
                let stream = self.stream(stream_id).await;
                if stream.status == status {
                    return stream;
                }
                assert_ne!(stream.status, StreamStatus::Failed, "{:?}", stream.reason);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    }

    /// Waits until the model has said `count` signals.
    pub async fn said(&self, model_id: &str, count: u64) -> Vec<StoredSignal> {
        let wait = async {
            while self.state.platform.next_seq(model_id).await.unwrap() < count {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap();
        all_signals(&self.state, model_id).await
    }
}

pub async fn all_signals(state: &ServerState, model_id: &str) -> Vec<StoredSignal> {
    let mut all: Vec<StoredSignal> = Vec::new();
    loop {
        let page = state.platform.signals_from(model_id, all.len() as u64, 1_000).await.unwrap();
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

pub fn replay(pace_ms: u64) -> SourceRequest {
    SourceRequest::Replay { from: None, to: None, pace_ms: Some(pace_ms) }
}

/// Begins a stream of `owner` without limits.
pub async fn begin(state: &ServerState, run_id: &str, source: SourceRequest) -> Stream {
    let request =
        NewStreamRequest { run_id: run_id.to_owned(), owner: "owner".to_owned(), source, limits: None, phrase: None };
    start_stream(state, request).await.unwrap()
}

/// What `assay signals replay` says of the run: one line per signal, and the equity hash.
pub async fn replayed(state: &ServerState, run_id: &str) -> (Vec<String>, String) {
    let run_id = run_id.to_owned();
    super::super::model::in_workspace(&state.settings, move |workspace| {
        let run = assay_jobs::jobs::runs::LoadedRun::load(workspace, &run_id)?;
        let replayed = assay_jobs::jobs::signals::replay_signals(workspace, &run)?;
        let lines = replayed.text.lines().skip(1).map(str::to_owned).collect();
        Ok((lines, replayed.equity_hash.to_string()))
    })
    .await
    .unwrap()
}

/// The audit of a stream's signal file on the candles that its feed stored.
pub async fn audited(state: &ServerState, stream: &Stream) -> assay_engine::Audit {
    let file = crate::live::signal_file(state, stream).await.unwrap();
    let text: String = file.pieces().try_collect::<Vec<String>>().await.unwrap().concat();
    let mut candles = Candles::new(dataset().market, Timeframe::M1);
    for candle in super::super::history::stored_candles(state, &stream.feed).await.unwrap() {
        candles.push(candle);
    }
    assay_engine::audit(&text, &candles, None).unwrap()
}
