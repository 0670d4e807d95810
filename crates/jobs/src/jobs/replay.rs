//! A pool's events through the exact engine, compared with what the chain recorded.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use assay_amm::concentrated::Core;
use assay_amm::event::{Event, EventError, Located};
use assay_amm::kind::{Slipstream, UniswapV3};
use assay_amm::replay::{Replay, ReplayError, ReplayPool};
use assay_amm::{AmmError, Pool, PoolKind, U256};

use crate::error::JobError;
use crate::event_file::{EventFile, Position, in_file, open};
use crate::jobs::replayed::{FeeSource, Replayed, fee_change};
use crate::progress::Advance;
use crate::state_file::read_state;
use crate::units::parse_integer;
use crate::workspace::Workspace;

/// Events that are decoded, then replayed, at a time; so the two are timed apart.
const BATCH: usize = 4_096;
/// Recorded changes of the fee that are kept; a fee that changes with every swap has more.
pub const MAX_FEE_CHANGES: usize = 1_000;
/// Part of the fees of unstaked liquidity that goes to a Slipstream gauge, in millionths,
/// when nothing else is said (R7).
pub const UNSTAKED_FEE_PIPS: u32 = 100_000;

/// What to replay.
#[derive(Debug, Clone)]
pub struct ReplayRequest {
    /// The event file; `-` is standard input.
    pub events: PathBuf,
    /// Kind of the pool.
    pub kind: PoolKind,
    /// Distance of usable ticks; in the state file, if there is one.
    pub tick_spacing: Option<i32>,
    /// The pool's fee in millionths.
    pub fee_pips: Option<u32>,
    /// The price before the first event, as a 64.96-bit square root.
    pub sqrt_price: Option<String>,
    /// The gauge's part of the fees of unstaked liquidity in millionths.
    pub unstaked_fee_pips: Option<u32>,
    /// The pool's state before the first event; `None` when the file begins with the pool.
    pub state: Option<PathBuf>,
    /// Stop after so many events.
    pub limit: Option<u64>,
}

impl ReplayRequest {
    /// Replays; nothing is written.
    ///
    /// # Errors
    /// [`JobError::Input`] naming file, line and way out when the events cannot be those
    /// of the pool; events that come out differently are no error but counted.
    pub fn run(self, workspace: &Workspace) -> Result<Replayed, JobError> {
        if !matches!(self.kind, PoolKind::UniswapV3 | PoolKind::PancakeV3 | PoolKind::Slipstream) {
            return Err(refused(self.kind));
        }
        workspace.progress.stage("replay");
        let started = Instant::now();
        let EventFile { mut events, position } = open(&self.events)?;
        let mut left = self.limit.unwrap_or(u64::MAX);
        let mut batch = Vec::with_capacity(BATCH);
        let mut work: Option<Work> = None;
        loop {
            let end = fill(&mut batch, &mut events, left);
            left -= batch.len() as u64;
            if let Some(first) = batch.first() {
                let work = match &mut work {
                    Some(work) => work,
                    None => work.insert(self.begin(first)?),
                };
                work.take(&batch).map_err(|error| self.explain(&error, work.first_line, Some(work)))?;
                workspace.progress.advance(&work.advance(started, &position));
            }
            match end {
                End::More => {}
                End::Bad(error) => return Err(in_file(&self.events, &error)),
                End::Done => break,
            }
        }
        let Some(work) = work else {
            return Err(JobError::Input(format!("{}: no events", self.events.display())));
        };
        Ok(work.finish(self.events.display().to_string(), self.kind, started.elapsed()))
    }

    /// The pool before `first`.
    fn begin(&self, first: &Located) -> Result<Work, JobError> {
        if self.state.is_none()
            && let Some(stopped) = impossible_when_empty(first)
        {
            return Err(self.explain(&stopped, first.line, None));
        }
        let replay = match &self.state {
            Some(path) => Replay::from_state(self.pool_of_state(path)?),
            None => Replay::new(self.new_pool(first)?),
        };
        let starts_known = self.state.is_some() || matches!(first.event, Event::Initialize { .. });
        Ok(Work {
            empty: self.state.is_none(),
            starts_known,
            first_line: first.line,
            by_kind: BTreeMap::new(),
            recorded_fee: replay.fee_pips(),
            fee_changes: Vec::new(),
            engine: Duration::ZERO,
            replay,
        })
    }

