//! Evaluation rounds over recorded events, one or many in a row: practice, so that no
//! reputation moves.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_lp::fixed_path::{FixedPathResult, of_round};
use assay_lp::replay::{Plan, Tape, replay_round};
use assay_lp::{BlockTime, Checkpoint, Job, Mode, RebalanceQuery, Reply, RoundRecord, RoundType, Window};
use assay_store::write_atomic;
use assay_types::Hash;
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::lp::block_clock::BlockClock;
use crate::jobs::lp::caller::Caller;
use crate::jobs::lp::events::{History, Source};
use crate::jobs::lp::job_file::read_job;
use crate::jobs::lp::miners::{Miner, read_miners};
use crate::jobs::lp::records;
use crate::jobs::lp::scores::{RoundScore, Sums, Total};
use crate::report::{PageFile, RoundPageOptions, round_page};
use crate::workspace::Workspace;

/// Checkpoints of one round; a job that has more asks for a mistake.
const MAX_CHECKPOINTS: u64 = 10_000;

/// Which round comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum First {
    /// By its number.
    Number(u64),
    /// The one that a block lies in.
    Block(u64),
    /// As many rounds as wanted before the end of the events.
    Last,
}

/// What to run.
#[derive(Debug, Clone)]
pub struct RoundRequest {
    /// The job file.
    pub job: PathBuf,
    /// The pool's history.
    pub source: Source,
    /// The miners, comma-separated.
    pub miners: String,
    /// The first round.
    pub first: First,
    /// How many rounds, from 1.
    pub rounds: u64,
    /// Folder for the records instead of the home's.
    pub out: Option<PathBuf>,
    /// File for the last round's page.
    pub report: Option<PageFile>,
}

/// Rounds, done.
#[derive(Debug, Serialize)]
pub struct RoundsDone {
    /// The job.
    pub job_id: String,
    /// `practice`: no reputation moves.
    pub mode: &'static str,
    /// How capital was simulated.
    pub simulation: String,
    /// The rounds in order.
    pub rounds: Vec<RoundShown>,
    /// The miners over all rounds, best mean score first.
    pub scores: Vec<Total>,
    /// The best of them, whether built in or not.
    pub winner: Option<String>,
    /// The last round's page, when one is wanted.
    pub report: Option<String>,
    /// Recorded events that the exact engine did not reproduce, from the file's start.
    pub mismatches: u64,
    /// Seconds of one round on average, the events before the first not counted.
    pub seconds_per_round: f64,
}

/// A round, done.
#[derive(Debug, Clone, Serialize)]
pub struct RoundShown {
    /// Its id.
    pub round_id: String,
    /// Its number.
    pub number: u64,
    /// First block.
    pub start: BlockTime,
    /// Last block.
    pub end: BlockTime,
    /// Checkpoints.
    pub checkpoints: usize,
    /// Recorded requests that ran again.
    pub requests: u64,
    /// Those of them that the recorded pool does not explain to the unit.
    pub unexplained: u64,
    /// The best ranked miner, built in or not.
    pub winner: Option<String>,
    /// The miner that the round would pay: the best ranked one that is not built in.
    pub paid: Option<String>,
    /// Hash of the record.
    pub record_hash: Hash,
    /// The record; `None` when it is not kept.
    pub record: Option<String>,
    /// The miners, best first.
    pub scores: Vec<RoundScore>,
}

impl RoundShown {
    /// What there is to show of a record.
    ///
    /// # Errors
    /// Values above 256 bits.
    pub fn of(record: &RoundRecord, path: Option<&Path>) -> Result<Self, JobError> {
        let scores = RoundScore::table(record).map_err(|error| super::failed(&record.round_id, &error))?;
        Ok(Self {
            round_id: record.round_id.clone(),
            number: record.round_number,
            start: record.start,
            end: record.end,
            checkpoints: record.checkpoints.len(),
            requests: record.requests,
            unexplained: record.unexplained,
            winner: scores.iter().find(|row| row.rank == Some(1)).map(|row| row.miner.clone()),
            paid: record.winner.clone(),
            record_hash: record.hash(),
            record: path.map(|path| path.display().to_string()),
            scores,
        })
    }
}

/// A job over a history, round after round.
pub struct Runner<'a> {
    job: &'a Job,
    clock: BlockClock,
    /// The events.
    pub history: History<'a>,
    workspace: &'a Workspace<'a>,
    caller: Option<Caller>,
    /// Seconds in rounds so far, the events before the first not counted.
    pub seconds: f64,
    /// The round that is simulated on the recorded price path too.
    fixed_path_of: Option<u64>,
    /// What that gave, by miner.
    fixed_path: BTreeMap<String, FixedPathResult>,
}

