//! Blocks that are no part of the chain any more.

use super::PoolEventsWriter;
use super::reader::read_cursor;
use super::tables::EVENT_TABLES;
use super::text::hex;
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Row, Statement, signed};

impl PoolEventsWriter {
    /// Deletes a pool's events above `to_block`, and the chain's block headers above it, and
    /// moves the cursor back, in one transaction; the number of deleted events. The other
    /// pools of the chain are as reorganised: [`PoolEventsWriter::roll_back_chain`] does all.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`]; nothing is deleted then.
    pub async fn roll_back(&self, chain_id: u64, pool: [u8; 20], to_block: u64) -> Result<u64, DatabaseError> {
        let (chain_id, to) = (signed("chain_id", chain_id)?, signed("block", to_block)?);
        let mut transaction = self.pool.begin().await?;
        let deleted = delete_events(&mut transaction, chain_id, &hex(&pool), to).await?;
        delete_headers(&mut transaction, chain_id, to).await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    /// The same for every pool of a chain at once.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`]; nothing is deleted then.
    pub async fn roll_back_chain(&self, chain_id: u64, to_block: u64) -> Result<u64, DatabaseError> {
        let (chain_id, to) = (signed("chain_id", chain_id)?, signed("block", to_block)?);
        let mut transaction = self.pool.begin().await?;
        let sql = "SELECT pool FROM cursors WHERE chain_id = $1 AND last_block > $2";
        let rows = transaction.fetch(Statement::new("list cursors", sql).bind(chain_id).bind(to)).await?;
        let mut pools = rows.iter().map(|row: &Row| row.get("pool")).collect::<Result<Vec<String>, _>>()?;
        pools.sort_unstable();
        let mut deleted = 0;
        for pool in pools {
            deleted += delete_events(&mut transaction, chain_id, &pool, to).await?;
        }
        delete_headers(&mut transaction, chain_id, to).await?;
        transaction.commit().await?;
        Ok(deleted)
    }
}

async fn delete_events(
    transaction: &mut Transaction,
    chain_id: i64,
    pool: &str,
    to: i64,
) -> Result<u64, DatabaseError> {
    let lock = "UPDATE pools SET kind = kind WHERE chain_id = $1 AND pool = $2";
    transaction.execute(Statement::new("lock a pool", lock).bind(chain_id).bind(pool)).await?;
    let mut deleted = 0;
    for table in EVENT_TABLES {
        let sql = format!("DELETE FROM {table} WHERE chain_id = $1 AND pool = $2 AND block > $3");
        deleted += transaction.execute(Statement::new("roll back", sql).bind(chain_id).bind(pool).bind(to)).await?;
    }
    move_cursor(transaction, chain_id, pool, to).await?;
    Ok(deleted)
}

/// The cursor goes back to the block; away when nothing is indexed any more.
async fn move_cursor(transaction: &mut Transaction, chain_id: i64, pool: &str, to: i64) -> Result<(), DatabaseError> {
    let Some(cursor) = read_cursor(transaction, chain_id, pool).await? else { return Ok(()) };
    if signed("last_block", cursor.last_block)? <= to {
        return Ok(());
    }
    if signed("first_block", cursor.first_block)? > to {
        let sql = "DELETE FROM cursors WHERE chain_id = $1 AND pool = $2";
        return transaction.execute(Statement::new("roll back", sql).bind(chain_id).bind(pool)).await.map(|_| ());
    }
    let sql = "SELECT hash FROM blocks WHERE chain_id = $1 AND number = $2";
    let header = transaction.fetch_one(Statement::new("read a block", sql).bind(chain_id).bind(to)).await?;
    let hash: Option<String> = header.map(|row| row.get("hash")).transpose()?;
    let sql = "UPDATE cursors SET last_block = $3, last_hash = $4 WHERE chain_id = $1 AND pool = $2";
    let statement =
        Statement::new("move the cursor", sql).bind(chain_id).bind(pool).bind(to).bind(Argument::Text(hash));
    transaction.execute(statement).await.map(|_| ())
}

async fn delete_headers(transaction: &mut Transaction, chain_id: i64, to: i64) -> Result<u64, DatabaseError> {
    let sql = "DELETE FROM blocks WHERE chain_id = $1 AND number > $2";
    transaction.execute(Statement::new("roll back", sql).bind(chain_id).bind(to)).await
}