    fn new_pool(&self, first: &Located) -> Result<ReplayPool, JobError> {
        let missing = |option: &str, what: &str| JobError::Input(format!("{option} is missing: {what}"));
        let spacing = "the distance of usable ticks, such as 60 (or pass the pool's state as --state)";
        let tick_spacing = self.tick_spacing.ok_or_else(|| missing("--tick-spacing", spacing))?;
        let given = self.sqrt_price.as_deref().map(|text| parse_integer("--sqrt-price", text)).transpose()?;
        let sqrt_price = match (&first.event, given) {
            (Event::Initialize { sqrt_price_x96, .. }, Some(given)) if given != *sqrt_price_x96 => {
                let text =
                    format!("--sqrt-price {given}: the file initialises the pool at {sqrt_price_x96}; leave it out");
                return Err(JobError::Input(text));
            }
            (Event::Initialize { sqrt_price_x96, .. }, _) => *sqrt_price_x96,
            (_, Some(given)) => given,
            (event, None) => {
                let text = format!(
                    "{}: line {}: the file begins with a {}, not with initialize: pass the price before it as \
                     --sqrt-price if this is the pool's first event, or the pool's state before it as --state",
                    self.events.display(),
                    first.line,
                    event.name()
                );
                return Err(JobError::Input(text));
            }
        };
        let of = |option: &'static str| move |error: AmmError| JobError::Input(format!("{option}: {error}"));
        // The spacing alone first, so that a refusal names the right option.
        Core::new(tick_spacing, U256::ONE << 96).map_err(of("--tick-spacing"))?;
        let core = Core::new(tick_spacing, sqrt_price).map_err(of("--sqrt-price"))?;
        match self.kind {
            PoolKind::UniswapV3 | PoolKind::PancakeV3 => {
                self.no_gauge()?;
                let what = "the pool's fee in millionths, such as 500 for 0.05 %";
                let fee_pips = self.fee_pips.ok_or_else(|| missing("--fee-pips", what))?;
                let pancake = self.kind == PoolKind::PancakeV3;
                Ok(ReplayPool::V3(UniswapV3::new(core, fee_pips, pancake).map_err(of("--fee-pips"))?))
            }
            PoolKind::Slipstream => {
                let unstaked = self.unstaked_fee_pips.unwrap_or(UNSTAKED_FEE_PIPS);
                let mut pool = Slipstream::new(core, self.fee_pips, None).map_err(of("--fee-pips"))?;
                pool.set_unstaked_fee(unstaked).map_err(of("--unstaked-fee-pips"))?;
                Ok(ReplayPool::Slipstream(pool))
            }
            other => Err(refused(other)),
        }
    }

    fn pool_of_state(&self, path: &std::path::Path) -> Result<ReplayPool, JobError> {
        let fail = |text: String| JobError::Input(format!("{}: {text}", path.display()));
        let snapshot = read_state(path)?;
        if snapshot.pool.kind() != self.kind {
            return Err(fail(format!("the state is of a {} pool: change --kind {}", snapshot.pool.kind(), self.kind)));
        }
        match snapshot.pool {
            Pool::UniswapV3(pool) => {
                self.no_gauge()?;
                match self.fee_pips {
                    Some(given) if given != pool.fee_pips() => {
                        Err(fail(format!("the state's fee is {}: leave out --fee-pips {given}", pool.fee_pips())))
                    }
                    _ => Ok(ReplayPool::V3(pool)),
                }
            }
            Pool::Slipstream(pool) => {
                let fee_pips = self.fee_pips.or(pool.fee_pips());
                let unstaked = self.unstaked_fee_pips.or(pool.unstaked_fee_pips()).or(Some(UNSTAKED_FEE_PIPS));
                let checked = Slipstream::new(pool.core, fee_pips, unstaked);
                checked.map(ReplayPool::Slipstream).map_err(|error| fail(error.to_string()))
            }
            other => Err(refused(other.kind())),
        }
    }

    fn no_gauge(&self) -> Result<(), JobError> {
        match self.unstaked_fee_pips {
            Some(_) => Err(JobError::Input(format!("--unstaked-fee-pips: {} has no gauge; leave it out", self.kind))),
            None => Ok(()),
        }
    }