impl<'a> Runner<'a> {
    /// At the beginning of the history.
    ///
    /// # Errors
    /// [`JobError::Input`] when the job, the clock or the events cannot be used.
    pub fn open(job: &'a Job, source: &'a Source, workspace: &'a Workspace<'a>) -> Result<Self, JobError> {
        let clock = BlockClock::choose(source.block_clock, job.chain_id)?;
        let every = job.evaluation_interval_blocks.saturating_mul(clock.seconds);
        if job.round_duration_seconds / every.max(1) > MAX_CHECKPOINTS {
            let text = format!(
                "evaluation_interval_blocks of the job: {} in a round of {} s are more than {MAX_CHECKPOINTS} checkpoints",
                job.evaluation_interval_blocks, job.round_duration_seconds
            );
            return Err(JobError::Input(text));
        }
        let history = History::open(source, &job.pool, workspace.progress)?;
        Ok(Self {
            job,
            clock,
            history,
            workspace,
            caller: None,
            seconds: 0.0,
            fixed_path_of: None,
            fixed_path: BTreeMap::new(),
        })
    }

    /// The times of the blocks.
    #[must_use]
    pub const fn clock(&self) -> BlockClock {
        self.clock
    }

    /// The round that a block lies in.
    ///
    /// # Errors
    /// [`JobError::Input`] for a block before the job's genesis.
    pub fn number_at(&self, block: u64) -> Result<u64, JobError> {
        let window = self.clock.time_of(block).and_then(|timestamp| Window::at(self.job, timestamp));
        window.map(|window| window.number).ok_or_else(|| {
            let genesis = self.job.genesis;
            JobError::Input(format!("block {block} is before the job's genesis ({genesis} s): take a later one"))
        })
    }

    /// The whole rounds between two blocks of the history, both numbers included.
    ///
    /// # Errors
    /// [`JobError::Input`] when there is none.
    pub fn whole_rounds(&self, (first, last): (u64, u64)) -> Result<(u64, u64), JobError> {
        let none = || {
            let text = format!("no round of the job lies whole in blocks {first} … {last} of the events");
            JobError::Input(text)
        };
        let starts_in = self.number_at(first.max(self.genesis_block())).map_err(|_| none())?;
        let is_whole =
            |number: u64| self.plan(number).is_some_and(|plan| plan.start.number >= first && plan.end.number <= last);
        let from = if is_whole(starts_in) { starts_in } else { starts_in + 1 };
        let ends_in = self.number_at(last).map_err(|_| none())?;
        let to = if is_whole(ends_in) { ends_in } else { ends_in.checked_sub(1).ok_or_else(none)? };
        if from > to || !is_whole(to) { Err(none()) } else { Ok((from, to)) }
    }

    fn genesis_block(&self) -> u64 {
        let times = self.clock.times(u64::MAX);
        times.first_at(self.job.genesis).map_or(self.clock.anchor.number, |block| block.number)
    }

    /// When everything of an evaluation round happens.
    #[must_use]
    pub fn plan(&self, number: u64) -> Option<Plan> {
        Plan::of(self.job, RoundType::Evaluation, number, &self.clock.times(u64::MAX))
    }

    /// Runs a round; numbers must ascend.
    ///
    /// # Errors
    /// [`JobError::Input`] when the history does not hold the round, [`JobError::Check`]
    /// when its books do not balance.
    pub fn round(
        &mut self,
        number: u64,
        entrants: Vec<assay_lp::Entrant>,
        ask: impl FnMut(&Checkpoint, &[Option<RebalanceQuery>]) -> Vec<Option<Reply>>,
    ) -> Result<RoundRecord, JobError> {
        let round_id = self.job.round_id(RoundType::Evaluation, number);
        let plan = self.plan(number).ok_or_else(|| {
            JobError::Input(format!("{round_id}: its blocks lie before the block clock's anchor or beyond all time"))
        })?;
        self.history.skip_to(plan.start.number)?;
        let started = Instant::now();
        let Some(events) = self.history.take_to(plan.end.number)? else {
            return Err(JobError::Input(format!(
                "{round_id}: the events end before its last block, {}: take an earlier round",
                plan.end.number
            )));
        };
        // Swaps of the inventory have no counterpart on a path that is fixed.
        let fixed = self.fixed_path_of == Some(number) && !self.job.allow_rebalance_swap;
        let before = fixed.then(|| self.history.market.clone());
        let (market, mut tape) = (&mut self.history.market, Tape::new(&events));
        let record = replay_round(self.job, &plan, market, &mut tape, entrants, ask);
        let record = record.map_err(|error| self.history.failed(&error))?;
        self.seconds += started.elapsed().as_secs_f64();
        if let Some(mut market) = before {
            let paths = of_round(&record, &mut market, &mut Tape::new(&events));
            self.fixed_path = paths.map_err(|error| self.history.failed(&error))?.into_iter().collect();
        }
        Ok(record)
    }

    /// Runs a round of these miners, which must be in the order of rounds.
    ///
    /// # Errors
    /// As [`Self::round`], and when miners over HTTP cannot be asked at all.
    pub fn round_of(&mut self, number: u64, miners: &mut [Miner]) -> Result<RoundRecord, JobError> {
        let has_remote = miners.iter().any(|miner| matches!(miner, Miner::Remote(_)));
        let caller = match self.caller.take() {
            None if has_remote => Some(Caller::open(self.workspace, self.job)?),
            known => known,
        };
        let entrants = miners.iter().map(Miner::entrant).collect();
        let record = self.round(number, entrants, |_, queries| ask(miners, queries, caller.as_ref()));
        self.caller = caller;
        record
    }
}

