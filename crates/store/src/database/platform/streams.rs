//! Streams: a model that speaks at each close of a feed.

use std::str::FromStr;

use super::events::{self, NewEvent};
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Row, Statement, signed};

/// Whether a stream is for its owner alone or for consumers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamMode {
    /// For its owner alone.
    Paper,
    /// Published to consumers.
    Live,
}

impl StreamMode {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Paper => "paper",
            Self::Live => "live",
        }
    }
}

impl FromStr for StreamMode {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        match word {
            "paper" => Ok(Self::Paper),
            "live" => Ok(Self::Live),
            _ => Err(format!("`{word}` is none of paper, live")),
        }
    }
}

/// What a stream does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StreamStatus {
    /// Speaks at each close.
    Running,
    /// Was stopped by its owner.
    Stopped,
    /// Broke a limit; needs an explicit resume.
    Halted,
    /// Reached the end of its recorded candles.
    Ended,
    /// Cannot go on.
    Failed,
}

impl StreamStatus {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Halted => "halted",
            Self::Ended => "ended",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for StreamStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Running, Self::Stopped, Self::Halted, Self::Ended, Self::Failed];
        all.into_iter().find(|status| status.name() == word).ok_or_else(|| format!("`{word}` is no state of a stream"))
    }
}

/// A stream to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewStream {
    /// Its id.
    pub stream_id: String,
    /// The model that speaks.
    pub model_id: String,
    /// The run that made it.
    pub run_id: String,
    /// The user it belongs to.
    pub owner: String,
    /// Where its candles come from, as JSON.
    pub source: String,
    /// What streams with the same candles share.
    pub feed: String,
    /// Its limits, as JSON.
    pub limits: String,
    /// The model's last stream and its limits, which these follow; `None` when it has none.
    pub after: Option<(String, String)>,
}

/// A stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// Its id.
    pub stream_id: String,
    /// Its place in the list.
    pub number: u64,
    /// The model that speaks.
    pub model_id: String,
    /// The run that made it.
    pub run_id: String,
    /// The user it belongs to.
    pub owner: String,
    /// Paper or live.
    pub mode: StreamMode,
    /// What it does.
    pub status: StreamStatus,
    /// Why it does not run.
    pub reason: Option<String>,
    /// Where its candles come from, as JSON.
    pub source: String,
    /// What streams with the same candles share.
    pub feed: String,
    /// Its limits, as JSON.
    pub limits: String,
    /// Why it closes its position at its next close and halts; `None` to go on.
    pub closing: Option<String>,
    /// The number of its first signal.
    pub first_seq: u64,
    /// When it began, in ms since 1970.
    pub created_at: i64,
    /// When it last changed, in ms since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "stream_id, number, model_id, run_id, owner, mode, status, reason, source, feed, limits, \
                       first_seq, created_at, updated_at, closing";

impl Stream {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            stream_id: row.get("stream_id")?,
            number: row.count("number")?,
            model_id: row.get("model_id")?,
            run_id: row.get("run_id")?,
            owner: row.get("owner")?,
            mode: row.parse("mode")?,
            status: row.parse("status")?,
            reason: row.get("reason")?,
            source: row.get("source")?,
            feed: row.get("feed")?,
            limits: row.get("limits")?,
            closing: row.get("closing")?,
            first_seq: row.count("first_seq")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }

    /// The event that tells of its state.
    fn event(&self) -> NewEvent {
        let payload = serde_json::json!({
            "stream_id": self.stream_id, "model_id": self.model_id, "mode": self.mode.name(),
            "status": self.status.name(), "reason": self.reason, "closing": self.closing,
        });
        NewEvent {
            topic: "stream".to_owned(),
            subject: self.stream_id.clone(),
            owner: Some(self.owner.clone()),
            payload: payload.to_string(),
        }
    }
}

/// The counter of changes of streams.
pub(super) const CHANGES: &str = "stream changes";

/// How often streams changed; until the transaction ends nobody changes one.
pub(super) async fn changes(transaction: &mut Transaction) -> Result<u64, DatabaseError> {
    let lock = if transaction.is_postgres() { "FOR SHARE" } else { "" };
    let sql = format!("SELECT value FROM counters WHERE name = $1 {lock}");
    let row = transaction.fetch_one(Statement::new("look for changes of streams", sql).bind(CHANGES)).await?;
    row.map_or(Ok(0), |row| row.count("value"))
}

