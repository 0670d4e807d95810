//! A range of blocks of a pool into the database: all of it, once, or nothing.

use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;

use assay_amm::event::{BlockHeader, Located, RawLog};

use super::decode::{Decoded, decode, take};
use super::reader::{Cursor, read_cursor};
use super::tables::EVENT_TABLES;
use super::text::hex;
use super::{PoolEventsWriter, rows};
use crate::database::DatabaseError;
use crate::database::pool::Transaction;
use crate::database::statement::{Argument, Statement, signed};

/// What became of the logs of a range.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ingested {
    /// Events the range now holds.
    pub events: u64,
    /// Those that it did not hold before.
    pub new_events: u64,
    /// Logs that are not stored, by the name of their event or, of unknown ones, their first
    /// topic.
    pub skipped: BTreeMap<String, u64>,
    /// Logs of contracts that do not speak for the pool, by address.
    pub foreign: BTreeMap<String, u64>,
}

/// A range with the words of its rows.
struct Target {
    chain_id: i64,
    pool: String,
    from: u64,
    to: u64,
}

impl PoolEventsWriter {
    /// Stores what a pool and its contracts logged in a range of blocks, in any order, and moves
    /// the cursor, in one transaction. `headers` has at least each block with logs and the last
    /// of the range; more are stored too. The range continues the indexed blocks or overlaps
    /// them; where it overlaps, its logs replace what was there, so the same range again
    /// changes nothing.
    ///
    /// # Errors
    /// [`DatabaseError::UnknownPool`]; [`DatabaseError::Gap`]; [`DatabaseError::NoHeader`];
    /// [`DatabaseError::Reorganised`] when a block has another hash than it had;
    /// [`DatabaseError::Vanished`] when unchanged blocks have fewer events than they had;
    /// [`DatabaseError::Log`] for a known event with wrong words; [`DatabaseError::Sql`].
    pub async fn ingest(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        range: RangeInclusive<u64>,
        headers: &[BlockHeader],
        logs: &[RawLog],
    ) -> Result<Ingested, DatabaseError> {
        let unknown = || DatabaseError::UnknownPool { chain_id, pool: hex(&pool) };
        let row = self.pool(chain_id, pool).await?.ok_or_else(unknown)?;
        let decoded = decode(&row, &range, headers, logs)?;
        self.store(chain_id, pool, range, headers, decoded).await
    }

    /// The same for events that are decoded already; their log indices count through the block.
    ///
    /// # Errors
    /// As [`PoolEventsWriter::ingest`].
    pub async fn ingest_events(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        range: RangeInclusive<u64>,
        headers: &[BlockHeader],
        events: &[Located],
    ) -> Result<Ingested, DatabaseError> {
        let decoded = take(pool, &range, headers, events)?;
        self.store(chain_id, pool, range, headers, decoded).await
    }

    async fn store(
        &self,
        chain_id: u64,
        pool: [u8; 20],
        range: RangeInclusive<u64>,
        headers: &[BlockHeader],
        decoded: Decoded,
    ) -> Result<Ingested, DatabaseError> {
        let (from, to) = range.into_inner();
        if from > to {
            return Err(DatabaseError::Range { from, to });
        }
        let target = Target { chain_id: signed("chain_id", chain_id)?, pool: hex(&pool), from, to };
        let last = headers.iter().find(|header| header.number == to).ok_or(DatabaseError::NoHeader { block: to })?;
        let mut transaction = self.pool.begin().await?;
        target.lock(&mut transaction, chain_id).await?;
        let cursor = read_cursor(&mut transaction, target.chain_id, &target.pool).await?;
        target.check_continues(cursor)?;
        let indexed = |number: u64| cursor.is_some_and(|at| (at.first_block..=at.last_block).contains(&number));
        let (known, new): (Vec<BlockHeader>, Vec<BlockHeader>) =
            headers.iter().partition(|header| indexed(header.number));
        let healed = target.store_headers(&mut transaction, &known).await?;
        target.store_headers(&mut transaction, &new).await?;
        target.check_hashes(&mut transaction, headers).await?;
        let before = if cursor.is_some() { target.delete_events(&mut transaction).await? } else { 0 };
        let inserts = rows::inserts(target.chain_id, &target.pool, &decoded.events)?;
        let events = transaction.execute_all(inserts).await?;
        let kept = decoded.events.iter().filter(|event| indexed(event.place.block)).count() as u64;
        if kept < before && healed == 0 {
            return Err(DatabaseError::Vanished { from, to, before, now: kept });
        }
        target.move_cursor(&mut transaction, cursor, last).await?;
        transaction.commit().await?;
        Ok(Ingested {
            events,
            new_events: events.saturating_sub(before),
            skipped: decoded.skipped,
            foreign: decoded.foreign,
        })
    }
}

