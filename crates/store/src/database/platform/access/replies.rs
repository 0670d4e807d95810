//! Replies to requests that may be repeated: a key, the hash of its request, and what was
//! answered. A request that is under way holds its key by a claim that ends, so that a crash
//! leaves a key that can be tried again.

use crate::database::DatabaseError;
use crate::database::platform::PlatformDatabase;
use crate::database::statement::Statement;

/// A request that is about to be tried under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewIdempotent<'a> {
    /// Whose key it is.
    pub user_id: &'a str,
    /// The key.
    pub idempotency_key: &'a str,
    /// The hash of method, path and body.
    pub request_hash: &'a str,
    /// A text that no other claim has.
    pub claim: &'a str,
    /// When the claim ends, in ms since 1970.
    pub claimed_until: i64,
    /// Keys from before this time are forgotten.
    pub forget_before: i64,
}

/// What a key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdempotentClaim {
    /// The request may be tried.
    Claimed,
    /// The same request was answered.
    Answered(StoredReply),
    /// The same request is under way.
    UnderWay,
    /// The key belongs to another request.
    OtherRequest,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// The HTTP status.
    pub status: u16,
    /// The content type.
    pub kind: Option<String>,
    /// The body; `None` where it was not kept, because it held a secret or was too large.
    pub reply: Option<String>,
}

impl PlatformDatabase {
    /// Claims a key at `now_ms`, or tells what it says.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn claim_key(&self, new: &NewIdempotent<'_>, now_ms: i64) -> Result<IdempotentClaim, DatabaseError> {
        let action = "claim an idempotency key";
        let mut transaction = self.begin().await?;
        let sql = "INSERT INTO idempotent_replies \
                   (user_id, idempotency_key, request_hash, claim, claimed_until, created_at) \
                   VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (user_id, idempotency_key) DO UPDATE SET \
                   request_hash = excluded.request_hash, claim = excluded.claim, \
                   claimed_until = excluded.claimed_until, status = NULL, kind = NULL, reply = NULL, \
                   created_at = excluded.created_at \
                   WHERE idempotent_replies.created_at <= $7 OR (idempotent_replies.status IS NULL \
                   AND idempotent_replies.request_hash = excluded.request_hash \
                   AND idempotent_replies.claimed_until <= $6)";
        let claim = Statement::new(action, sql)
            .bind(new.user_id)
            .bind(new.idempotency_key)
            .bind(new.request_hash)
            .bind(new.claim)
            .bind(new.claimed_until)
            .bind(now_ms)
            .bind(new.forget_before);
        if transaction.execute(claim).await? > 0 {
            return transaction.commit().await.map(|()| IdempotentClaim::Claimed);
        }
        let sql = "SELECT request_hash, status, kind, reply FROM idempotent_replies \
                   WHERE user_id = $1 AND idempotency_key = $2";
        let held = Statement::new(action, sql).bind(new.user_id).bind(new.idempotency_key);
        let Some(row) = transaction.fetch_one(held).await? else { return Ok(IdempotentClaim::UnderWay) };
        let request_hash: String = row.get("request_hash")?;
        if request_hash != new.request_hash {
            return Ok(IdempotentClaim::OtherRequest);
        }
        let Some(status) = row.optional_count("status")? else { return Ok(IdempotentClaim::UnderWay) };
        let damaged = |_| DatabaseError::Damaged { column: "status", value: status.to_string() };
        let status = u16::try_from(status).map_err(damaged)?;
        Ok(IdempotentClaim::Answered(StoredReply { status, kind: row.get("kind")?, reply: row.get("reply")? }))
    }

    /// Keeps what was answered, unless the claim went to another try.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn keep_reply(&self, new: &NewIdempotent<'_>, reply: &StoredReply) -> Result<(), DatabaseError> {
        let sql = "UPDATE idempotent_replies SET status = $4, kind = $5, reply = $6 \
                   WHERE user_id = $1 AND idempotency_key = $2 AND claim = $3";
        let statement = Statement::new("keep a reply", sql)
            .bind(new.user_id)
            .bind(new.idempotency_key)
            .bind(new.claim)
            .bind(i64::from(reply.status))
            .bind(&reply.kind)
            .bind(&reply.reply);
        self.pool.execute(statement).await.map(|_| ())
    }

    /// Gives a key back that was claimed for a request which changed nothing.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn release_key(&self, new: &NewIdempotent<'_>) -> Result<(), DatabaseError> {
        let sql = "DELETE FROM idempotent_replies \
                   WHERE user_id = $1 AND idempotency_key = $2 AND claim = $3 AND status IS NULL";
        let statement = Statement::new("give an idempotency key back", sql)
            .bind(new.user_id)
            .bind(new.idempotency_key)
            .bind(new.claim);
        self.pool.execute(statement).await.map(|_| ())
    }
}
