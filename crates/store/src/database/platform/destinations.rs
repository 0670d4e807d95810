//! Where signals are sent, and how far each destination has come.

use std::str::FromStr;

use serde_json::json;

use super::events::{self, NewEvent};
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

/// Most destinations in one answer.
pub const MAX_DESTINATIONS: u32 = 1_000;

/// How a destination is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DestinationKind {
    /// An HTTP POST per signal.
    Webhook,
    /// A subject of NATS JetStream.
    Nats,
    /// A topic of Kafka.
    Kafka,
}

impl DestinationKind {
    /// The word in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Nats => "nats",
            Self::Kafka => "kafka",
        }
    }
}

impl FromStr for DestinationKind {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let all = [Self::Webhook, Self::Nats, Self::Kafka];
        let found = all.into_iter().find(|kind| kind.name() == word);
        found.ok_or_else(|| format!("`{word}` is none of webhook, nats, kafka"))
    }
}

/// A destination to add; it begins active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewDestination {
    /// Its id.
    pub destination_id: String,
    /// The model whose signals it gets.
    pub model_id: String,
    /// The user it belongs to.
    pub owner: String,
    /// How it is spoken to.
    pub kind: DestinationKind,
    /// The URL of a webhook, the subject or the topic.
    pub target: String,
    /// The sealed secret that signs its messages, in hexadecimal.
    pub secret: Option<String>,
    /// Whether it is sent heartbeats.
    pub heartbeats: bool,
    /// The first signal it gets.
    pub next_seq: u64,
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its id.
    pub destination_id: String,
    /// Its place in the list.
    pub number: u64,
    /// The model whose signals it gets.
    pub model_id: String,
    /// The user it belongs to.
    pub owner: String,
    /// How it is spoken to.
    pub kind: DestinationKind,
    /// The URL of a webhook, the subject or the topic.
    pub target: String,
    /// The sealed secret that signs its messages, in hexadecimal.
    pub secret: Option<String>,
    /// Whether it is sent heartbeats.
    pub heartbeats: bool,
    /// Whether signals are sent to it.
    pub is_active: bool,
    /// The next signal it gets.
    pub next_seq: u64,
    /// Attempts that failed since the last that did not.
    pub failures: u64,
    /// When it is tried again, in ms since 1970; 0 for now.
    pub retry_at: i64,
    /// Why the last attempt failed, or why it is paused.
    pub last_error: Option<String>,
    /// When it was added, in ms since 1970.
    pub created_at: i64,
    /// When it was last changed, in ms since 1970.
    pub updated_at: i64,
}

const COLUMNS: &str = "destination_id, number, model_id, owner, kind, target, secret, heartbeats, status, next_seq, \
                       failures, retry_at, last_error, created_at, updated_at";

impl Destination {
    fn read(row: &Row) -> Result<Self, DatabaseError> {
        Ok(Self {
            destination_id: row.get("destination_id")?,
            number: row.count("number")?,
            model_id: row.get("model_id")?,
            owner: row.get("owner")?,
            kind: row.parse("kind")?,
            target: row.get("target")?,
            secret: row.get("secret")?,
            heartbeats: row.get("heartbeats")?,
            is_active: row.get::<String>("status")? == "active",
            next_seq: row.count("next_seq")?,
            failures: row.count("failures")?,
            retry_at: row.get("retry_at")?,
            last_error: row.get("last_error")?,
            created_at: row.get("created_at")?,
            updated_at: row.get("updated_at")?,
        })
    }

    /// What the event stream tells: the target, which may hold a secret path, is left out.
    fn event(&self, is_removed: bool) -> NewEvent {
        let status = if self.is_active { "active" } else { "paused" };
        let payload = json!({
            "destination_id": self.destination_id, "model_id": self.model_id, "kind": self.kind.name(),
            "status": if is_removed { "removed" } else { status }, "next_seq": self.next_seq,
            "failures": self.failures, "last_error": self.last_error,
        });
        NewEvent {
            topic: "destination".to_owned(),
            subject: self.destination_id.clone(),
            owner: Some(self.owner.clone()),
            payload: payload.to_string(),
        }
    }
}

/// Who may hear the signals of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// Nobody knows the model.
    Unknown,
    /// This user alone: the model is private, or its last stream is on paper.
    Owner(String),
    /// Everyone.
    Everyone,
}

/// Whether, and what, a destination may be sent of its model's signals now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DestinationRight {
    /// Signals that were published; those said on paper too when `hears_paper`.
    Hears {
        /// Whether the model's last stream is of the destination's owner.
        hears_paper: bool,
    },
    /// Nothing: there is no such user any more, or not an active one.
    OwnerGone,
    /// Nothing: the owner's role does not allow destinations any more.
    RoleTaken,
    /// Nothing: the model is private, and another user's.
    Private,
}

impl DestinationRight {
    /// Why nothing is sent; `None` where signals are.
    #[must_use]
    pub const fn refusal(self) -> Option<&'static str> {
        match self {
            Self::Hears { .. } => None,
            Self::OwnerGone => Some("the user of this destination is not active any more"),
            Self::RoleTaken => Some("the role of this destination's user does not allow destinations any more"),
            Self::Private => Some("the model is private and belongs to another user"),
        }
    }
}

