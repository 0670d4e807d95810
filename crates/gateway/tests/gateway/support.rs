//! A platform database with signals in it, and a dispatcher at work on it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use assay_gateway::{Backoff, Dispatcher, GatewaySettings, Hub, Published, seal_secret};
use assay_store::database::{
    CommittedClose, DatabaseLocation, Destination, DestinationKind, NewDestination, PlatformDatabase, StoredSignal,
    StreamMode,
};
use assay_store::{Home, Stop, Vault};
use assay_types::{Action, Hash, Secret, Signal, SigningKey, sign};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub const MODEL: &str = "a1b2c3";
pub const SECRET: &str = "whsec_0123456789abcdef";

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

/// Impatient, so that a test need not wait.
pub fn settings() -> GatewaySettings {
    GatewaySettings {
        allow_private_webhooks: true,
        send_timeout: Duration::from_secs(2),
        backoff: Backoff { first: Duration::from_millis(20), most: Duration::from_millis(400) },
        poll: Duration::from_millis(100),
        ..GatewaySettings::default()
    }
}

/// A signed signal.
pub fn signal(model_id: &str, seq: u64) -> Signal {
    let mut signal = Signal {
        ts: "2025-09-03T14:00:00Z".into(),
        symbol: "BTC-USDT".into(),
        action: if seq.is_multiple_of(2) { Action::Long100 } else { Action::Short100 },
        price_ref: format!("27251.{seq}"),
        model_id: model_id.into(),
        seq,
        sig_hash: Hash([0; 32]),
        signature: String::new(),
    };
    signal.sig_hash = signal.expected_sig_hash();
    signal.signature = sign(&signal, &SigningKey::from_bytes(&[7; 32]));
    signal
}

pub struct Platform {
    pub home: Home,
    pub database: PlatformDatabase,
    pub vault: Vault,
    pub hub: Hub,
    folder: Option<TempDir>,
}

impl Platform {
    pub async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let platform = Self::at(folder.path()).await;
        Self { folder: Some(folder), ..platform }
    }

    /// The platform of another process.
    pub async fn at(path: &Path) -> Self {
        let home = Home::open(path).unwrap();
        let location = DatabaseLocation::Sqlite(path.join("platform.db"));
        let database = PlatformDatabase::open(&location).await.unwrap();
        let vault = home.vault().unwrap();
        Self { home, database, vault, hub: Hub::new(), folder: None }
    }

    pub fn path(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub fn stop(&self) -> Stop {
        Stop::at(&self.home)
    }

    /// Stores signals of `model_id` numbered so, and tells of them; their lines.
    pub async fn publish(&self, model_id: &str, seqs: std::ops::Range<u64>) -> Vec<String> {
        self.publish_as(model_id, seqs, StreamMode::Live).await
    }

    pub async fn publish_on_paper(&self, model_id: &str, seqs: std::ops::Range<u64>) -> Vec<String> {
        self.publish_as(model_id, seqs, StreamMode::Paper).await
    }

    async fn publish_as(&self, model_id: &str, seqs: std::ops::Range<u64>, mode: StreamMode) -> Vec<String> {
        let rows: Vec<StoredSignal> = seqs.map(|seq| StoredSignal { mode, ..row(model_id, seq) }).collect();
        let close = CommittedClose {
            feed: "test".to_owned(),
            candle: None,
            signals: rows.clone(),
            halted: Vec::new(),
            speakers: [].into(),
            changes: None,
        };
        self.database.commit_close(&close, now_ms()).await.unwrap();
        let published: Vec<Published> = rows.iter().map(published).collect();
        self.hub.publish(&published);
        rows.into_iter().map(|row| row.signal).collect()
    }

    pub async fn destination(&self, id: &str, kind: DestinationKind, target: &str) -> Destination {
        let secret = seal_secret(&self.vault, id, &Secret::new(SECRET.to_owned())).unwrap();
        let new = NewDestination {
            destination_id: id.to_owned(),
            model_id: MODEL.to_owned(),
            owner: "user".to_owned(),
            kind,
            target: target.to_owned(),
            secret: (kind == DestinationKind::Webhook).then_some(secret),
            heartbeats: kind != DestinationKind::Webhook,
            next_seq: 0,
        };
        self.database.insert_destination(&new, now_ms()).await.unwrap()
    }

    pub fn dispatcher(&self, settings: GatewaySettings) -> Dispatcher {
        let (database, vault) = (self.database.clone(), self.vault.clone());
        Dispatcher::new(database, vault, self.stop(), self.hub.clone(), settings).unwrap()
    }

    pub fn run(&self, settings: GatewaySettings) -> Running {
        let dispatcher = self.dispatcher(settings);
        let (shutdown, watched) = watch::channel(false);
        let task = tokio::spawn({
            let dispatcher = dispatcher.clone();
            async move { dispatcher.run(watched).await }
        });
        Running { dispatcher, shutdown, task }
    }

    /// Waits until a destination has got all signals below `next_seq`.
    pub async fn reaches(&self, id: &str, next_seq: u64, within: Duration) {
        let deadline = tokio::time::Instant::now() + within;
        loop {
            let destination = self.database.destination(id).await.unwrap().unwrap();
            if destination.next_seq >= next_seq {
                return;
            }
            assert!(tokio::time::Instant::now() < deadline, "still at {destination:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// A dispatcher at work.
pub struct Running {
    pub dispatcher: Dispatcher,
    shutdown: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub async fn end(self) {
        self.shutdown.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn row(model_id: &str, seq: u64) -> StoredSignal {
    StoredSignal {
        model_id: model_id.to_owned(),
        seq,
        stream_id: "stream".to_owned(),
        mode: StreamMode::Live,
        closed_at: now_ms(),
        received_at: now_ms(),
        due_at: now_ms(),
        stored_at: now_ms(),
        signal: serde_json::to_string(&signal(model_id, seq)).unwrap(),
        equity: "10000".to_owned(),
    }
}

fn published(row: &StoredSignal) -> Published {
    Published {
        model_id: Arc::from(row.model_id.as_str()),
        seq: row.seq,
        mode: row.mode.name().into(),
        closed_at: row.closed_at,
        line: row.signal.as_str().into(),
    }
}

/// That every signal came, that each came for the first time after the one before it, and that
/// each is what was stored; how many came more than once.
pub fn check_log(received: &[String], stored: &[String]) -> usize {
    let mut next = 0;
    for (place, line) in received.iter().enumerate() {
        let seq: u64 = serde_json::from_str::<Signal>(line).unwrap().seq;
        let index = usize::try_from(seq).unwrap();
        assert_eq!(line, &stored[index], "signal {seq} is not what was stored");
        assert!(index <= next, "signal {seq} at place {place} overtook signal {next}");
        next = next.max(index + 1);
    }
    assert_eq!(next, stored.len(), "signals are missing at the end");
    received.len() - stored.len()
}
