//! The loop: the next blocks are read while the last ones are written.

use std::pin::pin;
use std::time::{Duration, Instant};

use assay_amm::event::{BlockHeader, Logged};
use assay_chain::{
    Address, BlockRef, Extension, Header, LogFollower, POLL_INTERVAL, Progress, REMEMBERED_BLOCKS, Step,
};
use assay_store::database::{DatabaseError, Ingested, PoolEventsReader, PoolEventsWriter};

use super::{Ended, Indexed, RolledBack};
use crate::error::JobError;
use crate::progress::Advance;
use crate::workspace::Workspace;

/// How long a database that is away is waited for.
const DATABASE_PATIENCE: Duration = Duration::from_secs(300);
/// The wait between two tries of a database.
const DATABASE_RETRY: Duration = Duration::from_millis(500);
/// How often in a row a node may be away while the head is followed; each time the client has
/// tried for about half a minute.
const MAX_NODE_FAILURES: u32 = 20;
/// How often in a row the database may have been changed by another indexer.
const MAX_RESTARTS: u32 = 5;

/// An indexing on its way.
pub(super) struct Indexer<'a> {
    pub workspace: &'a Workspace<'a>,
    pub writer: PoolEventsWriter,
    pub reader: PoolEventsReader,
    pub follower: LogFollower,
    pub chain_id: u64,
    pub pool: Address,
    /// The first block, when nothing is indexed.
    pub first: u64,
    pub follow: bool,
}

/// What became of a write.
enum Written {
    Nothing,
    Range(Ingested),
    /// The database holds other blocks than we thought: another indexer of this chain was faster.
    Moved(DatabaseError),
}

impl Indexer<'_> {
    /// Indexes until the end or an interrupt, and tells `done` what happened.
    pub(super) async fn run(mut self, done: &mut Indexed, started: Instant) -> Result<(), JobError> {
        let mut interrupted = pin!(interrupted());
        let mut waited = Duration::ZERO;
        let (mut node_failures, mut restarts) = (0, 0);
        let mut pending: Option<Extension> = None;
        self.restart().await?;
        let begin = self.follower.next_block();
        let ended = loop {
            let extension = pending.take();
            let look = async {
                tokio::select! {
                    progress = self.follower.poll() => Some(progress),
                    () = &mut interrupted => None,
                }
            };
            let write = write(&self.writer, self.chain_id, self.pool, extension.as_ref());
            let (progress, written) = tokio::join!(look, write);
            match (written?, &extension) {
                (Written::Moved(error), _) => {
                    restarts += 1;
                    if restarts > MAX_RESTARTS {
                        return Err(error.into());
                    }
                    self.workspace.progress.note(&format!("{error}; going on from what the database holds"));
                    match error {
                        DatabaseError::Reorganised { block, .. } => self.settle(done, block).await?,
                        _ => self.restart().await?,
                    }
                    continue;
                }
                (Written::Range(ingested), Some(extension)) => {
                    restarts = 0;
                    done.count(self.pool, extension, ingested);
                    self.advance(done, begin, extension, started.elapsed().saturating_sub(waited));
                }
                _ => {}
            }
            match progress {
                None => break Ended::Interrupted,
                Some(Ok(Progress::Step(Step::Extend(extension)))) => {
                    node_failures = 0;
                    pending = Some(extension);
                }
                Some(Ok(Progress::Step(Step::Rollback { to_block }))) => self.roll_back(done, to_block.number).await?,
                Some(Ok(Progress::Done)) => break Ended::LastBlock,
                Some(Ok(Progress::AtHead { head })) => {
                    done.head = head;
                    if !self.follow {
                        break Ended::Head;
                    }
                    let since = Instant::now();
                    tokio::select! {
                        () = tokio::time::sleep(POLL_INTERVAL) => {}
                        () = &mut interrupted => break Ended::Interrupted,
                    }
                    waited += since.elapsed();
                }
                Some(Err(error)) => {
                    node_failures += 1;
                    if !self.follow || !error.is_retryable() || node_failures >= MAX_NODE_FAILURES {
                        return Err(error.into());
                    }
                    self.workspace.progress.note(&error.to_string());
                }
            }
        };
        done.ended = ended;
        done.seconds = started.elapsed().saturating_sub(waited).as_secs_f64();
        done.logs_per_second = done.logs as f64 / done.seconds.max(1e-9);
        let cursor = self.writer.cursor(self.chain_id, self.pool).await?;
        done.indexed = cursor.map(|cursor| [cursor.first_block, cursor.last_block]);
        self.reader.close().await;
        self.writer.close().await;
        Ok(())
    }

    /// Follows on after what the database holds.
    async fn restart(&mut self) -> Result<(), JobError> {
        let known = self.known().await?;
        self.follower.restart(self.first, known);
        Ok(())
    }

    /// The last blocks of the pool that the database holds.
    async fn known(&self) -> Result<Vec<BlockRef>, JobError> {
        let Some(cursor) = self.writer.cursor(self.chain_id, self.pool).await? else { return Ok(Vec::new()) };
        let oldest = cursor.last_block.saturating_sub(REMEMBERED_BLOCKS).max(cursor.first_block);
        let headers = self.reader.headers(self.chain_id, oldest..=cursor.last_block).await?;
        let mut known: Vec<BlockRef> =
            headers.iter().map(|header| BlockRef { number: header.number, hash: header.hash }).collect();
        if known.last().is_none_or(|last| last.number != cursor.last_block) {
            let text = format!(
                "no header of block {}, the last one indexed: index into another --database",
                cursor.last_block
            );
            known.push(BlockRef { number: cursor.last_block, hash: cursor.last_hash.ok_or(JobError::Check(text))? });
        }
        Ok(known)
    }

    /// Takes back the blocks above `to_block`, unless another indexer has.
    async fn roll_back(&mut self, done: &mut Indexed, to_block: u64) -> Result<(), JobError> {
        let cursor = self.writer.cursor(self.chain_id, self.pool).await?;
        if cursor.is_some_and(|cursor| cursor.last_block > to_block) {
            let events = self.writer.roll_back_chain(self.chain_id, to_block).await?;
            self.workspace
                .progress
                .note(&format!("the chain was reorganised above block {to_block}: {events} events taken back"));
            done.rollbacks.push(RolledBack { to_block, events });
        }
        self.restart().await
    }

    /// Takes back the stored blocks around `block` that the node does not have, whichever pool
    /// they were stored for, and follows on after the rest.
    async fn settle(&mut self, done: &mut Indexed, block: u64) -> Result<(), JobError> {
        let around = block.saturating_sub(REMEMBERED_BLOCKS)..=block;
        let stored = self.reader.headers(self.chain_id, around).await?;
        let numbers: Vec<u64> = stored.iter().map(|header| header.number).collect();
        let headers = self.follower.client().headers(&numbers).await?;
        let differs =
            |(stored, header): &(&BlockHeader, Option<Header>)| header.is_none_or(|header| header.hash != stored.hash);
        if let Some((first, _)) = stored.iter().zip(headers).find(differs) {
            let to_block = first.number.saturating_sub(1);
            let events = self.writer.roll_back_chain(self.chain_id, to_block).await?;
            done.rollbacks.push(RolledBack { to_block, events });
        }
        self.restart().await
    }

    fn advance(&self, done: &Indexed, begin: u64, extension: &Extension, spent: Duration) {
        let (at, target) = (*extension.range.end(), self.follower.target(extension.head));
        let blocks = at.saturating_sub(begin) + 1;
        let rate = blocks as f64 / spent.as_secs_f64().max(1e-9);
        let left = target.saturating_sub(at);
        self.workspace.progress.advance(&Advance {
            done: blocks,
            total: blocks + left,
            unit: "blocks",
            per_second: Some(rate),
            seconds_left: Some(left as f64 / rate),
            figures: vec![("logs", done.logs as f64), ("block", at as f64)],
        });
    }
}