/// Tells the event stream how a destination stands within `transaction`.
async fn tell(transaction: &mut Transaction, id: &str, now_ms: i64) -> Result<(), DatabaseError> {
    tell_all(transaction, &[id], now_ms).await
}

/// The same of several; the last thing that a transaction does, since all wait for the number
/// of the next event.
pub(super) async fn tell_all(transaction: &mut Transaction, ids: &[&str], now_ms: i64) -> Result<(), DatabaseError> {
    let mut told = Vec::with_capacity(ids.len());
    for id in ids {
        told.extend(read(transaction, id).await?.map(|destination| destination.event(false)));
    }
    events::append(transaction, &told, now_ms).await
}

async fn read(transaction: &mut Transaction, id: &str) -> Result<Option<Destination>, DatabaseError> {
    let sql = format!("SELECT {COLUMNS} FROM destinations WHERE destination_id = $1");
    let row = transaction.fetch_one(Statement::new("read a destination", sql).bind(id)).await?;
    row.as_ref().map(Destination::read).transpose()
}

impl PlatformDatabase {
    /// Adds a destination, unless its owner has `quota` of them already.
    ///
    /// # Errors
    /// [`DatabaseError::Quota`]; [`DatabaseError::Sql`].
    pub async fn insert_destination(
        &self,
        new: &NewDestination,
        quota: u32,
        now_ms: i64,
    ) -> Result<Destination, DatabaseError> {
        let mut transaction = self.begin().await?;
        // The counter's row makes additions wait for each other, so that the count holds.
        let number = counters::take(&mut transaction, "destinations", 1).await?;
        let sql = "SELECT COUNT(*) AS total FROM destinations WHERE owner = $1";
        let counted = transaction.fetch_one(Statement::new("count destinations", sql).bind(&new.owner)).await?;
        let found = counted.map_or(Ok(0), |row| row.count("total"))?;
        if found >= u64::from(quota) {
            return Err(DatabaseError::Quota { owner: new.owner.clone(), what: "destinations", found, quota });
        }
        let sql = format!(
            "INSERT INTO destinations ({COLUMNS}) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9, 0, 0, NULL, $10, $10)"
        );
        let statement = Statement::new("add a destination", sql)
            .bind(&new.destination_id)
            .bind(signed("number", number)?)
            .bind(&new.model_id)
            .bind(&new.owner)
            .bind(new.kind.name())
            .bind(&new.target)
            .bind(Argument::from(&new.secret))
            .bind(new.heartbeats)
            .bind(signed("next_seq", new.next_seq)?)
            .bind(now_ms);
        transaction.execute(statement).await?;
        tell(&mut transaction, &new.destination_id, now_ms).await?;
        let added = read(&mut transaction, &new.destination_id).await?;
        transaction.commit().await?;
        let damaged = || DatabaseError::Damaged { column: "destination_id", value: new.destination_id.clone() };
        added.ok_or_else(damaged)
    }

