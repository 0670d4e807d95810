//! Numbers without holes: the row stays locked until the transaction ends, so numbers become
//! visible in their order.

use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::Statement;

/// Takes `count` numbers of the counter `name`; the first of them. Counters start at 1.
pub(super) async fn take(transaction: &mut Transaction, name: &'static str, count: u64) -> Result<u64, DatabaseError> {
    let sql = "INSERT INTO counters (name, value) VALUES ($1, $2) \
               ON CONFLICT (name) DO UPDATE SET value = counters.value + excluded.value RETURNING value";
    let count = i64::try_from(count).map_err(|_| DatabaseError::OutOfRange { column: "value", value: count })?;
    let row = transaction.fetch_one(Statement::new("take a number", sql).bind(name).bind(count)).await?;
    let last: i64 = row.map_or(Ok(count), |row| row.get("value"))?;
    Ok((last - count + 1).unsigned_abs())
}