impl Indexed {
    fn count(&mut self, pool: Address, extension: &Extension, ingested: Ingested) {
        self.head = extension.head;
        self.blocks += extension.range.end() - extension.range.start() + 1;
        self.logs += extension.logs.len() as u64;
        self.new_events += ingested.new_events;
        for (name, count) in ingested.skipped {
            *self.skipped.entry(name).or_default() += count;
        }
        for log in &extension.logs {
            let name = match log.decode() {
                Ok(Logged::Pool(event)) if log.address == pool => event.name(),
                Ok(Logged::Gauge(event)) => event.name(),
                Ok(Logged::Fee(_)) => "fee",
                _ => continue,
            };
            *self.events_by_kind.entry(name).or_default() += 1;
        }
    }
}

/// Writes a range; a database that is away is waited for.
async fn write(
    writer: &PoolEventsWriter,
    chain_id: u64,
    pool: Address,
    extension: Option<&Extension>,
) -> Result<Written, DatabaseError> {
    let Some(extension) = extension else { return Ok(Written::Nothing) };
    let header =
        |header: &Header| BlockHeader { number: header.number, hash: header.hash, timestamp: header.timestamp };
    let headers: Vec<BlockHeader> = extension.headers.iter().map(header).collect();
    let started = Instant::now();
    loop {
        match writer.ingest(chain_id, pool, extension.range.clone(), &headers, &extension.logs).await {
            Ok(ingested) => return Ok(Written::Range(ingested)),
            Err(error) if error.is_retryable() && started.elapsed() < DATABASE_PATIENCE => {
                tokio::time::sleep(DATABASE_RETRY).await;
            }
            Err(error @ (DatabaseError::Reorganised { .. } | DatabaseError::Gap { .. })) => {
                return Ok(Written::Moved(error));
            }
            Err(error) => return Err(error),
        }
    }
}

/// Ends when the process is asked to end. Where the system cannot tell, a kill is as safe:
/// every range is written as a whole.
pub(crate) async fn interrupted() {
    #[cfg(unix)]
    if let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminate.recv() => {}
        }
        return;
    }
    let _ = tokio::signal::ctrl_c().await;
}