    /// A destination; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn destination(&self, id: &str) -> Result<Option<Destination>, DatabaseError> {
        let sql = format!("SELECT {COLUMNS} FROM destinations WHERE destination_id = $1");
        let rows = self.pool.fetch(Statement::new("read a destination", sql).bind(id)).await?;
        rows.first().map(Destination::read).transpose()
    }

    /// Destinations by number, those above `after`, of one owner and one model or of all; at
    /// most `limit` and [`MAX_DESTINATIONS`].
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn destinations(
        &self,
        owner: Option<&str>,
        model_id: Option<&str>,
        after: u64,
        limit: u32,
    ) -> Result<Vec<Destination>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM destinations WHERE number > $1 AND ($2 = '' OR owner = $2) \
             AND ($3 = '' OR model_id = $3) ORDER BY number LIMIT $4"
        );
        let statement = Statement::new("list destinations", sql)
            .bind(signed("number", after)?)
            .bind(owner.unwrap_or_default())
            .bind(model_id.unwrap_or_default())
            .bind(i64::from(limit.min(MAX_DESTINATIONS)));
        self.pool.fetch(statement).await?.iter().map(Destination::read).collect()
    }

    /// Who may hear the signals of a model, as it is published and as its last stream speaks.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn audience(&self, model_id: &str) -> Result<Audience, DatabaseError> {
        let sql = "SELECT owner, visibility FROM models WHERE model_id = $1";
        let models = self.pool.fetch(Statement::new("read who may see a model", sql).bind(model_id)).await?;
        if let Some(model) = models.first()
            && model.get::<String>("visibility")? == "private"
        {
            return Ok(Audience::Owner(model.get("owner")?));
        }
        let sql = "SELECT owner, mode FROM streams WHERE model_id = $1 ORDER BY number DESC LIMIT 1";
        let streams = self.pool.fetch(Statement::new("read who may hear a model", sql).bind(model_id)).await?;
        match streams.first() {
            Some(stream) if stream.get::<String>("mode")? == "paper" => Ok(Audience::Owner(stream.get("owner")?)),
            Some(_) => Ok(Audience::Everyone),
            None if models.is_empty() => Ok(Audience::Unknown),
            None => Ok(Audience::Everyone),
        }
    }

    /// What a destination may be sent now; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn destination_right(&self, id: &str) -> Result<Option<DestinationRight>, DatabaseError> {
        let sql = "SELECT d.owner AS owner, COALESCE(u.role, '') AS role, \
                   COALESCE(u.active, $2) AS active, m.owner AS private_to, \
                   (SELECT s.owner FROM streams s WHERE s.model_id = d.model_id ORDER BY s.number DESC LIMIT 1) \
                   AS speaker FROM destinations d LEFT JOIN users u ON u.user_id = d.owner \
                   LEFT JOIN models m ON m.model_id = d.model_id AND m.visibility = 'private' \
                   WHERE d.destination_id = $1 AND d.status = 'active'";
        let statement = Statement::new("read what a destination may hear", sql).bind(id).bind(false);
        let rows = self.pool.fetch(statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (owner, role): (String, String) = (row.get("owner")?, row.get("role")?);
        let (private_to, speaker): (Option<String>, Option<String>) = (row.get("private_to")?, row.get("speaker")?);
        let is_foreign = private_to.is_some_and(|private_to| private_to != owner) && role != "owner";
        Ok(Some(match role.as_str() {
            _ if !row.get::<bool>("active")? => DestinationRight::OwnerGone,
            "trader" | "owner" if is_foreign => DestinationRight::Private,
            "trader" | "owner" => {
                DestinationRight::Hears { hears_paper: speaker.is_none_or(|speaker| speaker == owner) }
            }
            _ => DestinationRight::RoleTaken,
        }))
    }

    /// The active destinations, by number, at most [`MAX_DESTINATIONS`] above `after`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn active_destinations(&self, after: u64) -> Result<Vec<Destination>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS} FROM destinations WHERE number > $1 AND status = 'active' ORDER BY number LIMIT $2"
        );
        let statement = Statement::new("list active destinations", sql)
            .bind(signed("number", after)?)
            .bind(i64::from(MAX_DESTINATIONS));
        self.pool.fetch(statement).await?.iter().map(Destination::read).collect()
    }

    /// The active destinations that have not got all stored signals and do not wait after a
    /// failure: their ids.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn destinations_behind(&self, now_ms: i64) -> Result<Vec<String>, DatabaseError> {
        let sql = "SELECT destination_id FROM destinations d WHERE status = 'active' AND retry_at <= $1 AND EXISTS \
                   (SELECT 1 FROM signals s WHERE s.seq >= d.next_seq \
                   AND s.speaker = (SELECT number FROM speakers WHERE model_id = d.model_id))";
        let rows = self.pool.fetch(Statement::new("find what waits to be sent", sql).bind(now_ms)).await?;
        rows.iter().map(|row| row.get("destination_id")).collect()
    }

    /// Pauses a destination, or lets it go on at once; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn set_destination_active(
        &self,
        id: &str,
        is_active: bool,
        now_ms: i64,
    ) -> Result<Option<Destination>, DatabaseError> {
        let sql = if is_active {
            "UPDATE destinations SET status = 'active', failures = 0, retry_at = 0, last_error = NULL, \
             updated_at = $1 WHERE destination_id = $2"
        } else {
            "UPDATE destinations SET status = 'paused', updated_at = $1 WHERE destination_id = $2"
        };
        self.change_destination(Statement::new("change a destination", sql).bind(now_ms).bind(id), id, now_ms).await
    }

    /// Sends a destination on from signal `next_seq`; `None` when there is none of that id.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn rewind_destination(
        &self,
        id: &str,
        next_seq: u64,
        now_ms: i64,
    ) -> Result<Option<Destination>, DatabaseError> {
        let sql = "UPDATE destinations SET next_seq = $1, retry_at = 0, updated_at = $2 WHERE destination_id = $3";
        let statement =
            Statement::new("rewind a destination", sql).bind(signed("next_seq", next_seq)?).bind(now_ms).bind(id);
        self.change_destination(statement, id, now_ms).await
    }

    async fn change_destination(
        &self,
        statement: Statement,
        id: &str,
        now_ms: i64,
    ) -> Result<Option<Destination>, DatabaseError> {
        let mut transaction = self.begin().await?;
        transaction.execute(statement).await?;
        tell(&mut transaction, id, now_ms).await?;
        let changed = read(&mut transaction, id).await?;
        transaction.commit().await?;
        Ok(changed)
    }

    /// Removes a destination with its log; whether there was one.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn remove_destination(&self, id: &str, now_ms: i64) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let Some(destination) = read(&mut transaction, id).await? else { return Ok(false) };
        // Its row first: a report that is under way waits for it, and then leaves no log behind.
        for sql in
            ["DELETE FROM destinations WHERE destination_id = $1", "DELETE FROM deliveries WHERE destination_id = $1"]
        {
            transaction.execute(Statement::new("remove a destination", sql).bind(id)).await?;
        }
        events::append(&mut transaction, &[destination.event(true)], now_ms).await?;
        transaction.commit().await?;
        Ok(true)
    }
}