    /// What is wrong with the events, where, and how to get on.
    fn explain(&self, error: &Stopped, first: u64, work: Option<&Work>) -> JobError {
        let events = self.events.display();
        let state = format!("pass the pool's state before line {first} as --state");
        let text = match error {
            Stopped::NotFromCreation { line, event, liquidity } => format!(
                "line {line}: the file does not begin at the pool's creation: its first {event} is at a liquidity of \
                 {liquidity}, which no mint before it brought; {state}, or a file that begins with the pool"
            ),
            Stopped::Replay(error @ ReplayError::Wrong { .. }) => {
                format!("{error} (or another --kind than {})", self.kind)
            }
            Stopped::Replay(error @ ReplayError::Impossible { .. }) => {
                let mut text = error.to_string();
                if let Some(first) = work.and_then(|work| work.replay.mismatches().first()) {
                    let (line, event) = (first.line, first.event);
                    text += &format!("; look first at line {line}, whose {event} did not come out as recorded");
                }
                if work.is_some_and(|work| !work.starts_known) {
                    text += &format!("; if the file does not begin at the pool's creation, {state}");
                }
                text
            }
            Stopped::Replay(error) => error.to_string(),
        };
        JobError::Input(format!("{events}: {text}"))
    }
}

fn refused(kind: PoolKind) -> JobError {
    JobError::Input(format!(
        "--kind {kind}: replayed are uniswap-v3, pancake-v3 and slipstream, whose events say it all"
    ))
}

enum End {
    More,
    Bad(EventError),
    Done,
}

/// Decodes the next events, at most `left`.
fn fill(batch: &mut Vec<Located>, events: &mut impl Iterator<Item = Result<Located, EventError>>, left: u64) -> End {
    batch.clear();
    let most = usize::try_from(left).unwrap_or(BATCH).min(BATCH);
    while batch.len() < most {
        match events.next() {
            Some(Ok(event)) => batch.push(event),
            Some(Err(error)) => return End::Bad(error),
            None => return End::Done,
        }
    }
    if most < BATCH { End::Done } else { End::More }
}

/// Why the events cannot be those of the pool.
enum Stopped {
    Replay(ReplayError),
    NotFromCreation { line: u64, event: &'static str, liquidity: u128 },
}

/// An empty pool has nothing to swap against and nothing to burn.
fn impossible_when_empty(located: &Located) -> Option<Stopped> {
    let liquidity = match &located.event {
        Event::Swap(swap) => swap.liquidity,
        Event::Burn(change) => change.liquidity,
        _ => 0,
    };
    let (line, event) = (located.line, located.event.name());
    (liquidity > 0).then_some(Stopped::NotFromCreation { line, event, liquidity })
}

/// A replay on its way.
pub(super) struct Work {
    pub replay: Replay,
    pub by_kind: BTreeMap<&'static str, u64>,
    pub fee_changes: Vec<super::replayed::FeeChangeShown>,
    /// Time spent in the engine alone.
    pub engine: Duration,
    recorded_fee: Option<u32>,
    /// Whether no liquidity came in yet, in a pool that began empty.
    empty: bool,
    starts_known: bool,
    first_line: u64,
}

impl Work {
    fn take(&mut self, batch: &[Located]) -> Result<(), Stopped> {
        for located in batch {
            if self.empty {
                if let Some(stopped) = impossible_when_empty(located) {
                    return Err(stopped);
                }
                self.empty = !matches!(located.event, Event::Mint(_));
            }
            *self.by_kind.entry(located.event.name()).or_default() += 1;
            self.note_fee(located);
        }
        let started = Instant::now();
        let applied = batch.iter().try_for_each(|located| self.replay.apply(located));
        self.engine += started.elapsed();
        applied.map_err(Stopped::Replay)
    }

    /// Fees that the record itself announces.
    fn note_fee(&mut self, located: &Located) {
        let Event::Swap(swap) = &located.event else { return };
        if swap.fee_pips.is_some() && swap.fee_pips != self.recorded_fee {
            if let Some(to_pips) = swap.fee_pips
                && self.fee_changes.len() < MAX_FEE_CHANGES
            {
                let change = fee_change(located.place, located.line, self.recorded_fee, to_pips, FeeSource::Recorded);
                self.fee_changes.push(change);
            }
            self.recorded_fee = swap.fee_pips;
        }
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn advance(&self, started: Instant, position: &Position) -> Advance {
        let done = self.replay.counts().events;
        let seconds = started.elapsed().as_secs_f64();
        // The file's length in events is not known, only the part of its bytes that is read.
        let total = position.share().filter(|share| *share > 0.0).map(|share| (done as f64 / share) as u64);
        let rate = done as f64 / seconds.max(1e-9);
        Advance {
            done,
            total: total.map_or(0, |total| total.max(done)),
            unit: "events",
            per_second: Some(rate),
            seconds_left: total.map(|total| total.saturating_sub(done) as f64 / rate),
            figures: Vec::new(),
        }
    }
}
