//! Feeds: the candles that streams spoke at, committed together with what they said.

use std::collections::HashSet;
use std::sync::Arc;

use super::signals::{StoredSignal, inserts};
use super::streams::{self, StreamMode, StreamStatus};
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement};

/// A closed candle of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedCandle {
    /// Its open time, in ms since 1970.
    pub open_time: i64,
    /// The candle as text, in the words of whoever stores it.
    pub candle: String,
    /// When it arrived, in ms since 1970.
    pub received_at: i64,
    /// How it arrived.
    pub origin: String,
}

/// A stream as its desk knew it when it spoke.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Speaker {
    /// Its id.
    pub stream_id: String,
    /// Paper or live.
    pub mode: StreamMode,
    /// Its limits, as JSON.
    pub limits: String,
    /// Why it was to flatten.
    pub closing: Option<String>,
}

/// One close and everything that was said at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommittedClose {
    /// The feed.
    pub feed: String,
    /// The candle that closed; `None` when it is stored already.
    pub candle: Option<FeedCandle>,
    /// What the streams said.
    pub signals: Vec<StoredSignal>,
    /// Streams that broke a limit at this close, each with the reason.
    pub halted: Vec<(String, String)>,
    /// Who spoke. All must run still, in the same mode, with the same limits, and to go on or close as then.
    pub speakers: Arc<[Speaker]>,
    /// [`PlatformDatabase::stream_changes`] when the speakers were last known to be so.
    pub changes: Option<u64>,
}

/// State from which a restart goes on, so that it need not begin at the first candle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Open time of the last candle taken, in ms since 1970.
    pub open_time: i64,
    /// The state, in the words of whoever stores it.
    pub state: String,
}

impl Speaker {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            stream_id: row.get("stream_id")?,
            mode: row.parse("mode")?,
            limits: row.get("limits")?,
            closing: row.get("closing")?,
        })
    }
}

impl FeedCandle {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            open_time: row.get("open_time")?,
            candle: row.get("candle")?,
            received_at: row.get("received_at")?,
            origin: row.get("origin")?,
        })
    }
}

