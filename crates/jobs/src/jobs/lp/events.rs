//! A pool's recorded events as rounds need them: the market up to a round's start, then
//! the events of the round.

use std::path::{Path, PathBuf};

use assay_amm::event::{EventError, Events, Located};
use assay_lp::{LpError, Market, PoolRule};

use crate::error::JobError;
use crate::event_file::{EventFile, Position, in_file, open};
use crate::jobs::lp::block_clock::BlockClock;
use crate::jobs::lp::failed;
use crate::progress::{Advance, Progress};
use crate::units::parse_integer;

/// Events between two tellings of progress.
const TOLD_EVERY: u64 = 4_096;

/// Where a pool's history comes from.
#[derive(Debug, Clone)]
pub struct Source {
    /// The event file; `-` is standard input.
    pub events: PathBuf,
    /// Times of the chain's blocks, where the chain is not known here.
    pub block_clock: Option<BlockClock>,
    /// The pool's first price as a 64.96-bit square root, when the file does not begin with
    /// `initialize`.
    pub sqrt_price: Option<String>,
}

/// The events of a file, taken block by block into a market.
pub struct History<'a> {
    path: &'a Path,
    events: Events<'static>,
    position: Position,
    next: Option<Located>,
    last_block: u64,
    read: u64,
    progress: &'a dyn Progress,
    /// The recorded pool so far.
    pub market: Market,
}

impl<'a> History<'a> {
    /// At the first event of the file.
    ///
    /// # Errors
    /// [`JobError::Input`] for a file that does not read or begins without a price.
    pub fn open(source: &'a Source, rule: &PoolRule, progress: &'a dyn Progress) -> Result<Self, JobError> {
        let path = source.events.as_path();
        let EventFile { events, position } = open(path)?;
        let given = source.sqrt_price.as_deref().map(|text| parse_integer("--sqrt-price", text)).transpose()?;
        let market = Market::new(rule.clone());
        let mut history = Self { path, events, position, next: None, last_block: 0, read: 0, progress, market };
        history.pull()?;
        let Some(first) = &history.next else {
            return Err(JobError::Input(format!("{}: no events", path.display())));
        };
        let begins = matches!(first.event, assay_amm::event::Event::Initialize { .. });
        match (begins, given) {
            (true, Some(_)) => {
                let text = "--sqrt-price: the file begins with initialize, which says the price; leave it out";
                return Err(JobError::Input(text.to_owned()));
            }
            (true, None) => {}
            (false, Some(price)) => {
                let created = Market::created(rule.clone(), price);
                history.market = created.map_err(|error| failed("--sqrt-price", &error))?;
            }
            (false, None) => {
                return Err(JobError::Input(format!(
                    "{}: line {}: the file begins with a {}, not with initialize: pass the price before it as \
                     --sqrt-price",
                    path.display(),
                    first.line,
                    first.event.name()
                )));
            }
        }
        Ok(history)
    }

    fn pull(&mut self) -> Result<(), JobError> {
        self.next = self.events.next().transpose().map_err(|error: EventError| in_file(self.path, &error))?;
        if let Some(next) = &self.next {
            self.last_block = next.place.block;
            self.read += 1;
            if self.read.is_multiple_of(TOLD_EVERY) {
                self.tell();
            }
        }
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn tell(&self) {
        let share = self.position.share().filter(|share| *share > 0.0);
        let total = share.map_or(0, |share| (self.read as f64 / share) as u64).max(self.read);
        let (unit, figures) = ("events", Vec::new());
        let advance = Advance { done: self.read, total, unit, per_second: None, seconds_left: None, figures };
        self.progress.advance(&advance);
    }

    /// Block of the next event, when there is one.
    pub fn next_block(&self) -> Option<u64> {
        self.next.as_ref().map(|event| event.place.block)
    }

    /// Moves the market to the state after `block`.
    ///
    /// # Errors
    /// Events that do not read or do not fit together.
    pub fn skip_to(&mut self, block: u64) -> Result<(), JobError> {
        while let Some(event) = self.next.take_if(|event| event.place.block <= block) {
            if self.progress.is_cancelled() {
                return Err(JobError::Cancelled);
            }
            self.market.apply(&event).map_err(|error| self.failed(&error))?;
            self.pull()?;
        }
        Ok(())
    }

    /// The events up to and with `block`, not applied; `None` when the file ends before it.
    ///
    /// # Errors
    /// Events that do not read.
    pub fn take_to(&mut self, block: u64) -> Result<Option<Vec<Located>>, JobError> {
        let mut events = Vec::new();
        while let Some(event) = self.next.take_if(|event| event.place.block <= block) {
            events.push(event);
            self.pull()?;
        }
        Ok((self.last_block >= block).then_some(events))
    }

    /// An error of the engine about this file.
    pub fn failed(&self, error: &LpError) -> JobError {
        failed(&self.path.display().to_string(), error)
    }

    /// Reads to the end of the file for its first and its last block.
    ///
    /// # Errors
    /// Events that do not read, none at all, or standard input, which cannot be read twice.
    pub fn span(path: &Path) -> Result<(u64, u64), JobError> {
        if path == Path::new("-") {
            let text = "standard input is read once: say which round with --round N or --at BLOCK";
            return Err(JobError::Input(text.to_owned()));
        }
        let mut span = None;
        for event in open(path)?.events {
            let block = event.map_err(|error| in_file(path, &error))?.place.block;
            span = Some((span.map_or(block, |(first, _)| first), block));
        }
        span.ok_or_else(|| JobError::Input(format!("{}: no events", path.display())))
    }
}
