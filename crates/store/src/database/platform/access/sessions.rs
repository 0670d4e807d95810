//! Sessions of browsers: only hashes of their tokens are kept.

use crate::database::DatabaseError;
use crate::database::platform::PlatformDatabase;
use crate::database::statement::Statement;

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The user.
    pub user_id: String,
    /// The key that signed in; `None` for a wallet.
    pub key_id: Option<String>,
    /// What it is good for: names with spaces between.
    pub scopes: String,
    /// When it ends, in ms since 1970.
    pub expires_at: i64,
    /// The user's role now.
    pub role: String,
}

impl PlatformDatabase {
    /// Begins a session; the role is the user's and is not stored.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_session(&self, session_hash: &str, session: &Session, now_ms: i64) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO sessions (session_hash, user_id, key_id, scopes, created_at, expires_at) \
                   VALUES ($1, $2, $3, $4, $5, $6)";
        let statement = Statement::new("begin a session", sql)
            .bind(session_hash)
            .bind(&session.user_id)
            .bind(&session.key_id)
            .bind(&session.scopes)
            .bind(now_ms)
            .bind(session.expires_at);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// A session that has not ended, of a user who is active.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn session(&self, session_hash: &str, now_ms: i64) -> Result<Option<Session>, DatabaseError> {
        // The key is looked at too: a sign-in that was under way when it was revoked is no way around.
        let sql = "SELECT s.user_id AS user_id, s.key_id AS key_id, s.scopes AS scopes, s.expires_at AS expires_at, \
                   role FROM sessions s JOIN users ON users.user_id = s.user_id \
                   LEFT JOIN api_keys k ON k.key_id = s.key_id \
                   WHERE session_hash = $1 AND s.expires_at > $2 AND active = $3 AND k.revoked_at IS NULL \
                   AND (k.expires_at IS NULL OR k.expires_at > $2)";
        let statement = Statement::new("read a session", sql).bind(session_hash).bind(now_ms).bind(true);
        let rows = self.pool.fetch(statement).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Session {
            user_id: row.get("user_id")?,
            key_id: row.get("key_id")?,
            scopes: row.get("scopes")?,
            expires_at: row.get("expires_at")?,
            role: row.get("role")?,
        }))
    }

    /// Ends a session; does nothing when it has ended.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn end_session(&self, session_hash: &str) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM sessions WHERE session_hash = $1";
        self.pool.execute(Statement::new("end a session", sql).bind(session_hash)).await.map(|_| ())
    }
}