impl PlatformDatabase {
    /// Stores a close: all of it or nothing. Repeating a commit whose outcome was unknown
    /// changes nothing. The number of changes of streams up to which the speakers are known to
    /// be as they were.
    ///
    /// # Errors
    /// [`DatabaseError::StreamsChanged`] when a speaker was stopped, limited or published since
    /// it spoke; [`DatabaseError::FeedMoved`] when other signals were stored under these
    /// numbers; [`DatabaseError::Sql`].
    pub async fn commit_close(&self, close: &CommittedClose, now_ms: i64) -> Result<u64, DatabaseError> {
        let rows = inserts(&close.signals, &self.speakers(&close.signals).await?)?;
        let mut transaction = self.begin().await?;
        let changes = check_speakers(&mut transaction, close).await?;
        let mut is_new = true;
        if let Some(candle) = &close.candle {
            let sql = "INSERT INTO feed_candles (feed, open_time, candle, received_at, origin) \
                       VALUES ($1, $2, $3, $4, $5) ON CONFLICT (feed, open_time) DO NOTHING";
            let statement = Statement::new("store a candle", sql)
                .bind(&close.feed)
                .bind(candle.open_time)
                .bind(&candle.candle)
                .bind(candle.received_at)
                .bind(&candle.origin);
            is_new = transaction.execute(statement).await? == 1;
        }
        let inserted = transaction.execute_all(rows).await?;
        if inserted < close.signals.len() as u64 {
            let moved = || DatabaseError::FeedMoved { feed: close.feed.clone() };
            // The same close once more: its first commit was made, though its answer was lost.
            if inserted > 0 || (is_new && close.candle.is_some()) {
                return Err(moved());
            }
            for chunk in close.signals.chunks(1_000) {
                check_same(&mut transaction, chunk).await?.then_some(()).ok_or_else(moved)?;
            }
            return Ok(changes);
        }
        if !is_new {
            return Err(DatabaseError::FeedMoved { feed: close.feed.clone() });
        }
        for (stream_id, reason) in &close.halted {
            match streams::change(&mut transaction, stream_id, StreamStatus::Halted, Some(reason.clone()), now_ms).await
            {
                // Its owner stopped it in the meantime, which is no less.
                Ok(_) | Err(DatabaseError::StreamState { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        transaction.commit().await?;
        Ok(changes)
    }

    /// Candles of a feed that open from `from_ms` on, ascending, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn feed_candles(&self, feed: &str, from_ms: i64, limit: u32) -> Result<Vec<FeedCandle>, DatabaseError> {
        let sql = "SELECT open_time, candle, received_at, origin FROM feed_candles \
                   WHERE feed = $1 AND open_time >= $2 ORDER BY open_time LIMIT $3";
        let statement = Statement::new("read candles", sql).bind(feed).bind(from_ms).bind(i64::from(limit));
        self.pool.fetch(statement).await?.iter().map(FeedCandle::read).collect()
    }

    /// Open time of the last candle of a feed; `None` before the first.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn last_feed_candle(&self, feed: &str) -> Result<Option<i64>, DatabaseError> {
        let sql = "SELECT open_time FROM feed_candles WHERE feed = $1 ORDER BY open_time DESC LIMIT 1";
        let rows = self.pool.fetch(Statement::new("read the last candle", sql).bind(feed)).await?;
        rows.first().map(|row| row.get("open_time")).transpose()
    }

    /// Stores checkpoints by name, each in place of the last one.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_checkpoints(&self, checkpoints: &[(String, Checkpoint)]) -> Result<(), DatabaseError> {
        let rows = checkpoints.iter().map(|(name, checkpoint)| {
            vec![Argument::from(name), checkpoint.open_time.into(), (&checkpoint.state).into()]
        });
        let head = "INSERT INTO checkpoints (name, open_time, state)";
        let tail = "ON CONFLICT (name) DO UPDATE SET open_time = excluded.open_time, state = excluded.state";
        let mut transaction = self.begin().await?;
        counters::take(&mut transaction, "checkpoints", 1).await?;
        transaction.execute_all(Statement::insert_many("store checkpoints", head, tail, rows)).await?;
        transaction.commit().await
    }

    /// The checkpoint `name`; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn checkpoint(&self, name: &str) -> Result<Option<Checkpoint>, DatabaseError> {
        let sql = "SELECT open_time, state FROM checkpoints WHERE name = $1";
        let rows = self.pool.fetch(Statement::new("read a checkpoint", sql).bind(name)).await?;
        let read = |row: &Row| Ok(Checkpoint { open_time: row.get("open_time")?, state: row.get("state")? });
        rows.first().map(read).transpose()
    }
}

/// Refuses when a speaker is not what it was; until the transaction ends nobody changes a
/// stream.
async fn check_speakers(transaction: &mut Transaction, close: &CommittedClose) -> Result<u64, DatabaseError> {
    let changes = if close.halted.is_empty() {
        streams::changes(transaction).await?
    } else {
        // Taken at once, since two that share the row could not both go on to write it.
        counters::take(transaction, streams::CHANGES, 1).await? - 1
    };
    if close.speakers.is_empty() || close.changes == Some(changes) {
        return Ok(changes);
    }
    let sql = "SELECT stream_id, mode, limits, closing FROM streams WHERE feed = $1 AND status = 'running'";
    let rows = transaction.fetch(Statement::new("look at the speakers", sql).bind(&close.feed)).await?;
    let running = rows.iter().map(Speaker::read).collect::<Result<HashSet<_>, _>>()?;
    let changed = close.speakers.iter().filter(|speaker| !running.contains(speaker));
    let streams: Vec<String> = changed.map(|speaker| speaker.stream_id.clone()).collect();
    if streams.is_empty() {
        return Ok(changes);
    }
    Err(DatabaseError::StreamsChanged { feed: close.feed.clone(), streams })
}

/// Whether these very signals are stored.
async fn check_same(transaction: &mut Transaction, signals: &[StoredSignal]) -> Result<bool, DatabaseError> {
    for signal in signals {
        let sql = "SELECT signal FROM signals WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) \
                   AND seq = $2";
        let statement = Statement::new("read a signal", sql)
            .bind(&signal.model_id)
            .bind(crate::database::statement::signed("seq", signal.seq)?);
        let found: Option<String> = transaction.fetch_one(statement).await?.map(|row| row.get("signal")).transpose()?;
        if found.as_ref() != Some(&signal.signal) {
            return Ok(false);
        }
    }
    Ok(true)
}
