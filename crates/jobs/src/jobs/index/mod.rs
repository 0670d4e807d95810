//! A pool's logs from a chain's node into the pool-events database.

pub(crate) mod indexer;
mod place;

use std::collections::BTreeMap;
use std::time::Instant;

use assay_amm::PoolKind;
use assay_chain::{
    Endpoint, FollowOptions, HeaderMode, LogFollower, PoolFacts, RpcClient, parse_address, probe_pool, show_address,
};
use assay_store::database::{DatabaseLocation, PoolEventsReader, PoolEventsWriter};
use serde::Serialize;

use crate::error::JobError;
use crate::workspace::Workspace;
use indexer::Indexer;
use place::{Start, registered, start};

/// What to index.
#[derive(Debug, Clone)]
pub struct IndexRequest {
    /// The node.
    pub rpc: Endpoint,
    /// The pool's address.
    pub pool: String,
    /// The pool's kind, to be checked; `None` takes what the pool says.
    pub kind: Option<PoolKind>,
    /// First block of a pool that is not indexed yet; `None` begins with the block that made it.
    pub from: Option<u64>,
    /// Last block; `None` ends at the head.
    pub to: Option<u64>,
    /// The database; `None` is `pool-events.db` in the home folder.
    pub database: Option<DatabaseLocation>,
    /// Contracts where liquidity is staked.
    pub gauges: Vec<String>,
    /// Contracts that set swap fees.
    pub fee_modules: Vec<String>,
    /// Contracts that set the fees of unstaked liquidity.
    pub unstaked_fee_modules: Vec<String>,
    /// How many blocks below the head to stay.
    pub confirmations: u64,
    /// Whether to go on with new blocks as they come.
    pub follow: bool,
    /// Whether to store the time of every block, and not only of those with logs.
    pub all_headers: bool,
}

/// Why an indexing ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// Every block there is, less the confirmations, is indexed.
    Head,
    /// The last block asked for is indexed.
    LastBlock,
    /// It was asked to end; what it had begun is stored.
    Interrupted,
    /// Nothing was to be written.
    DryRun,
}

/// A range that left the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RolledBack {
    /// The last block that stood.
    pub to_block: u64,
    /// Events that were deleted, of all pools of the chain.
    pub events: u64,
}

/// What an indexing did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Indexed {
    /// The pool.
    pub pool: String,
    /// Its kind.
    pub kind: String,
    /// Token 0 and token 1.
    pub tokens: [String; 2],
    /// Distance of usable ticks.
    pub tick_spacing: i32,
    /// Its fee in millionths; `None` where it changes.
    pub fee_pips: Option<u32>,
    /// The chain.
    pub chain_id: u64,
    /// The node, without what may be a key.
    pub node: String,
    /// The database, without its password.
    pub database: String,
    /// First and last block of the pool in the database (that would be, in a dry run); `None`
    /// when there is none.
    pub indexed: Option<[u64; 2]>,
    /// The node's newest block.
    pub head: u64,
    /// Blocks indexed by this run.
    pub blocks: u64,
    /// Logs read by this run.
    pub logs: u64,
    /// Events stored by this run that were not there.
    pub new_events: u64,
    /// Events of the pool and its gauges read by this run, by kind.
    pub events_by_kind: BTreeMap<&'static str, u64>,
    /// Logs that are no events of ours, by name or first topic.
    pub skipped: BTreeMap<String, u64>,
    /// Reorganisations met.
    pub rollbacks: Vec<RolledBack>,
    /// Time spent, without waiting for new blocks, in seconds.
    pub seconds: f64,
    /// Logs per second of that time.
    pub logs_per_second: f64,
    /// Why it ended.
    pub ended: Ended,
}

impl IndexRequest {
    /// Indexes; a killed run goes on where it was.
    ///
    /// # Errors
    /// [`JobError::Input`] when the request does not fit the pool or what is indexed already;
    /// [`JobError::Chain`] and [`JobError::Database`]. What came before is stored.
    pub fn run(self, workspace: &Workspace) -> Result<Indexed, JobError> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.map_err(|error| JobError::Failed(format!("the system gives no threads: {error}")))?;
        runtime.block_on(self.index(workspace))
    }

    async fn index(self, workspace: &Workspace<'_>) -> Result<Indexed, JobError> {
        workspace.progress.stage("node");
        let pool = parse_address(&self.pool)?;
        let client = RpcClient::new(self.rpc.clone())?;
        let chain_id = client.chain_id().await?;
        let facts = probe_pool(&client, pool).await?;
        if let Some(kind) = self.kind
            && kind != facts.kind
        {
            let text = format!("--kind {kind}: {} is a {} pool", show_address(pool), facts.kind);
            return Err(JobError::Input(text));
        }
        let head = client.block_number().await?;
        let location =
            self.database.clone().unwrap_or_else(|| DatabaseLocation::Sqlite(workspace.home.path().join(FILE)));
        let mut done = self.begun(&facts, chain_id, head, &location);
        if workspace.dry_run {
            done.indexed = self.planned(&client, &location, chain_id, pool, head).await?;
            done.blocks = done.indexed.map_or(0, |[first, last]| last - first + 1);
            return Ok(done);
        }
        let writer = PoolEventsWriter::open(&location).await?;
        let reader = PoolEventsReader::open(&location).await?;
        let first = match start(&self, writer.cursor(chain_id, pool).await?)? {
            Start::At(block) | Start::After { first: block, .. } => block,
            Start::Creation => self.creation_block(&client, pool, head).await?,
        };
        let row = registered(&self, &writer, &facts, chain_id, pool).await?;
        let options = FollowOptions {
            headers: if self.all_headers { HeaderMode::All } else { HeaderMode::WithLogs },
            confirmations: self.confirmations,
            until: self.to,
            ..FollowOptions::new(std::iter::once(pool).chain(row.contracts.iter().map(|c| c.address)).collect())
        };
        let follower = LogFollower::from_block(client, options, first)?;
        let indexer = Indexer { workspace, writer, reader, follower, chain_id, pool, first, follow: self.follow };
        let started = Instant::now();
        workspace.progress.stage("index");
        indexer.run(&mut done, started).await?;
        Ok(done)
    }

    fn begun(&self, facts: &PoolFacts, chain_id: u64, head: u64, location: &DatabaseLocation) -> Indexed {
        Indexed {
            pool: self.pool.to_ascii_lowercase(),
            kind: facts.kind.to_string(),
            tokens: facts.tokens.map(show_address),
            tick_spacing: facts.tick_spacing,
            fee_pips: (facts.kind != PoolKind::Slipstream).then_some(facts.fee_pips),
            chain_id,
            node: self.rpc.to_string(),
            database: location.to_string(),
            indexed: None,
            head,
            blocks: 0,
            logs: 0,
            new_events: 0,
            events_by_kind: BTreeMap::new(),
            skipped: BTreeMap::new(),
            rollbacks: Vec::new(),
            seconds: 0.0,
            logs_per_second: 0.0,
            ended: Ended::DryRun,
        }
    }
}

/// The database in the home folder.
pub(crate) const FILE: &str = "pool-events.db";
