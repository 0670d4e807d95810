//! Texts that may be used once.

use crate::database::DatabaseError;
use crate::database::platform::PlatformDatabase;
use crate::database::statement::Statement;

impl PlatformDatabase {
    /// Hands out `nonce` for one use until `expires_at`.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`], also when it was handed out before.
    pub async fn put_nonce(&self, nonce: &str, purpose: &str, expires_at: i64) -> Result<(), DatabaseError> {
        let sql = "INSERT INTO nonces (nonce, purpose, expires_at) VALUES ($1, $2, $3)";
        let statement = Statement::new("hand out a nonce", sql).bind(nonce).bind(purpose).bind(expires_at);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// Uses a nonce up; false when it was not handed out for `purpose`, is used, or has ended.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn use_nonce(&self, nonce: &str, purpose: &str, now_ms: i64) -> Result<bool, DatabaseError> {
        let sql = "UPDATE nonces SET used_at = $3 \
                   WHERE nonce = $1 AND purpose = $2 AND used_at IS NULL AND expires_at > $3";
        let statement = Statement::new("use a nonce", sql).bind(nonce).bind(purpose).bind(now_ms);
        Ok(self.pool.execute(statement).await? == 1)
    }

    /// Removes sessions, nonces and kept replies that have ended; how many.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn prune_access(&self, now_ms: i64, replies_before: i64) -> Result<u64, DatabaseError> {
        let mut removed = 0;
        for (sql, before) in [
            ("DELETE FROM sessions WHERE expires_at <= $1", now_ms),
            ("DELETE FROM nonces WHERE expires_at <= $1", now_ms),
            ("DELETE FROM idempotent_replies WHERE created_at <= $1", replies_before),
        ] {
            removed += self.pool.execute(Statement::new("remove what has ended", sql).bind(before)).await?;
        }
        Ok(removed)
    }
}
