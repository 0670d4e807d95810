//! Follows the logs of contracts from block to block, and says when blocks that were
//! followed are no longer part of the chain.

mod memory;
mod range;
mod read;

use std::ops::RangeInclusive;
use std::time::Duration;

use assay_amm::event::RawLog;

pub use memory::{BlockRef, REMEMBERED_BLOCKS};
pub use range::{FIRST_RANGE_BLOCKS, MAX_HEADER_BLOCKS, MAX_RANGE_BLOCKS};

use crate::Address;
use crate::calls::{Header, MAX_ADDRESSES};
use crate::client::RpcClient;
use crate::error::ChainError;
use memory::Memory;
use range::RangeSize;
use read::Reading;

/// How often the node is asked for new blocks while there are none.
pub const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// Headers asked for at once when the end of a reorganisation is searched.
const SEARCH_BATCH: usize = 32;

/// Which blocks' headers a step carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum HeaderMode {
    /// Those of every block: for those who need the time of blocks without logs.
    All,
    /// Those of blocks with logs, of the first and last block of each range, and of every
    /// block within [`REMEMBERED_BLOCKS`] of the head.
    #[default]
    WithLogs,
}

/// What to follow, and how.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// The contracts whose logs are followed, 1 to [`MAX_ADDRESSES`].
    pub addresses: Vec<Address>,
    /// Which headers come with the logs.
    pub headers: HeaderMode,
    /// How many blocks below the head to stay; 0 follows the head itself.
    pub confirmations: u64,
    /// The last block to follow; `None` follows without end.
    pub until: Option<u64>,
    /// The most blocks of a step: [`MAX_RANGE_BLOCKS`] at most, [`MAX_HEADER_BLOCKS`] with all
    /// headers.
    pub max_range_blocks: u64,
    /// How often to ask for new blocks while there are none, [`POLL_INTERVAL`] by default.
    pub poll_interval: Duration,
}

impl FollowOptions {
    /// Follows these contracts at the head of the chain, without end.
    #[must_use]
    pub fn new(addresses: Vec<Address>) -> Self {
        Self {
            addresses,
            headers: HeaderMode::default(),
            confirmations: 0,
            until: None,
            max_range_blocks: MAX_RANGE_BLOCKS,
            poll_interval: POLL_INTERVAL,
        }
    }
}

/// The blocks of a range, all of one chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension {
    /// The blocks: the first comes right after the block followed last.
    pub range: RangeInclusive<u64>,
    /// Headers as [`HeaderMode`] says, ascending, those of the range's ends among them.
    pub headers: Vec<Header>,
    /// All logs of the followed contracts, by block and place in the block. The block hash
    /// of each is that of its header.
    pub logs: Vec<RawLog>,
    /// The newest block of the node.
    pub head: u64,
}

/// What a follower of the follower does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Adds these blocks.
    Extend(Extension),
    /// Takes back every block above this one.
    Rollback {
        /// The last block that stands.
        to_block: BlockRef,
    },
}

/// What one look at the node came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// There is something to do.
    Step(Step),
    /// Everything there is has been followed.
    AtHead {
        /// The newest block of the node.
        head: u64,
    },
    /// The last block asked for has been followed.
    Done,
}

/// Follows the logs of contracts. A call that is dropped half-way changes nothing.
#[derive(Debug)]
pub struct LogFollower {
    client: RpcClient,
    options: FollowOptions,
    next: u64,
    memory: Memory,
    size: RangeSize,
}

impl LogFollower {
    /// Follows from block `first` on.
    ///
    /// # Errors
    /// [`ChainError::Invalid`] when `options` name no contract or too many.
    pub fn from_block(client: RpcClient, options: FollowOptions, first: u64) -> Result<Self, ChainError> {
        Self::new(client, options, first, Memory::default())
    }

    /// Follows on after the newest of the `known` blocks. The others, as far as they are
    /// within [`REMEMBERED_BLOCKS`] of it, are what a reorganisation in between is rolled
    /// back to; with the newest alone every such reorganisation is too deep.
    ///
    /// # Errors
    /// [`ChainError::Invalid`] when there is no known block, or as [`LogFollower::from_block`].
    pub fn resume(
        client: RpcClient,
        options: FollowOptions,
        known: impl IntoIterator<Item = BlockRef>,
    ) -> Result<Self, ChainError> {
        let memory = Memory::new(known);
        let last = memory.last().ok_or_else(|| ChainError::Invalid("no known block to resume from".into()))?;
        Self::new(client, options, last.number + 1, memory)
    }

    fn new(client: RpcClient, options: FollowOptions, next: u64, memory: Memory) -> Result<Self, ChainError> {
        let count = options.addresses.len();
        if count == 0 || count > MAX_ADDRESSES {
            return Err(ChainError::Invalid(format!("{count} contracts to follow: give 1 to {MAX_ADDRESSES}")));
        }
        let most = match options.headers {
            HeaderMode::All => MAX_HEADER_BLOCKS,
            HeaderMode::WithLogs => MAX_RANGE_BLOCKS,
        };
        let size = RangeSize::new(options.max_range_blocks.min(most));
        Ok(Self { client, options, next, memory, size })
    }

    /// Forgets everything and follows on after the newest of the `known` blocks, as
    /// [`LogFollower::resume`]; from block `first` on when there is none.
    pub fn restart(&mut self, first: u64, known: impl IntoIterator<Item = BlockRef>) {
        self.memory = Memory::new(known);
        self.next = self.memory.last().map_or(first, |last| last.number + 1);
    }

    /// The client that asks the node.
    #[must_use]
    pub fn client(&self) -> &RpcClient {
        &self.client
    }

    /// The next block to follow.
    #[must_use]
    pub fn next_block(&self) -> u64 {
        self.next
    }

