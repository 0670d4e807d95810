//! What a job knows of the chain, shared by its rounds: block times, and the market's
//! requests since the start of the window.

use std::sync::{Mutex, MutexGuard, PoisonError};

use assay_amm::event::Located;
use assay_lp::{BlockTime, BlockTimes, Job, LpError, Market, Recorded};
use tokio::sync::oneshot;

use crate::clock::{Clock, Hold};
use crate::error::ValidatorError;
use crate::source::EventSource;

/// The chain as far as the rounds of a window may see it.
#[derive(Debug)]
pub(crate) struct Feed {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    times: BlockTimes,
    recorded: Vec<Recorded>,
    /// The market stands after this block.
    through: u64,
    ended: bool,
    waiting: Vec<oneshot::Sender<Hold>>,
}

/// The events end here.
#[derive(Debug)]
pub(crate) struct Ended;

impl Feed {
    pub(crate) fn new(clock: Clock) -> Self {
        let state = State {
            times: BlockTimes::Recorded(Vec::new()),
            recorded: Vec::new(),
            through: 0,
            ended: false,
            waiting: Vec::new(),
        };
        Self { clock, state: Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks something of the known block times.
    pub(crate) fn times<T>(&self, ask: impl FnOnce(&BlockTimes) -> T) -> T {
        ask(&self.state().times)
    }

    /// Waits until `ask` finds what it looks for; the market has then reached all blocks it
    /// was asked about that lie in the window.
    pub(crate) async fn wait<T>(
        &self,
        hold: &mut Hold,
        mut ask: impl FnMut(&BlockTimes, u64) -> Option<T>,
    ) -> Result<T, Ended> {
        loop {
            let mut woken = {
                let mut state = self.state();
                if let Some(found) = ask(&state.times, state.through) {
                    return Ok(found);
                }
                if state.ended {
                    return Err(Ended);
                }
                let (sender, woken) = oneshot::channel();
                state.waiting.push(sender);
                woken
            };
            hold.release();
            // The one who wakes us hands over a hold, so that the clock stands until we look.
            match (&mut woken).await {
                Ok(given) => *hold = given,
                Err(_) => return Err(Ended),
            }
        }
    }

    /// Requests from place `from` of the list on that lie at or before `block`.
    pub(crate) fn recorded(&self, from: usize, block: u64) -> Vec<Recorded> {
        let state = self.state();
        let rest = state.recorded.get(from..).unwrap_or_default();
        rest[..rest.partition_point(|event| event.place.block <= block)].to_vec()
    }

    fn wake(&self, state: &mut State) {
        for waiting in state.waiting.drain(..) {
            // Who gave up waiting gives the hold back by dropping it.
            _ = waiting.send(self.clock.hold());
        }
    }

    fn append_times(&self, blocks: Vec<BlockTime>) {
        let mut state = self.state();
        let BlockTimes::Recorded(times) = &mut state.times else { return };
        let follows = |last: &BlockTime| blocks.first().is_some_and(|first| first.number == last.number + 1);
        if !times.last().is_some_and(follows) {
            times.clear();
        }
        times.extend(blocks);
    }

    /// A new window begins after `start`: earlier times and requests are forgotten.
    pub(crate) fn begin_window(&self, start: u64) {
        let mut state = self.state();
        if let BlockTimes::Recorded(times) = &mut state.times {
            let before = times.partition_point(|block| block.number < start);
            times.drain(..before);
        }
        state.recorded.clear();
        state.through = start;
    }

    fn publish(&self, recorded: Vec<Recorded>, through: u64) {
        let mut state = self.state();
        state.recorded.extend(recorded);
        state.through = through;
        self.wake(&mut state);
    }

    /// No more blocks come: whoever waits is told.
    pub(crate) fn end(&self) {
        let mut state = self.state();
        state.ended = true;
        self.wake(&mut state);
    }
}

/// The market of a job, moved on block by block as the source gives them.
#[derive(Debug)]
pub(crate) struct Pump {
    pub(crate) market: Market,
    events: std::collections::VecDeque<Located>,
    last_block: Option<u64>,
}

impl Pump {
    pub(crate) fn new(job: &Job) -> Self {
        Self { market: Market::new(job.pool.clone()), events: Default::default(), last_block: None }
    }

    /// Takes the next blocks from the source; `false` when there are no more.
    pub(crate) async fn take(
        &mut self,
        job: &Job,
        source: &dyn EventSource,
        feed: &Feed,
        hold: &mut Hold,
    ) -> Result<bool, ValidatorError> {
        let Some(stretch) = source.next(job, self.last_block, hold).await? else {
            feed.end();
            return Ok(false);
        };
        self.last_block = stretch.blocks.last().map(|block| block.number).or(self.last_block);
        self.events.extend(stretch.events);
        feed.append_times(stretch.blocks);
        Ok(true)
    }

    /// Moves the market to the state after `block`.
    pub(crate) fn advance(&mut self, block: u64) -> Result<Vec<Recorded>, LpError> {
        let mut recorded = Vec::new();
        while self.events.front().is_some_and(|event| event.place.block <= block)
            && let Some(event) = self.events.pop_front()
        {
            recorded.extend(self.market.apply(&event)?);
        }
        Ok(recorded)
    }

    /// Feeds the rounds of a window until its end block is there; `None` when the source has
    /// no more blocks before that.
    pub(crate) async fn run(
        &mut self,
        job: &Job,
        until: u64,
        source: &dyn EventSource,
        feed: &Feed,
        hold: &mut Hold,
    ) -> Result<Option<BlockTime>, ValidatorError> {
        loop {
            let (end, head) = feed.times(|times| (times.first_at(until), times.head()));
            if let Some(to) = end.or(head) {
                let engine = |source| ValidatorError::Engine { job_id: job.job_id.clone(), source: Box::new(source) };
                let recorded = tokio::task::block_in_place(|| self.advance(to.number)).map_err(engine)?;
                feed.publish(recorded, to.number);
            }
            if end.is_some() {
                return Ok(end);
            }
            if !self.take(job, source, feed, hold).await? {
                return Ok(None);
            }
        }
    }
}
