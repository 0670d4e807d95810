//! What is indexed, in the order of the chain.

use std::ops::RangeInclusive;

use assay_amm::event::{BlockHeader, FeeEvent, GaugeEvent, Located, Place};

use super::rows::{fee_event, gauge_event, place, pool_event, select};
use super::text::{get_hex, hex, read_hex};
use super::{PoolEventsReader, PoolEventsWriter};
use crate::database::DatabaseError;
use crate::database::pool::{Pool, Transaction};
use crate::database::statement::{Statement, signed};

/// The blocks of a pool that are indexed, without a gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// First block.
    pub first_block: u64,
    /// Last block.
    pub last_block: u64,
    /// Hash of the last block; `None` after a roll-back to a block without a stored header.
    pub last_hash: Option<[u8; 32]>,
}

/// An event of a gauge with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocatedGauge {
    /// Where in the chain.
    pub place: Place,
    /// The gauge.
    pub contract: [u8; 20],
    /// What happened.
    pub event: GaugeEvent,
}

/// A change of fees with its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocatedFee {
    /// Where in the chain.
    pub place: Place,
    /// The fee module or factory.
    pub contract: [u8; 20],
    /// What was set.
    pub event: FeeEvent,
}

const POOL_TABLES: [&str; 5] = ["swaps", "mints", "burns", "collects", "other_events"];

/// A read of one moment of a range that is indexed.
struct Reading {
    transaction: Transaction,
    chain_id: i64,
    pool: String,
    from: i64,
    to: i64,
}