    /// The last block that is followed while the newest is `head`.
    #[must_use]
    pub fn target(&self, head: u64) -> u64 {
        head.saturating_sub(self.options.confirmations).min(self.options.until.unwrap_or(u64::MAX))
    }

    /// The next step; waits for new blocks, and is `None` after the last block asked for.
    ///
    /// # Errors
    /// As [`LogFollower::poll`].
    pub async fn next(&mut self) -> Result<Option<Step>, ChainError> {
        loop {
            match self.poll().await? {
                Progress::Step(step) => return Ok(Some(step)),
                Progress::Done => return Ok(None),
                Progress::AtHead { .. } => tokio::time::sleep(self.options.poll_interval).await,
            }
        }
    }

    /// Looks at the node once. After a step the follower counts it as done: whoever could
    /// not apply it makes a new follower that resumes from what is applied.
    ///
    /// # Errors
    /// [`ChainError::DeepReorganisation`], [`ChainError::Unsteady`], [`ChainError::RangeRefused`]
    /// for a single block, or what the client says.
    pub async fn poll(&mut self) -> Result<Progress, ChainError> {
        let mut unsteady = 0;
        loop {
            let Some(detail) = (match self.look().await? {
                Look::Progress(progress) => return Ok(progress),
                Look::Refused => None,
                Look::Changed(detail) => Some(detail),
            }) else {
                continue;
            };
            unsteady += 1;
            if unsteady >= self.client.max_attempts() {
                let range = self.next..=self.next.saturating_add(self.size.blocks() - 1);
                let node = self.client.endpoint().to_string();
                return Err(ChainError::Unsteady { node, range, attempts: unsteady, detail });
            }
            tokio::time::sleep(self.client.backoff(unsteady)).await;
        }
    }

    async fn look(&mut self) -> Result<Look, ChainError> {
        let head = match self.memory.last() {
            None => self.client.block_number().await?,
            Some(last) => {
                let (head, header) = self.client.head_and_header(last.number).await?;
                match header {
                    Some(header) if header.hash == last.hash => head,
                    Some(_) => return self.search(head).await,
                    None if head >= last.number => {
                        return Ok(Look::Changed(format!("no block {} below the head {head}", last.number)));
                    }
                    // The node is behind, or on a chain that is still shorter.
                    None => return self.shorter(head).await,
                }
            }
        };
        if self.options.until.is_some_and(|until| self.next > until) {
            return Ok(Look::Progress(Progress::Done));
        }
        let target = self.target(head);
        if head < self.options.confirmations || target < self.next {
            return Ok(Look::Progress(Progress::AtHead { head }));
        }
        let range = self.next..=target.min(self.next.saturating_add(self.size.blocks() - 1));
        self.extend(range, head).await
    }

    async fn extend(&mut self, range: RangeInclusive<u64>, head: u64) -> Result<Look, ChainError> {
        let asked = range.end() - range.start() + 1;
        let reading = match read::read(&self.client, &self.options, range.clone(), head).await {
            Ok(reading) => reading,
            Err(ChainError::RangeRefused { .. }) if self.size.refused(asked) => return Ok(Look::Refused),
            Err(error) => return Err(error),
        };
        let (headers, logs) = match reading {
            Reading::Steady { headers, logs } => (headers, logs),
            Reading::Changed(detail) => return Ok(Look::Changed(detail)),
        };
        let first = headers[0];
        match self.memory.last() {
            Some(last) if first.parent_hash != last.hash => {
                return Ok(Look::Changed(format!("block {} does not follow the block before it", first.number)));
            }
            None if first.number > 0 => {
                self.memory.push(BlockRef { number: first.number - 1, hash: first.parent_hash });
            }
            _ => {}
        }
        headers.iter().for_each(|header| self.memory.push((*header).into()));
        self.next = range.end() + 1;
        self.size.answered(asked, logs.len());
        Ok(Look::Progress(Progress::Step(Step::Extend(Extension { range, headers, logs, head }))))
    }

    /// The node's chain ends below the last followed block.
    async fn shorter(&mut self, head: u64) -> Result<Look, ChainError> {
        let header = self.client.headers(&[head]).await?.pop().flatten();
        match (header, self.memory.hash_of(head)) {
            (Some(header), Some(known)) if header.hash != known => self.search(head).await,
            _ => Ok(Look::Progress(Progress::AtHead { head })),
        }
    }

    /// Finds the newest remembered block that the node still has.
    async fn search(&mut self, head: u64) -> Result<Look, ChainError> {
        let known = self.memory.newest_first(head);
        for blocks in known.chunks(SEARCH_BATCH) {
            let numbers: Vec<u64> = blocks.iter().map(|block| block.number).collect();
            let headers = self.client.headers(&numbers).await?;
            let stands = |(block, header): &(&BlockRef, Option<Header>)| header.is_some_and(|h| h.hash == block.hash);
            let Some((to_block, _)) = blocks.iter().zip(headers).find(stands) else { continue };
            if Some(*to_block) == self.memory.last() {
                return Ok(Look::Changed(format!("block {} left the chain and came back", to_block.number)));
            }
            self.memory.roll_back(to_block.number);
            self.next = to_block.number + 1;
            return Ok(Look::Progress(Progress::Step(Step::Rollback { to_block: *to_block })));
        }
        let oldest = self.memory.first().map_or(self.next, |block| block.number);
        let node = self.client.endpoint().to_string();
        Err(ChainError::DeepReorganisation { node, oldest, known: self.memory.len() })
    }
}

/// What one reading came to.
enum Look {
    Progress(Progress),
    /// The node wants to be asked for fewer blocks, and will be.
    Refused,
    /// The chain changed while it was read, or several nodes answered.
    Changed(String),
}
