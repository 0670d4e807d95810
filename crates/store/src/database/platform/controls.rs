//! Switches that every server obeys, such as the stop.

use serde_json::{Value, json};

use super::events::{self, NewEvent};
use super::{PlatformDatabase, counters};
use crate::database::DatabaseError;
use crate::database::statement::Statement;

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
        let sql = "INSERT INTO controls (name, value, updated_at) VALUES ($1, $2, $3) \
                   ON CONFLICT (name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";
        let mut transaction = self.begin().await?;
        counters::take(&mut transaction, "controls", 1).await?;
        transaction.execute(Statement::new("set a control", sql).bind(name).bind(value).bind(now_ms)).await?;
        // Most values are JSON themselves; others are told as texts.
        let told = serde_json::from_str(value).unwrap_or_else(|_| Value::String(value.to_owned()));
        let payload = json!({ "name": name, "value": told }).to_string();
        let event = NewEvent { topic: "control".to_owned(), subject: name.to_owned(), owner: None, payload };
        events::append(&mut transaction, &[event], now_ms).await?;
        transaction.commit().await
    }
}
