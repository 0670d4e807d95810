//! The audit log: who tried to change what, and what became of it.

use crate::database::DatabaseError;
use crate::database::platform::{PlatformDatabase, counters};
use crate::database::statement::{Row, Statement, signed};

/// A change that is about to be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAudit {
    /// When, in ms since 1970.
    pub at: i64,
    /// The user, where one is known.
    pub user_id: Option<String>,
    /// The credential: `key ID`, `session`.
    pub credential: Option<String>,
    /// The method and the route's template.
    pub action: String,
    /// What was to be changed: the variable parts of the path.
    pub subject: Option<String>,
    /// Where the request came from.
    pub address: Option<String>,
}

/// A change that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number, from 1.
    pub number: u64,
    /// What was tried.
    pub tried: NewAudit,
    /// The HTTP status of the answer; `None` while there is none, or when the server died
    /// before it.
    pub status: Option<u16>,
}

impl PlatformDatabase {
    /// Notes that a change is about to be tried; its number.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn begin_audit(&self, entry: &NewAudit) -> Result<u64, DatabaseError> {
        let mut transaction = self.begin().await?;
        let number = counters::take(&mut transaction, "audit_log", 1).await?;
        let sql = "INSERT INTO audit_log (number, at, user_id, credential, action, subject, status, address) \
                   VALUES ($1, $2, $3, $4, $5, $6, 0, $7)";
        let statement = Statement::new("write the audit log", sql)
            .bind(signed("number", number)?)
            .bind(entry.at)
            .bind(&entry.user_id)
            .bind(&entry.credential)
            .bind(&entry.action)
            .bind(&entry.subject)
            .bind(&entry.address);
        transaction.execute(statement).await?;
        transaction.commit().await.map(|()| number)
    }

    /// Notes what became of the change `number`; `subject` where only the answer tells it.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn finish_audit(&self, number: u64, status: u16, subject: Option<String>) -> Result<(), DatabaseError> {
        let sql = "UPDATE audit_log SET status = $2, subject = COALESCE($3, subject) WHERE number = $1";
        let statement = Statement::new("write the audit log", sql)
            .bind(signed("number", number)?)
            .bind(i64::from(status))
            .bind(&subject);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// Entries before a number, the newest first, at most `limit`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn audit_log(&self, before: Option<u64>, limit: u32) -> Result<Vec<AuditEntry>, DatabaseError> {
        let sql = "SELECT number, at, user_id, credential, action, subject, status, address FROM audit_log \
                   WHERE number < $1 ORDER BY number DESC LIMIT $2";
        let before = before.map_or(Ok(i64::MAX), |before| signed("number", before))?;
        let statement = Statement::new("read the audit log", sql).bind(before).bind(i64::from(limit));
        self.pool.fetch(statement).await?.iter().map(read).collect()
    }
}

fn read(row: &Row) -> Result<AuditEntry, DatabaseError> {
    let status = row.count("status")?;
    let damaged = |_| DatabaseError::Damaged { column: "status", value: status.to_string() };
    Ok(AuditEntry {
        number: row.count("number")?,
        tried: NewAudit {
            at: row.get("at")?,
            user_id: row.get("user_id")?,
            credential: row.get("credential")?,
            action: row.get("action")?,
            subject: row.get("subject")?,
            address: row.get("address")?,
        },
        status: Some(u16::try_from(status).map_err(damaged)?).filter(|status| *status != 0),
    })
}
