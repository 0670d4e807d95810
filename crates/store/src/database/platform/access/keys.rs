//! API keys: only hashes of their secrets are kept.

use crate::database::DatabaseError;
use crate::database::platform::{PlatformDatabase, counters};
use crate::database::pool::Transaction;
use crate::database::statement::{Row, Statement, signed};

const COLUMNS: &str = "key_id, api_keys.number AS number, api_keys.user_id AS user_id, api_keys.name AS name, hash, \
                       scopes, api_keys.created_at AS created_at, expires_at, revoked_at";

/// An API key.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// The public part of the key.
    pub key_id: String,
    /// Its place in the list, given when it is stored.
    pub number: u64,
    /// Whose it is.
    pub user_id: String,
    /// What it is for.
    pub name: String,
    /// The hash of its secret.
    pub hash: String,
    /// What it is good for: names with spaces between.
    pub scopes: String,
    /// When it was made, in ms since 1970.
    pub created_at: i64,
    /// When it ends, in ms since 1970; `None` for never.
    pub expires_at: Option<i64>,
    /// When it was revoked, in ms since 1970.
    pub revoked_at: Option<i64>,
}

impl std::fmt::Debug for KeyRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyRow").field("key_id", &self.key_id).field("scopes", &self.scopes).finish_non_exhaustive()
    }
}

/// A key and the user it speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// The key.
    pub key: KeyRow,
    /// The user's role.
    pub role: String,
    /// Whether the user may do anything.
    pub active: bool,
}

impl PlatformDatabase {
    /// Stores a new key.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn put_key(&self, key: &KeyRow) -> Result<(), DatabaseError> {
        let mut transaction = self.begin().await?;
        insert_key(&mut transaction, key).await?;
        transaction.commit().await
    }

    /// A key with its user; `None` when there is none of that id. Revoked and ended keys are
    /// given too.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn credential(&self, key_id: &str) -> Result<Option<CredentialRow>, DatabaseError> {
        let sql = format!(
            "SELECT {COLUMNS}, role, active FROM api_keys JOIN users ON users.user_id = api_keys.user_id \
             WHERE key_id = $1"
        );
        let rows = self.pool.fetch(Statement::new("read a key", sql).bind(key_id)).await?;
        let row = |row: &Row| Ok(CredentialRow { key: read(row)?, role: row.get("role")?, active: row.get("active")? });
        rows.first().map(row).transpose()
    }

    /// Keys after a number, by number, at most `limit`: those of `user_id`, or all.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn keys(
        &self,
        user_id: Option<&str>,
        after: Option<u64>,
        limit: u32,
    ) -> Result<Vec<KeyRow>, DatabaseError> {
        let user = if user_id.is_some() { "AND user_id = $3" } else { "" };
        let sql = format!("SELECT {COLUMNS} FROM api_keys WHERE number > $1 {user} ORDER BY number LIMIT $2");
        let mut statement =
            Statement::new("list keys", sql).bind(signed("number", after.unwrap_or(0))?).bind(i64::from(limit));
        if let Some(user_id) = user_id {
            statement = statement.bind(user_id);
        }
        self.pool.fetch(statement).await?.iter().map(read).collect()
    }

    /// Ends a key and the sessions that it signed in; the first time of revocation stays.
    /// Whether there is such a key.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn revoke_key(&self, key_id: &str, now_ms: i64) -> Result<bool, DatabaseError> {
        let mut transaction = self.begin().await?;
        let sql = "UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE key_id = $1";
        let changed = transaction.execute(Statement::new("revoke a key", sql).bind(key_id).bind(now_ms)).await?;
        let sql = "DELETE FROM sessions WHERE key_id = $1";
        transaction.execute(Statement::new("end sessions", sql).bind(key_id)).await?;
        transaction.commit().await.map(|()| changed > 0)
    }
}

pub(super) async fn insert_key(transaction: &mut Transaction, key: &KeyRow) -> Result<(), DatabaseError> {
    let number = counters::take(transaction, "api_keys", 1).await?;
    let sql = "INSERT INTO api_keys (key_id, number, user_id, name, hash, scopes, created_at, expires_at, revoked_at) \
               VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    let statement = Statement::new("store a key", sql)
        .bind(&key.key_id)
        .bind(signed("number", number)?)
        .bind(&key.user_id)
        .bind(&key.name)
        .bind(&key.hash)
        .bind(&key.scopes)
        .bind(key.created_at)
        .bind(key.expires_at)
        .bind(key.revoked_at);
    transaction.execute(statement).await.map(|_| ())
}

fn read(row: &Row) -> Result<KeyRow, DatabaseError> {
    Ok(KeyRow {
        key_id: row.get("key_id")?,
        number: row.count("number")?,
        user_id: row.get("user_id")?,
        name: row.get("name")?,
        hash: row.get("hash")?,
        scopes: row.get("scopes")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
    })
}