/// Asks every miner that has a question, those over HTTP at once.
fn ask(miners: &mut [Miner], queries: &[Option<RebalanceQuery>], caller: Option<&Caller>) -> Vec<Option<Reply>> {
    let mut replies = vec![None; miners.len()];
    let (mut places, mut remote) = (Vec::new(), Vec::new());
    for (place, (miner, query)) in miners.iter_mut().zip(queries).enumerate() {
        match (miner, query) {
            (_, None) => {}
            (Miner::Own(own), Some(query)) => replies[place] = Some(Reply::Answer(own.answer(query))),
            (Miner::Remote(endpoint), Some(query)) => {
                places.push(place);
                remote.push((endpoint.clone(), query.clone()));
            }
        }
    }
    if let (Some(caller), false) = (caller, remote.is_empty()) {
        for (place, reply) in places.into_iter().zip(caller.ask(remote)) {
            replies[place] = Some(reply);
        }
    }
    replies
}

impl RoundRequest {
    /// Runs the rounds and keeps their records.
    ///
    /// # Errors
    /// [`JobError`] saying what cannot be used and how to get on.
    pub fn run(self, workspace: &Workspace) -> Result<RoundsDone, JobError> {
        let job = read_job(&self.job)?;
        let mut miners = read_miners(&self.miners, &job)?;
        workspace.progress.stage("rounds");
        let mut runner = Runner::open(&job, &self.source, workspace)?;
        let first = first_round(&runner, self.first, self.rounds, &self.source.events)?;
        let folder = self.out.unwrap_or_else(|| records::folder(&workspace.home));
        let last = first.saturating_add(self.rounds - 1);
        runner.fixed_path_of = self.report.is_some().then_some(last);
        let keep = |record: &RoundRecord, fixed_path: &BTreeMap<String, FixedPathResult>| {
            if workspace.dry_run {
                return Ok(None);
            }
            if let Some(report) = self.report.as_ref().filter(|_| record.round_number == last) {
                let (tokens, fixed_path) = (report.tokens.clone(), fixed_path.clone());
                let options = RoundPageOptions { tokens, fixed_path, ..RoundPageOptions::default() };
                write_atomic(&report.path, round_page(record, &options).as_bytes())?;
            }
            records::keep(&folder, record).map(Some)
        };
        let done = run_rounds(&mut runner, first, self.rounds, &mut miners, keep)?;
        let report = self.report.as_ref().filter(|_| !workspace.dry_run);
        Ok(RoundsDone { report: report.map(|page| page.path.display().to_string()), ..done })
    }
}

/// The number of the first round.
pub(super) fn first_round(runner: &Runner<'_>, first: First, rounds: u64, events: &Path) -> Result<u64, JobError> {
    match first {
        First::Number(number) => Ok(number),
        First::Block(block) => runner.number_at(block),
        First::Last => {
            let (from, to) = runner.whole_rounds(History::span(events)?)?;
            to.checked_sub(rounds - 1).filter(|first| *first >= from).ok_or_else(|| {
                let held = to - from + 1;
                JobError::Input(format!("--rounds {rounds}: the events hold {held} whole rounds ({from} … {to})"))
            })
        }
    }
}

/// Runs rounds in a row.
pub(super) fn run_rounds(
    runner: &mut Runner<'_>,
    first: u64,
    count: u64,
    miners: &mut [Miner],
    keep: impl Fn(&RoundRecord, &BTreeMap<String, FixedPathResult>) -> Result<Option<PathBuf>, assay_store::StoreError>,
) -> Result<RoundsDone, JobError> {
    let mut rounds = Vec::new();
    let mut sums = Vec::new();
    let mut simulation = String::new();
    for number in first..first.saturating_add(count) {
        runner.workspace.go_on()?;
        let record = runner.round_of(number, miners)?;
        Sums::add(&mut sums, &record).map_err(|error| super::failed(&record.round_id, &error))?;
        rounds.push(RoundShown::of(&record, keep(&record, &runner.fixed_path)?.as_deref())?);
        simulation.clone_from(&record.simulation);
    }
    let scores = Sums::totals(&sums);
    Ok(RoundsDone {
        job_id: runner.job.job_id.clone(),
        mode: Mode::Practice.name(),
        simulation,
        winner: match rounds.as_slice() {
            [one] => one.winner.clone(),
            _ => scores.first().map(|best| best.miner.clone()),
        },
        #[expect(clippy::cast_precision_loss, reason = "a measured time")]
        seconds_per_round: runner.seconds / rounds.len().max(1) as f64,
        mismatches: runner.history.market.mismatches(),
        report: None,
        rounds,
        scores,
    })
}