/// Reads one stream within a transaction that holds the counter `streams`, so that no other
/// change of a stream runs beside it.
async fn locked(transaction: &mut Transaction, stream_id: &str) -> Result<Option<Stream>, DatabaseError> {
    counters::take(transaction, CHANGES, 1).await?;
    let sql = format!("SELECT {COLUMNS} FROM streams WHERE stream_id = $1");
    let row = transaction.fetch_one(Statement::new("read a stream", sql).bind(stream_id)).await?;
    row.as_ref().map(Stream::read).transpose()
}

/// Refuses when a stream other than `own` speaks for the model, or did so after it.
async fn check_alone(transaction: &mut Transaction, model_id: &str, own: Option<u64>) -> Result<(), DatabaseError> {
    let sql = "SELECT stream_id FROM streams WHERE model_id = $1 AND number <> $2 \
               AND (status IN ('running', 'halted') OR number > $2) ORDER BY number DESC LIMIT 1";
    // A new stream is later than all others, so only those that speak are in its way.
    let number = own.map_or(Ok(i64::MAX), |number| signed("number", number))?;
    let row = transaction
        .fetch_one(Statement::new("look for other streams of a model", sql).bind(model_id).bind(number))
        .await?;
    match row {
        Some(row) => Err(DatabaseError::ModelTaken { model_id: model_id.to_owned(), stream_id: row.get("stream_id")? }),
        None => Ok(()),
    }
}

/// Refuses when `owner` has `quota` running streams, within a transaction that holds the counter
/// `stream changes`.
async fn check_quota(transaction: &mut Transaction, owner: &str, quota: u32) -> Result<(), DatabaseError> {
    let sql = "SELECT COUNT(*) AS total FROM streams WHERE owner = $1 AND status = 'running'";
    let counted = transaction.fetch_one(Statement::new("count running streams", sql).bind(owner)).await?;
    let found = counted.map_or(Ok(0), |row| row.count("total"))?;
    if found < u64::from(quota) {
        return Ok(());
    }
    Err(DatabaseError::Quota { owner: owner.to_owned(), what: "running streams", found, quota })
}

/// Refuses when the model's last stream is another one than the new one's limits follow.
async fn check_follows(transaction: &mut Transaction, new: &NewStream) -> Result<(), DatabaseError> {
    let sql = "SELECT stream_id, limits, status FROM streams WHERE model_id = $1 ORDER BY number DESC LIMIT 1";
    let row = transaction.fetch_one(Statement::new("read a model's stream", sql).bind(&new.model_id)).await?;
    let Some(row) = row else { return Ok(()) };
    let last: (String, String) = (row.get("stream_id")?, row.get("limits")?);
    if new.after.as_ref() == Some(&last) {
        return Ok(());
    }
    let (stream_id, found) = (last.0, row.get("status")?);
    let allowed = "it is the model's last one, and a new one must follow its limits; read it and try again";
    Err(DatabaseError::StreamState { stream_id, found, allowed })
}

impl PlatformDatabase {
    /// Begins a paper stream, unless its owner has `quota` running ones already; it numbers its
    /// signals on from the model's last one.
    ///
    /// # Errors
    /// [`DatabaseError::ModelTaken`] when another stream speaks for the model,
    /// [`DatabaseError::StreamState`] when its last one is not [`NewStream::after`];
    /// [`DatabaseError::Quota`]; [`DatabaseError::Sql`].
    pub async fn insert_stream(&self, new: &NewStream, quota: u32, now_ms: i64) -> Result<Stream, DatabaseError> {
        let mut transaction = self.begin().await?;
        counters::take(&mut transaction, CHANGES, 1).await?;
        check_quota(&mut transaction, &new.owner, quota).await?;
        let number = counters::take(&mut transaction, "streams", 1).await?;
        check_alone(&mut transaction, &new.model_id, None).await?;
        check_follows(&mut transaction, new).await?;
        let sql = "SELECT seq FROM signals WHERE speaker = (SELECT number FROM speakers WHERE model_id = $1) \
                   ORDER BY seq DESC LIMIT 1";
        let last = transaction.fetch_one(Statement::new("read the last signal", sql).bind(&new.model_id)).await?;
        let first_seq = last.map_or(Ok(0), |row| row.count("seq").map(|seq| seq + 1))?;
        let sql = format!(
            "INSERT INTO streams ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, 'paper', 'running', $6, $7, $8, $9, $10, $11, $11, NULL)"
        );
        let statement = Statement::new("begin a stream", sql)
            .bind(&new.stream_id)
            .bind(signed("number", number)?)
            .bind(&new.model_id)
            .bind(&new.run_id)
            .bind(&new.owner)
            .bind(&None)
            .bind(&new.source)
            .bind(&new.feed)
            .bind(&new.limits)
            .bind(signed("first_seq", first_seq)?)
            .bind(now_ms);
        transaction.execute(statement).await?;
        let stream = Stream {
            stream_id: new.stream_id.clone(),
            number,
            model_id: new.model_id.clone(),
            run_id: new.run_id.clone(),
            owner: new.owner.clone(),
            mode: StreamMode::Paper,
            status: StreamStatus::Running,
            reason: None,
            source: new.source.clone(),
            feed: new.feed.clone(),
            limits: new.limits.clone(),
            closing: None,
            first_seq,
            created_at: now_ms,
            updated_at: now_ms,
        };
        events::append(&mut transaction, &[stream.event()], now_ms).await?;
        transaction.commit().await?;
        Ok(stream)
    }

