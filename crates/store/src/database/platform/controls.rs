//! Switches that every server obeys, such as the stop.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::events::{self, NewEvent};
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::Statement;
use crate::stop::StopMark;

/// The name of the stop among the controls.
const STOP: &str = "stop";

/// The stop as all servers of a database know it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopControl {
    /// Who stopped, when and why; `None` when nothing is stopped.
    #[serde(default)]
    pub mark: Option<StopMark>,
    /// The last resume; `None` before the first.
    #[serde(default)]
    pub resumed: Option<Resumed>,
}

/// Who resumed which stop, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    /// The stop: [`StopMark::id`].
    pub id: String,
    /// When, ISO-8601 UTC.
    pub at: String,
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl StopControl {
    /// Whether the stop `id` was the last one that was resumed.
    #[must_use]
    pub fn has_resumed(&self, id: &str) -> bool {
        self.resumed.as_ref().is_some_and(|resumed| resumed.id == id)
    }

    fn read(value: Option<&str>) -> Self {
        value.and_then(|text| serde_json::from_str::<Option<Self>>(text).ok()).flatten().unwrap_or_default()
    }
}

impl PlatformDatabase {
    /// The value of the control `name`; `None` before it was ever set.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn control(&self, name: &str) -> Result<Option<String>, DatabaseError> {
        let sql = "SELECT value FROM controls WHERE name = $1";
        let rows = self.pool.fetch(Statement::new("read a control", sql).bind(name)).await?;
        rows.first().map(|row| row.get("value")).transpose()
    }

    /// Sets the control `name` and tells it.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn set_control(&self, name: &str, value: &str, now_ms: i64) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        counters::take(&mut transaction, "controls", 1).await?;
        set(&mut transaction, name, value, now_ms).await?;
        transaction.commit().await
    }

    /// The stop.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn stop_control(&self) -> Result<StopControl, DatabaseError> {
        Ok(StopControl::read(self.control(STOP).await?.as_deref()))
    }

    /// Stops every server by `mark`, unless that very stop was resumed; the stop as it is then.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn carry_stop(&self, mark: &StopMark, now_ms: i64) -> Result<StopControl, DatabaseError> {
        self.change_stop(now_ms, |control| {
            let is_news = control.mark.as_ref() != Some(mark) && !control.has_resumed(&mark.id);
            is_news.then(|| StopControl { mark: Some(mark.clone()), ..control })
        })
        .await
    }

    /// Resumes every server, unless they are stopped by another stop than the one that is
    /// resumed; the stop as it is then.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn resume_stop(&self, resumed: &Resumed, now_ms: i64) -> Result<StopControl, DatabaseError> {
        self.change_stop(now_ms, |control| {
            let is_newer = control.mark.as_ref().is_some_and(|mark| mark.id != resumed.id);
            let is_done = control.mark.is_none() && control.has_resumed(&resumed.id);
            (!is_newer && !is_done).then(|| StopControl { mark: None, resumed: Some(resumed.clone()) })
        })
        .await
    }

    async fn change_stop(
        &self,
        now_ms: i64,
        change: impl FnOnce(StopControl) -> Option<StopControl> + Send,
    ) -> Result<StopControl, DatabaseError> {
        let mut transaction = self.pool.begin().await?;
        // Held until the commit, so that nobody changes it between the look and the write.
        counters::take(&mut transaction, "controls", 1).await?;
        let sql = "SELECT value FROM controls WHERE name = $1";
        let row = transaction.fetch_one(Statement::new("read a control", sql).bind(STOP)).await?;
        let value: Option<String> = row.map(|row| row.get("value")).transpose()?;
        let found = StopControl::read(value.as_deref());
        let Some(next) = change(found.clone()) else { return Ok(found) };
        let text = serde_json::to_string(&next).expect("plain data");
        set(&mut transaction, STOP, &text, now_ms).await?;
        transaction.commit().await?;
        Ok(next)
    }
}

async fn set(transaction: &mut Transaction, name: &str, value: &str, now_ms: i64) -> Result<(), DatabaseError> {
    let sql = "INSERT INTO controls (name, value, updated_at) VALUES ($1, $2, $3) \
               ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";
    transaction.execute(Statement::new("set a control", sql).bind(name).bind(value).bind(now_ms)).await?;
    // Most values are JSON themselves; others are told as texts.
    let told = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    let payload = json!({ "name": name, "value": told }).to_string();
    let event = NewEvent { topic: "control".to_owned(), subject: name.to_owned(), owner: None, payload };
    events::append(transaction, &[event], now_ms).await
}
