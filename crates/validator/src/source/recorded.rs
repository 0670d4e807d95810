//! Recorded events, released block by block as the clock passes their times.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_amm::event::Located;
use assay_lp::{BlockTime, Job};

use super::{EventSource, SourceError, Stretch};
use crate::clock::{Clock, Hold};

/// Blocks in one stretch.
const MAX_BLOCKS: usize = 1 << 16;

/// Recorded pools of one chain. Clones share the records.
#[derive(Debug, Clone)]
pub struct RecordedSource {
    clock: Clock,
    blocks: Arc<Vec<BlockTime>>,
    pools: Arc<BTreeMap<String, Vec<Located>>>,
}

impl RecordedSource {
    /// `blocks` ascend without a hole; `pools` are events in order by the pool's address.
    #[must_use]
    pub fn new(clock: Clock, blocks: Vec<BlockTime>, pools: BTreeMap<String, Vec<Located>>) -> Self {
        Self { clock, blocks: Arc::new(blocks), pools: Arc::new(pools) }
    }
}

#[async_trait::async_trait]
impl EventSource for RecordedSource {
    fn clock(&self) -> &Clock {
        &self.clock
    }

    async fn next(&self, job: &Job, after: Option<u64>, hold: &mut Hold) -> Result<Option<Stretch>, SourceError> {
        let first = after.map_or(0, |after| self.blocks.partition_point(|block| block.number <= after));
        let Some(next) = self.blocks.get(first) else { return Ok(None) };
        hold.sleep_until(next.timestamp.saturating_mul(1_000)).await;
        let now = self.clock.now_ms() / 1_000;
        let there = self.blocks[first..].partition_point(|block| block.timestamp <= now).min(MAX_BLOCKS);
        let blocks = self.blocks[first..first + there].to_vec();
        let events = self.pools.get(&job.pair_address).map_or(&[][..], Vec::as_slice);
        let from = after.map_or(0, |after| events.partition_point(|event| event.place.block <= after));
        let last = blocks.last().map_or(0, |block| block.number);
        let until = events.partition_point(|event| event.place.block <= last);
        Ok(Some(Stretch { events: events[from..until.max(from)].to_vec(), blocks }))
    }
}