    /// A stream; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn stream(&self, stream_id: &str) -> Result<Option<Stream>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM streams WHERE stream_id = $1");
        let rows = self.pool.fetch(Statement::new("read a stream", sql).bind(stream_id)).await?;
        rows.first().map(Stream::read).transpose()
    }

    /// The stream of a model that began last; `None` when it never had one.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn stream_of_model(&self, model_id: &str) -> Result<Option<Stream>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM streams WHERE model_id = $1 ORDER BY number DESC LIMIT 1");
        let rows = self.pool.fetch(Statement::new("read a model's stream", sql).bind(model_id)).await?;
        rows.first().map(Stream::read).transpose()
    }

    /// Streams with a number below `before` (`None`: from the newest), the newest first; with
    /// `visible_to` only that user's, and live ones whose model is not private.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn streams(
        &self,
        visible_to: Option<&str>,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Stream>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM streams WHERE number < $1 AND ($2 OR owner = $3 OR (mode = 'live' AND NOT EXISTS \
             (SELECT 1 FROM models WHERE models.model_id = streams.model_id AND models.visibility = 'private'))) \
             ORDER BY number DESC LIMIT $4"
        );
        let statement = Statement::new("list streams", sql)
            .bind(before.map_or(Ok(i64::MAX), |before| signed("number", before))?)
            .bind(visible_to.is_none())
            .bind(visible_to.unwrap_or_default())
            .bind(i64::from(limit));
        self.pool.fetch(statement).await?.iter().map(Stream::read).collect()
    }

    /// Every stream that runs, by number.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn running_streams(&self) -> Result<Vec<Stream>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM streams WHERE status = 'running' ORDER BY number");
        self.pool.fetch(Statement::new("list running streams", sql)).await?.iter().map(Stream::read).collect()
    }

    /// The streams of one feed that run, by number.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn running_streams_of(&self, feed: &str) -> Result<Vec<Stream>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM streams WHERE feed = $1 AND status = 'running' ORDER BY number");
        let statement = Statement::new("list the running streams of a feed", sql).bind(feed);
        self.pool.fetch(statement).await?.iter().map(Stream::read).collect()
    }

    /// A number that grows whenever a stream begins or changes.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn stream_changes(&self) -> Result<u64, DatabaseError> {
        let sql = "SELECT value FROM counters WHERE name = $1";
        let rows = self.pool.fetch(Statement::new("look for changes of streams", sql).bind(CHANGES)).await?;
        rows.first().map_or(Ok(0), |row| row.count("value"))
    }

    /// Moves a stream to another state.
    ///
    /// # Errors
    /// [`DatabaseError::StreamState`] when there is none or it cannot go there from where it
    /// is, [`DatabaseError::ModelTaken`] when another stream speaks for its model now;
    /// [`DatabaseError::Sql`].
    pub async fn set_stream_status(
        &self,
        stream_id: &str,
        status: StreamStatus,
        reason: Option<String>,
        now_ms: i64,
    ) -> Result<Stream, DatabaseError> {
        let mut transaction = self.begin().await?;
        let stream = change(&mut transaction, stream_id, status, reason, now_ms).await?;
        transaction.commit().await?;
        Ok(stream)
    }

    /// Has running streams close their positions at their next close and halt: the stream
    /// `stream_id`, or all. Those that do, the ones that were asked before included.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn close_streams(
        &self,
        stream_id: Option<&str>,
        reason: &str,
        now_ms: i64,
    ) -> Result<Vec<Stream>, DatabaseError> {
        let mut transaction = self.begin().await?;
        counters::take(&mut transaction, CHANGES, 1).await?;
        let sql = "UPDATE streams SET closing = $3, updated_at = $4 \
                   WHERE status = 'running' AND closing IS NULL AND ($1 OR stream_id = $2)";
        let id = stream_id.unwrap_or_default();
        let closing = Statement::new("close streams", sql).bind(stream_id.is_none()).bind(id);
        transaction.execute(closing.bind(reason).bind(now_ms)).await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM streams WHERE closing IS NOT NULL AND ($1 OR stream_id = $2) ORDER BY number"
        );
        let asked = Statement::new("list closing streams", sql).bind(stream_id.is_none()).bind(id);
        let rows = transaction.fetch(asked).await?;
        let streams = rows.iter().map(Stream::read).collect::<Result<Vec<_>, _>>()?;
        let changed = streams.iter().filter(|stream| stream.updated_at == now_ms);
        events::append(&mut transaction, &changed.map(Stream::event).collect::<Vec<_>>(), now_ms).await?;
        transaction.commit().await?;
        Ok(streams)
    }

    /// Lets a stream go on, unless its owner has `quota` running ones already.
    ///
    /// # Errors
    /// As [`PlatformDatabase::set_stream_status`]; [`DatabaseError::Quota`].
    pub async fn resume_stream(&self, stream_id: &str, quota: u32, now_ms: i64) -> Result<Stream, DatabaseError> {
        let mut transaction = self.begin().await?;
        if let Some(stream) = locked(&mut transaction, stream_id).await? {
            check_quota(&mut transaction, &stream.owner, quota).await?;
        }
        let stream = change(&mut transaction, stream_id, StreamStatus::Running, None, now_ms).await?;
        transaction.commit().await?;
        Ok(stream)
    }

    /// Replaces the limits of a stream, and with `go_live` publishes it.
    ///
    /// # Errors
    /// [`DatabaseError::StreamState`] when there is none, or its limits are no longer
    /// `expected`; [`DatabaseError::Sql`].
    pub async fn set_stream_limits(
        &self,
        stream_id: &str,
        expected: &str,
        limits: &str,
        go_live: bool,
        now_ms: i64,
    ) -> Result<Stream, DatabaseError> {
        let mut transaction = self.begin().await?;
        let Some(mut stream) = locked(&mut transaction, stream_id).await? else { return Err(missing(stream_id)) };
        if stream.limits != expected {
            let found = format!("limited by {} by now", stream.limits);
            let allowed = "somebody changed its limits; read them and try again";
            return Err(DatabaseError::StreamState { stream_id: stream_id.to_owned(), found, allowed });
        }
        limits.clone_into(&mut stream.limits);
        if go_live {
            stream.mode = StreamMode::Live;
        }
        stream.updated_at = now_ms;
        let sql = "UPDATE streams SET limits = $2, mode = $3, updated_at = $4 WHERE stream_id = $1";
        let statement = Statement::new("set the limits of a stream", sql)
            .bind(stream_id)
            .bind(limits)
            .bind(stream.mode.name())
            .bind(now_ms);
        transaction.execute(statement).await?;
        events::append(&mut transaction, &[stream.event()], now_ms).await?;
        transaction.commit().await?;
        Ok(stream)
    }
}

