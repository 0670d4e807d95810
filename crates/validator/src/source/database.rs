//! The pool-events database, asked again and again for what the indexer added.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use assay_lp::{BlockTime, Job};
use assay_store::database::PoolEventsReader;

use super::{EventSource, SourceError, Stretch};
use crate::clock::{Clock, Hold};

/// Blocks of one read.
const MAX_BLOCKS: u64 = 1 << 16;
/// Blocks before the newest whose times the first stretch has; rounds of earlier ones cannot
/// be resumed.
const HISTORY_BLOCKS: u64 = 1 << 15;

/// Stretches of a job whose last block is remembered; whoever goes on from an earlier one
/// begins anew.
const MAX_SEEN: usize = 1 << 13;

/// What the indexer stores, as it stores it.
#[derive(Debug)]
pub struct DatabaseSource {
    reader: PoolEventsReader,
    clock: Clock,
    block_seconds: u64,
    poll: Duration,
    /// Hashes of the last blocks of stretches, by job and block.
    seen: Mutex<BTreeMap<(String, u64), [u8; 32]>>,
}

impl DatabaseSource {
    /// Follows a database, asked every `poll`. Blocks without a stored header are taken to
    /// lie `block_seconds` apart where that fits exactly.
    #[must_use]
    pub fn new(reader: PoolEventsReader, clock: Clock, block_seconds: u64, poll: Duration) -> Self {
        Self { reader, clock, block_seconds, poll, seen: Mutex::default() }
    }

    /// The block that was handed out last must still be the one that it was.
    async fn check_branch(&self, job: &Job, block: u64) -> Result<(), SourceError> {
        let place = (job.job_id.clone(), block);
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(&place).copied();
        let Some(hash) = seen else { return Err(SourceError::Reorganised { block }) };
        let header = self.reader.headers(job.chain_id, block..=block).await?;
        match header.first() {
            Some(header) if header.hash == hash => Ok(()),
            _ => Err(SourceError::Reorganised { block }),
        }
    }

    fn remember(&self, job: &Job, block: u64, hash: [u8; 32]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((job.job_id.clone(), block), hash);
        let of_job = (job.job_id.clone(), 0)..=(job.job_id.clone(), u64::MAX);
        if seen.range(of_job.clone()).count() > MAX_SEEN
            && let Some((oldest, _)) = seen.range(of_job).next().map(|(place, hash)| (place.clone(), *hash))
        {
            seen.remove(&oldest);
        }
    }

    async fn read(&self, job: &Job, after: Option<u64>) -> Result<Option<Stretch>, SourceError> {
        let pool = address(&job.pair_address)?;
        if let Some(after) = after {
            self.check_branch(job, after).await?;
        }
        let Some(cursor) = self.reader.cursor(job.chain_id, pool).await? else { return Ok(None) };
        let from = after.map_or(cursor.first_block, |after| after + 1);
        if cursor.last_block < from {
            return Ok(None);
        }
        // A first read takes all events at once, so that its last block is the newest.
        let last = if after.is_none() { cursor.last_block } else { cursor.last_block.min(from + MAX_BLOCKS) };
        let times_from = from.max(if after.is_none() { last.saturating_sub(HISTORY_BLOCKS) } else { from });
        // The block before may be needed to place the first ones.
        let range = times_from.saturating_sub(1)..=last;
        let headers = self.reader.headers(job.chain_id, range.clone()).await?;
        let events = self.reader.events(job.chain_id, pool, from..=last).await?;
        // The reads are no single one: what was rolled back between them is read again.
        if self.reader.headers(job.chain_id, range).await? != headers {
            return Ok(None);
        }
        if let Some(after) = after {
            self.check_branch(job, after).await?;
        }
        let Some(newest) = headers.last().filter(|header| header.number == last) else {
            return Err(self.no_times(times_from, last));
        };
        let mut blocks = Vec::new();
        let mut before: Option<BlockTime> = None;
        for header in &headers {
            let block = BlockTime { number: header.number, timestamp: header.timestamp };
            match before {
                Some(before) => self.fill(before, block, &mut blocks)?,
                None => blocks.push(block),
            }
            before = Some(block);
        }
        blocks.retain(|block| block.number >= times_from);
        if after.is_some() && blocks.first().is_none_or(|first| first.number != from) {
            return Err(self.no_times(from, last));
        }
        self.remember(job, newest.number, newest.hash);
        Ok(Some(Stretch { events, blocks }))
    }

    fn no_times(&self, from: u64, to: u64) -> SourceError {
        SourceError::NoTimes { from, to, block_seconds: self.block_seconds }
    }

    /// The blocks after `before` through `block`.
    fn fill(&self, before: BlockTime, block: BlockTime, blocks: &mut Vec<BlockTime>) -> Result<(), SourceError> {
        let missing = block.number - before.number;
        let seconds = block.timestamp.saturating_sub(before.timestamp);
        if missing > 1 && missing.checked_mul(self.block_seconds) != Some(seconds) {
            return Err(self.no_times(before.number + 1, block.number - 1));
        }
        for index in 1..missing {
            let timestamp = before.timestamp + index * self.block_seconds;
            blocks.push(BlockTime { number: before.number + index, timestamp });
        }
        blocks.push(block);
        Ok(())
    }
}

#[async_trait::async_trait]
impl EventSource for DatabaseSource {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn next(&self, job: &Job, after: Option<u64>, _hold: &mut Hold) -> Result<Option<Stretch>, SourceError> {
        loop {
            match self.read(job, after).await {
                Ok(Some(stretch)) => return Ok(Some(stretch)),
                Err(error) if !error.is_retryable() => return Err(error),
                // Away, or nothing new.
                Ok(None) | Err(_) => tokio::time::sleep(self.poll).await,
            }
        }
    }
}

fn address(text: &str) -> Result<[u8; 20], SourceError> {
    let fail = || SourceError::Address(text.chars().take(80).collect());
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 40 && digits.is_ascii()).ok_or_else(fail)?;
    let mut bytes = [0; 20];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| fail())?;
    }
    Ok(bytes)
}
