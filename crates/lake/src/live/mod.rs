//! Candles as they close, over the exchanges' WebSockets.
//!
//! A feed gives closed candles in strictly ascending order, each once, without holes except
//! real gaps: a hole is filled over REST before later candles go on, and it counts as real
//! only when REST has nothing there a while after its end.

mod connection;
mod sequencer;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use assay_types::{Candle, Dataset};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::LakeError;
use crate::exchange::ExchangeClient;
use connection::Connection;

/// Closed candles that may wait for whoever takes them; the socket is not read meanwhile.
const CAPACITY: usize = 64;

/// How a closed candle came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The socket told it with its final values.
    Socket,
    /// The socket told that it is closed, REST its final values.
    Confirmed,
    /// REST told it after the socket had not.
    Backfill,
}

impl Origin {
    /// One lower-case word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Socket => "socket",
            Self::Confirmed => "confirmed",
            Self::Backfill => "backfill",
        }
    }
}

/// A candle that is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedCandle {
    /// The candle.
    pub candle: Candle,
    /// When it arrived, in ms since 1970 by the exchange's clock, as far as it is known.
    pub received_at_ms: i64,
    /// How it came.
    pub origin: Origin,
}

/// How long a feed waits for what; all in milliseconds.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Another address than the venue's, for a proxy or a test.
    pub socket_url: Option<String>,
    /// Longest time to connect.
    pub connect_ms: u64,
    /// A connection on which nothing came for so long is given up; pongs count.
    pub silence_ms: u64,
    /// How often to ping; `None` for the venue's own rhythm.
    pub ping_ms: Option<u64>,
    /// The first wait before connecting again; each further one doubles it.
    pub backoff_ms: u64,
    /// The longest.
    pub max_backoff_ms: u64,
    /// How long the socket's own word on a candle is waited for after its end, where the
    /// venue says which candles are closed.
    pub grace_ms: u64,
    /// How long after its end a candle of the other venues is asked for.
    pub settle_ms: u64,
    /// A candle that REST lacks so long after its end does not exist.
    pub missing_ms: i64,
    /// How often REST is asked again for a candle that it lacks.
    pub retry_ms: u64,
    /// A candle is asked for this long after its end by our own clock, though nothing came.
    pub overdue_ms: i64,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            socket_url: None,
            connect_ms: 10_000,
            silence_ms: 60_000,
            ping_ms: None,
            backoff_ms: 500,
            max_backoff_ms: 30_000,
            grace_ms: 1_500,
            settle_ms: 300,
            missing_ms: 15_000,
            retry_ms: 500,
            overdue_ms: 2_500,
        }
    }
}

/// What a feed went through.
#[derive(Debug, Default)]
pub struct FeedHealth {
    connects: AtomicU64,
    duplicates: AtomicU64,
    contradictions: AtomicU64,
    malformed: AtomicU64,
    filled: AtomicU64,
    gaps: AtomicU64,
    skew_ms: AtomicI64,
    last_error: Mutex<Option<String>>,
}

impl FeedHealth {
    /// Connections made.
    #[must_use]
    pub fn connects(&self) -> u64 {
        self.connects.load(Ordering::Relaxed)
    }

    /// Candles that came more than once and were dropped.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates.load(Ordering::Relaxed)
    }

    /// Candles that came again with other values; the first stand.
    #[must_use]
    pub fn contradictions(&self) -> u64 {
        self.contradictions.load(Ordering::Relaxed)
    }

    /// Messages that could not be read.
    #[must_use]
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }

    /// Candles that came over REST because the socket had not told them.
    #[must_use]
    pub fn filled(&self) -> u64 {
        self.filled.load(Ordering::Relaxed)
    }

    /// Candles that do not exist, between those that were told.
    #[must_use]
    pub fn gaps(&self) -> u64 {
        self.gaps.load(Ordering::Relaxed)
    }

    /// The exchange's clock less ours, less the quickest message's way.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        self.skew_ms.load(Ordering::Relaxed)
    }

    /// Why the last connection or request failed; `None` when none did.
    #[must_use]
    pub fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, text: String) {
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(text);
    }
}

/// A dataset that is being followed; it ends when dropped.
#[derive(Debug)]
pub struct LiveFeed {
    candles: mpsc::Receiver<Result<ClosedCandle, LakeError>>,
    health: Arc<FeedHealth>,
    task: JoinHandle<()>,
}

impl Drop for LiveFeed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl LiveFeed {
    /// Follows `dataset` from the candle after the one that opened at `after_ms` on, or, when
    /// `None`, from the candle that is open now on.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`] when the venue has no such candles.
    pub fn start(
        client: ExchangeClient,
        dataset: &Dataset,
        after_ms: Option<i64>,
        settings: LiveSettings,
    ) -> Result<Self, LakeError> {
        let venue = client.venue();
        if dataset.market.exchange != venue.exchange() {
            return Err(LakeError::Unsupported(format!("{dataset} is not a dataset of {}", venue.exchange())));
        }
        venue.interval(dataset.timeframe)?;
        let rule = venue.closed_rule()?;
        let health = Arc::new(FeedHealth::default());
        let (sender, candles) = mpsc::channel(CAPACITY);
        let connection = Connection::new(client, dataset.clone(), after_ms, settings, rule, health.clone(), sender);
        let task = tokio::spawn(connection.run());
        Ok(Self { candles, health, task })
    }

    /// The next closed candle; `None` after an error.
    ///
    /// # Errors
    /// [`LakeError::Refused`] or [`LakeError::Unsupported`] when the exchange will never
    /// serve this; nothing follows then.
    pub async fn next(&mut self) -> Option<Result<ClosedCandle, LakeError>> {
        self.candles.recv().await
    }

    /// What the feed went through.
    #[must_use]
    pub fn health(&self) -> Arc<FeedHealth> {
        self.health.clone()
    }
}