impl Target {
    /// Makes a second writer of the same pool wait until the transaction ends.
    async fn lock(&self, transaction: &mut Transaction, chain_id: u64) -> Result<(), DatabaseError> {
        let sql = "UPDATE pools SET kind = kind WHERE chain_id = $1 AND pool = $2";
        let statement = Statement::new("lock a pool", sql).bind(self.chain_id).bind(&self.pool);
        match transaction.execute(statement).await? {
            0 => Err(DatabaseError::UnknownPool { chain_id, pool: self.pool.clone() }),
            _ => Ok(()),
        }
    }

    fn check_continues(&self, cursor: Option<Cursor>) -> Result<(), DatabaseError> {
        let Some(Cursor { first_block: first, last_block: last, .. }) = cursor else { return Ok(()) };
        if self.from > last.saturating_add(1) || self.to.saturating_add(1) < first {
            return Err(DatabaseError::Gap { from: self.from, to: self.to, first, last });
        }
        Ok(())
    }

    /// Stores headers whose numbers are not known; how many.
    async fn store_headers(
        &self,
        transaction: &mut Transaction,
        headers: &[BlockHeader],
    ) -> Result<u64, DatabaseError> {
        let mut headers = headers.to_vec();
        // Writers of two pools of a chain take blocks in the same order and cannot wait for
        // each other.
        headers.sort_by_key(|header| header.number);
        headers.dedup();
        if let Some(pair) = headers.windows(2).find(|pair| pair[0].number == pair[1].number) {
            return Err(reorganised(&pair[0], &hex(&pair[1].hash)));
        }
        let rows = headers
            .iter()
            .map(|header| {
                Ok(vec![
                    Argument::from(self.chain_id),
                    signed("block", header.number)?.into(),
                    hex(&header.hash).into(),
                    signed("timestamp", header.timestamp)?.into(),
                ])
            })
            .collect::<Result<Vec<_>, DatabaseError>>()?;
        let head = "INSERT INTO blocks (chain_id, number, hash, timestamp)";
        let tail = "ON CONFLICT (chain_id, number) DO NOTHING";
        transaction.execute_all(Statement::insert_many("store blocks", head, tail, rows)).await
    }

    /// Refuses headers that say otherwise than the stored ones.
    async fn check_hashes(&self, transaction: &mut Transaction, headers: &[BlockHeader]) -> Result<(), DatabaseError> {
        let numbers = headers.iter().map(|header| header.number);
        let (Some(from), Some(to)) = (numbers.clone().min(), numbers.max()) else { return Ok(()) };
        let sql = "SELECT number, hash FROM blocks WHERE chain_id = $1 AND number >= $2 AND number <= $3";
        let statement = Statement::new("compare blocks", sql)
            .bind(self.chain_id)
            .bind(signed("block", from)?)
            .bind(signed("block", to)?);
        let mut known: HashMap<u64, String> = HashMap::new();
        for row in transaction.fetch(statement).await? {
            known.insert(row.count("number")?, row.get("hash")?);
        }
        for header in headers {
            match known.get(&header.number) {
                Some(hash) if *hash == hex(&header.hash) => {}
                Some(hash) => return Err(reorganised(header, hash)),
                None => return Err(DatabaseError::NoHeader { block: header.number }),
            }
        }
        Ok(())
    }

    /// Deletes the pool's events in the range; how many there were.
    async fn delete_events(&self, transaction: &mut Transaction) -> Result<u64, DatabaseError> {
        let mut deleted = 0;
        for table in EVENT_TABLES {
            let sql = format!("DELETE FROM {table} WHERE chain_id = $1 AND pool = $2 AND block >= $3 AND block <= $4");
            let statement = Statement::new("replace events", sql)
                .bind(self.chain_id)
                .bind(&self.pool)
                .bind(signed("block", self.from)?)
                .bind(signed("block", self.to)?);
            deleted += transaction.execute(statement).await?;
        }
        Ok(deleted)
    }

    async fn move_cursor(
        &self,
        transaction: &mut Transaction,
        cursor: Option<Cursor>,
        last: &BlockHeader,
    ) -> Result<(), DatabaseError> {
        let first_block = cursor.map_or(self.from, |cursor| cursor.first_block.min(self.from));
        let (last_block, last_hash) = match cursor {
            Some(cursor) if cursor.last_block > self.to => (cursor.last_block, cursor.last_hash),
            _ => (self.to, Some(last.hash)),
        };
        let sql = "INSERT INTO cursors (chain_id, pool, first_block, last_block, last_hash) \
                   VALUES ($1, $2, $3, $4, $5) ON CONFLICT (chain_id, pool) DO UPDATE SET \
                   first_block = excluded.first_block, last_block = excluded.last_block, \
                   last_hash = excluded.last_hash";
        let statement = Statement::new("move the cursor", sql)
            .bind(self.chain_id)
            .bind(&self.pool)
            .bind(signed("first_block", first_block)?)
            .bind(signed("last_block", last_block)?)
            .bind(Argument::Text(last_hash.map(|hash| hex(&hash))));
        transaction.execute(statement).await.map(|_| ())
    }
}

fn reorganised(header: &BlockHeader, known: &str) -> DatabaseError {
    DatabaseError::Reorganised { block: header.number, known: known.to_owned(), given: hex(&header.hash) }
}