fn missing(stream_id: &str) -> DatabaseError {
    let allowed = "only streams that exist can be changed";
    DatabaseError::StreamState { stream_id: stream_id.to_owned(), found: "missing".to_owned(), allowed }
}

/// Moves a stream to another state within `transaction`.
pub(super) async fn change(
    transaction: &mut Transaction,
    stream_id: &str,
    status: StreamStatus,
    reason: Option<String>,
    now_ms: i64,
) -> Result<Stream, DatabaseError> {
    use StreamStatus::{Ended, Failed, Halted, Running, Stopped};
    let Some(mut stream) = locked(transaction, stream_id).await? else { return Err(missing(stream_id)) };
    let allowed = match status {
        Running => (matches!(stream.status, Stopped | Halted | Failed), "only stopped, halted and failed ones resume"),
        Stopped => (matches!(stream.status, Running | Halted | Failed), "only running and halted ones can be stopped"),
        Halted | Ended | Failed => (stream.status == Running, "only running ones can halt, end or fail"),
    };
    if let (false, allowed) = allowed {
        let found = stream.status.name().to_owned();
        return Err(DatabaseError::StreamState { stream_id: stream_id.to_owned(), found, allowed });
    }
    if status == Running {
        check_alone(transaction, &stream.model_id, Some(stream.number)).await?;
    }
    let sql = "UPDATE streams SET status = $2, reason = $3, updated_at = $4, closing = NULL WHERE stream_id = $1";
    let statement = Statement::new("move a stream", sql).bind(stream_id).bind(status.name()).bind(&reason).bind(now_ms);
    transaction.execute(statement).await?;
    (stream.status, stream.reason, stream.updated_at, stream.closing) = (status, reason, now_ms, None);
    events::append(transaction, &[stream.event()], now_ms).await?;
    Ok(stream)
}