impl PoolEventsReader {
    /// The events of a pool in a range of blocks, by block and log index; `line` counts them
    /// from 1.
    ///
    /// # Errors
    /// [`DatabaseError::NotIndexed`] when a block of the range is not indexed, so that no
    /// event is missed; [`DatabaseError::Sql`].
    pub async fn events(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<Located>, DatabaseError> {
        let mut reading = Reading::begin(&self.pool, chain_id, pool, blocks).await?;
        let mut events = Vec::new();
        for table in POOL_TABLES {
            for row in reading.fetch(table).await? {
                events.push(Located { place: place(&row)?, line: 0, event: pool_event(table, &row)? });
            }
        }
        events.sort_by_key(|event| event.place);
        (1..).zip(&mut events).for_each(|(line, event)| event.line = line);
        Ok(events)
    }

    /// Deposits and withdrawals at the pool's gauge in a range of blocks, by block and log
    /// index.
    ///
    /// # Errors
    /// As [`PoolEventsReader::events`].
    pub async fn gauge_events(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<LocatedGauge>, DatabaseError> {
        let mut reading = Reading::begin(&self.pool, chain_id, pool, blocks).await?;
        let rows = reading.fetch("gauge_events").await?;
        let mut events = rows
            .iter()
            .map(|row| {
                Ok(LocatedGauge { place: place(row)?, contract: get_hex(row, "contract")?, event: gauge_event(row)? })
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        events.sort_by_key(|event| event.place);
        Ok(events)
    }

    /// Changes of the pool's fees in a range of blocks, by block and log index.
    ///
    /// # Errors
    /// As [`PoolEventsReader::events`].
    pub async fn fee_events(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        blocks: RangeInclusive<u64>,
    ) -> Result<Vec<LocatedFee>, DatabaseError> {
        let mut reading = Reading::begin(&self.pool, chain_id, pool, blocks).await?;
        let rows = reading.fetch("fee_module_events").await?;
        let mut events = rows
            .iter()
            .map(|row| {
                Ok(LocatedFee { place: place(row)?, contract: get_hex(row, "contract")?, event: fee_event(row, pool)? })
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        events.sort_by_key(|event| event.place);
        Ok(events)
    }

    /// The stored headers in a range of blocks, ascending; blocks without a stored header are
    /// left out.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn headers(&self, chain_id: u64, blocks: RangeInclusive<u64>) -> Result<Vec<BlockHeader>, DatabaseError> {
        let sql = "SELECT number, hash, timestamp FROM blocks \
                   WHERE chain_id = $1 AND number >= $2 AND number <= $3 ORDER BY number";
        let statement = Statement::new("read blocks", sql)
            .bind(signed("chain_id", chain_id)?)
            .bind(signed("block", *blocks.start())?)
            .bind(signed("block", *blocks.end())?);
        self.pool
            .fetch(statement)
            .await?
            .iter()
            .map(|row| {
                let (number, timestamp) = (row.count("number")?, row.count("timestamp")?);
                Ok(BlockHeader { number, hash: get_hex(row, "hash")?, timestamp })
            })
            .collect()
    }

    /// The first block at or after a time (seconds since 1970) whose header is stored; `None`
    /// when there is none yet.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn first_header_at(&self, chain_id: u64, timestamp: u64) -> Result<Option<BlockHeader>, DatabaseError> {
        let sql = "SELECT number, hash, timestamp FROM blocks \
                   WHERE chain_id = $1 AND timestamp >= $2 ORDER BY timestamp, number LIMIT 1";
        let statement = Statement::new("find a block", sql)
            .bind(signed("chain_id", chain_id)?)
            .bind(signed("timestamp", timestamp)?);
        let rows = self.pool.fetch(statement).await?;
        let header = rows.first().map(|row| {
            let (number, timestamp) = (row.count("number")?, row.count("timestamp")?);
            Ok(BlockHeader { number, hash: get_hex(row, "hash")?, timestamp })
        });
        header.transpose()
    }

    /// The indexed blocks of a pool; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn cursor(&self, chain_id: u64, pool: [u8; 20]) -> Result<Option<Cursor>, DatabaseError> {
        cursor(&self.pool, chain_id, pool).await
    }
}

impl PoolEventsWriter {
    /// The indexed blocks of a pool; `None` when there is none.
    ///
    /// # Errors
    /// [`DatabaseError::Sql`] or [`DatabaseError::TimedOut`].
    pub async fn cursor(&self, chain_id: u64, pool: [u8; 20]) -> Result<Option<Cursor>, DatabaseError> {
        cursor(&self.pool, chain_id, pool).await
    }
}

impl Reading {
    async fn begin(
        database: &Pool,
        chain_id: u64,
        pool: [u8; 20],
        blocks: RangeInclusive<u64>,
    ) -> Result<Self, DatabaseError> {
        let (from, to) = blocks.into_inner();
        if from > to {
            return Err(DatabaseError::Range { from, to });
        }
        let (number, text) = (signed("chain_id", chain_id)?, hex(&pool));
        let mut transaction = database.snapshot().await?;
        let indexed = read_cursor(&mut transaction, number, &text).await?.map(|at| (at.first_block, at.last_block));
        if !indexed.is_some_and(|(first, last)| first <= from && to <= last) {
            return Err(DatabaseError::NotIndexed { pool: text, from, to, indexed });
        }
        let (from, to) = (signed("block", from)?, signed("block", to)?);
        Ok(Self { transaction, chain_id: number, pool: text, from, to })
    }

    async fn fetch(&mut self, table: &'static str) -> Result<Vec<crate::database::statement::Row>, DatabaseError> {
        let statement = select(table, self.chain_id, &self.pool, self.from, self.to);
        self.transaction.fetch(statement).await
    }
}

async fn cursor(database: &Pool, chain_id: u64, pool: [u8; 20]) -> Result<Option<Cursor>, DatabaseError> {
    let mut transaction = database.snapshot().await?;
    read_cursor(&mut transaction, signed("chain_id", chain_id)?, &hex(&pool)).await
}

pub(super) async fn read_cursor(
    transaction: &mut Transaction,
    chain_id: i64,
    pool: &str,
) -> Result<Option<Cursor>, DatabaseError> {
    let sql = "SELECT first_block, last_block, last_hash FROM cursors WHERE chain_id = $1 AND pool = $2";
    let row = transaction.fetch_one(Statement::new("read the cursor", sql).bind(chain_id).bind(pool)).await?;
    let Some(row) = row else { return Ok(None) };
    let hash: Option<String> = row.get("last_hash")?;
    Ok(Some(Cursor {
        first_block: row.count("first_block")?,
        last_block: row.count("last_block")?,
        last_hash: hash.map(|hash| read_hex("last_hash", &hash)).transpose()?,
    }))
}
