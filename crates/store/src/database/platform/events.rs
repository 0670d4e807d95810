//! The event stream: what changed, numbered without holes, so that a listener that was away
//! reads on from where it was.

use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Most events in one page.
pub const MAX_EVENTS: u32 = 1_000;
/// Events kept; a listener that was away for longer starts again from the present.
pub const KEPT_EVENTS: u64 = 100_000;

/// Something that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What kind of thing: `job`, `run`, `dataset`, `model`, `stream`, `destination`, `control`.
    pub topic: String,
    /// Which one: its id.
    pub subject: String,
    /// The user who alone may see it; `None` for everyone.
    pub owner: Option<String>,
    /// The thing as JSON.
    pub payload: String,
}

/// An event and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its number, from 1, without holes.
    pub seq: u64,
    /// When, in ms since 1970.
    pub at: i64,
    /// What changed.
    pub event: NewEvent,
}

/// Events after a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventPage {
    /// The events, ascending.
    pub events: Vec<Event>,
    /// Whether events between the number asked for and the first of these are not kept any more.
    pub is_torn: bool,
}

/// Appends `events` within `transaction`: they are told if and only if it commits.
pub(super) async fn append(
    transaction: &mut Transaction,
    events: &[NewEvent],
    now_ms: i64,
) -> Result<(), DatabaseError> {
    if events.is_empty() {
        return Ok(());
    }
    let first = counters::take(transaction, "events", events.len() as u64).await?;
    let rows = events
        .iter()
        .zip(first..)
        .map(|(event, seq)| {
            Ok(vec![
                signed("seq", seq)?.into(),
                now_ms.into(),
                (&event.topic).into(),
                (&event.subject).into(),
                Argument::from(&event.owner),
                (&event.payload).into(),
            ])
        })
        .collect::<Result<Vec<Vec<Argument>>, DatabaseError>>()?;
    let head = "INSERT INTO events (seq, at, topic, subject, owner, payload)";
    transaction.execute_all(Statement::insert_many("append events", head, "", rows)).await?;
    Ok(())
}

impl PlatformDatabase {
    /// Appends events by themselves.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn append_events(&self, events: &[NewEvent], now_ms: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        append(&mut transaction, events, now_ms).await?;
        transaction.commit().await
    }

    /// The number of the last event; 0 before the first.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn last_event(&self) -> Result<u64, DatabaseError> {
        let sql = "SELECT value FROM counters WHERE name = 'events'";
        let rows = self.pool.fetch(Statement::new("read the last event", sql)).await?;
        rows.first().map_or(Ok(0), |row| row.count("value"))
    }

    /// Events with a number above `after`, ascending, at most `limit` and [`MAX_EVENTS`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn events_after(&self, after: u64, limit: u32) -> Result<EventPage, DatabaseError> {
        let sql = "SELECT seq, at, topic, subject, owner, payload FROM events WHERE seq > $1 ORDER BY seq LIMIT $2";
        let statement =
            Statement::new("read events", sql).bind(signed("seq", after)?).bind(i64::from(limit.min(MAX_EVENTS)));
        let rows = self.pool.fetch(statement).await?;
        let events = rows.iter().map(Event::read).collect::<Result<Vec<_>, _>>()?;
        let is_torn = events.first().is_some_and(|first| first.seq != after + 1);
        Ok(EventPage { events, is_torn })
    }

    /// Removes all but the last 100,000 events; how many were removed.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn prune_events(&self) -> Result<u64, DatabaseError> {
        let last = self.last_event().await?;
        let sql = "DELETE FROM events WHERE seq <= $1";
        self.pool
            .execute(Statement::new("remove old events", sql).bind(signed("seq", last.saturating_sub(KEPT_EVENTS))?))
            .await
    }
}

impl Event {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            seq: row.count("seq")?,
            at: row.get("at")?,
            event: NewEvent {
                topic: row.get("topic")?,
                subject: row.get("subject")?,
                owner: row.get("owner")?,
                payload: row.get("payload")?,
            },
        })
    }
}
