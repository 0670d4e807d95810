//! One job: window after window, evaluation and live rounds at once, and what a killed
//! validator left.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use assay_lp::{BlockTime, Entrant, Job, Market, Mode, Round, RoundRecord, RoundType, Window};
use assay_miner::{MAX_ASKS, MinerEndpoint, Wire};
use assay_store::database::{self as rows, JobsDatabase, MinerRow, Prediction, RoundMode, RoundStatus};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::clock::Hold;
use crate::completion::Completion;
use crate::error::ValidatorError;
use crate::executor::{Executor, VaultRound};
use crate::feed::{Feed, Pump};
use crate::ledger::{Ledger, Write, lease_end, now};
use crate::live::{Acting, REPORT_LIMIT};
use crate::report::Report;
use crate::runner::{Ending, Runner, Shared, in_time};
use crate::source::{EventSource, SourceError};
use crate::standing::Standing;
use crate::validator::{Registry, Settings};

/// When a validator stops, its queue has this long to be written.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// After a reorganisation the job begins anew, so often in a row.
const MAX_RESTARTS: u32 = 16;

/// Follows a job until it is stopped, deactivated, or the source has no more blocks.
pub(crate) async fn follow_job(
    job: Job,
    database: &JobsDatabase,
    source: &dyn EventSource,
    settings: &Settings,
    registry: watch::Receiver<Registry>,
    mut stopped: watch::Receiver<bool>,
    mut hold: Hold,
) -> Result<(), ValidatorError> {
    let lease = database.take_lease(&job.job_id, settings.client.key(), now(), lease_end()).await?;
    let ledger = Ledger::new();
    let mut writing = {
        let (ledger, database, reporter) = (ledger.clone(), database.clone(), settings.reporter.clone());
        tokio::spawn(async move { ledger.run(&database, lease, &reporter).await })
    };
    let mut restarts = 0;
    let done = loop {
        let mut windows = 0;
        let work = async {
            // What was answered is read back, so it must have been written.
            ledger.settled().await;
            let mut follower = Follower::load(&job, database, source, settings, &registry, &ledger).await?;
            follower.follow(&mut hold, &mut windows).await
        };
        let done = tokio::select! {
            done = work => done,
            _ = stopped.wait_for(|stopped| *stopped) => Ok(()),
        };
        if windows > 0 {
            restarts = 0;
        }
        match done {
            // What was answered is stored: the rounds are taken up on the new branch.
            Err(ValidatorError::Source(SourceError::Reorganised { .. })) if restarts < MAX_RESTARTS => restarts += 1,
            done => break done,
        }
    };
    hold.release();
    ledger.close();
    let drained = timeout(DRAIN_LIMIT, &mut writing).await;
    if drained.is_err() {
        writing.abort();
        _ = writing.await;
    }
    // What the database said comes first: whether the job is tried again depends on it.
    if let Some(error) = ledger.take_error() {
        return Err(error.into());
    }
    done?;
    let reason = match drained {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("the database took more than {} s to take what was queued", DRAIN_LIMIT.as_secs()),
    };
    Err(ValidatorError::Stopped { job_id: job.job_id, reason })
}

/// A round that an earlier run of the program began.
struct Unfinished {
    row: rows::Round,
    answers: Vec<Prediction>,
}

struct Follower<'a> {
    shared: Shared,
    source: &'a dyn EventSource,
    settings: &'a Settings,
    registry: &'a watch::Receiver<Registry>,
    standing: Standing,
    unfinished: BTreeMap<(u64, RoundType), Unfinished>,
    /// Number and winner of the last evaluation round that counted.
    last: Option<(u64, Option<String>)>,
}

impl<'a> Follower<'a> {
    async fn load(
        job: &Job,
        database: &JobsDatabase,
        source: &'a dyn EventSource,
        settings: &'a Settings,
        registry: &'a watch::Receiver<Registry>,
        ledger: &Ledger,
    ) -> Result<Self, ValidatorError> {
        let standing = Standing::load(database, job, Mode::Follow, source.clock().now_ms() / 1_000).await?;
        let mut unfinished = BTreeMap::new();
        for row in database.unfinished_rounds(Some(&job.job_id)).await? {
            let round_type =
                if row.round_type == RoundType::Live.name() { RoundType::Live } else { RoundType::Evaluation };
            if row.mode == RoundMode::Follow {
                let answers = database.predictions(&row.round_id, RoundMode::Follow).await?;
                unfinished.insert((row.number, round_type), Unfinished { row, answers });
            }
        }
        let evaluation = RoundType::Evaluation.name();
        let newest = database.rounds(&job.job_id, evaluation, RoundMode::Follow, None, 2).await?;
        let last = newest.into_iter().find(|row| row.status == RoundStatus::Completed);
        let last = last.map(|row| (row.number, row.winner));
        let shared = Shared {
            job: job.clone(),
            feed: Arc::new(Feed::new(source.clock().clone())),
            ledger: ledger.clone(),
            client: settings.client.clone(),
            reporter: settings.reporter.clone(),
        };
        Ok(Self { shared, source, settings, registry, standing, unfinished, last })
    }

    /// Works on one window after the other; `windows` counts the finished ones.
    async fn follow(&mut self, hold: &mut Hold, windows: &mut u64) -> Result<(), ValidatorError> {
        let job = self.shared.job.clone();
        let feed = Arc::clone(&self.shared.feed);
        let mut pump = Pump::new(&job);
        let mut done = None;
        loop {
            if self.shared.ledger.is_failed() {
                return Ok(());
            }
            let Some(window) = self.next_window(&feed, done) else {
                if pump.take(&job, self.source, &feed, hold).await? {
                    continue;
                }
                return Ok(());
            };
            done = Some(window.number);
            self.give_up_before(window.number);
            let start = loop {
                match feed.times(|times| (times.first_at(window.from), times.head())) {
                    (Some(block), _) => break Some(block).filter(|block| block.timestamp < window.until),
                    // Its first block is older than what is known.
                    (None, Some(head)) if head.timestamp >= window.from => break None,
                    _ if !pump.take(&job, self.source, &feed, hold).await? => return Ok(()),
                    _ => {}
                }
            };
            let Some(start) = start else {
                self.give_up(window.number, "its first block is not known any more");
                continue;
            };
            tokio::task::block_in_place(|| pump.advance(start.number))
                .map_err(|source| ValidatorError::Engine { job_id: job.job_id.clone(), source: Box::new(source) })?;
            feed.begin_window(start.number);
            if !self.registry.borrow().active.contains(&job.job_id) && self.unfinished.is_empty() {
                return Ok(());
            }
            if !self.window(window, start, &mut pump, hold).await? {
                return Ok(());
            }
            *windows += 1;
        }
    }

    /// The window to work on after window `done`: what was left unfinished first, then the
    /// one that the newest block lies in. `None` before the first round.
    fn next_window(&self, feed: &Feed, done: Option<u64>) -> Option<Window> {
        let job = &self.shared.job;
        let head = feed.times(assay_lp::BlockTimes::head)?;
        // What is completed is never begun again.
        let completed = self.last.as_ref().map(|(number, _)| *number);
        let from = done.max(completed).map_or(0, |done| done + 1);
        let current = Window::at(job, head.timestamp)?.number.max(from);
        let unfinished = self.unfinished.keys().map(|(number, _)| *number).find(|number| *number >= from);
        Window::of(job, unfinished.map_or(current, |number| number.min(current)))
    }

    /// Works on a window to its end; `false` when the source has no more blocks.
    async fn window(
        &mut self,
        window: Window,
        start: BlockTime,
        pump: &mut Pump,
        hold: &mut Hold,
    ) -> Result<bool, ValidatorError> {
        let evaluation = self.evaluation(window, start, &pump.market, hold);
        let live = self.live(window, start, &pump.market, hold);
        let evaluating = async {
            match evaluation {
                Some((runner, hold)) => Some(runner.run(hold).await),
                None => None,
            }
        };
        let acting = async {
            match live {
                Some(live) => Some(live.run().await),
                None => None,
            }
        };
        let (source, job, feed) = (self.source, self.shared.job.clone(), Arc::clone(&self.shared.feed));
        let pumping = async {
            let pumped = pump.run(&job, window.until, source, &feed, hold).await;
            // Without further blocks the rounds still come to their deadlines.
            if !matches!(pumped, Ok(Some(_))) {
                feed.end();
                hold.release();
            }
            pumped
        };
        let (evaluated, acted, pumped) = tokio::join!(evaluating, acting, pumping);
        let pumped = pumped?;
        if let Some(ending) = evaluated {
            self.close(RoundType::Evaluation, window, ending);
        }
        if let Some(ending) = acted {
            self.close(RoundType::Live, window, ending);
        }
        Ok(pumped.is_some())
    }

    /// The evaluation round of a window, taken up or new; `None` when it does not take place.
    fn evaluation(&mut self, window: Window, start: BlockTime, market: &Market, hold: &Hold) -> Option<(Runner, Hold)> {
        let unfinished = self.unfinished.remove(&(window.number, RoundType::Evaluation));
        let round_id = self.shared.job.round_id(RoundType::Evaluation, window.number);
        let late_ms = hold.clock().now_ms().saturating_sub(start.timestamp.saturating_mul(1_000));
        let resumed = unfinished.is_some();
        if let Err(reason) = self.may_begin(&unfinished, window, start, hold) {
            self.does_not_count(RoundType::Evaluation, window.number, resumed, reason);
            return None;
        }
        let stored = unfinished.map_or_else(Vec::new, |unfinished| unfinished.answers);
        let (entrants, endpoints) = self.entrants(&stored);
        let miners = entrants.len();
        let job = &self.shared.job;
        let begun = Round::start(job, Mode::Follow, RoundType::Evaluation, window.number, start, market, entrants);
        let round = match begun {
            Ok(round) => round,
            Err(error) => {
                self.does_not_count(RoundType::Evaluation, window.number, resumed, error.to_string());
                return None;
            }
        };
        self.begin_row(RoundType::Evaluation, window.number, start, None);
        self.shared.reporter.say(Report::Started { round_id, miners, late_ms, resumed });
        let (shared, kind) = (self.shared.clone(), RoundType::Evaluation);
        Some((Runner::new(shared, round, kind, window, endpoints, stored, None), hold.clock().hold()))
    }

    /// Whether a round may begin or go on at its start block.
    fn may_begin(
        &self,
        unfinished: &Option<Unfinished>,
        window: Window,
        start: BlockTime,
        hold: &Hold,
    ) -> Result<(), String> {
        let job = &self.shared.job;
        let closes = start.timestamp.saturating_add(job.answer_seconds).saturating_add(job.reveal_seconds);
        if closes >= window.until {
            return Err("its first block came too late for a single answer".into());
        }
        match unfinished {
            Some(Unfinished { row, .. }) if row.start_block != Some(start.number) => {
                Err("its first block is another one now".into())
            }
            Some(Unfinished { answers, .. }) if !answers.is_empty() => Ok(()),
            _ if !in_time(job, start.timestamp, hold.clock().now_ms()) => Err("its first block was seen late".into()),
            _ if !self.shared.ledger.has_room() => Err("too many rounds wait for the database".into()),
            _ => Ok(()),
        }
    }

    /// Who takes part: as its first answers say when a round is taken up, else everybody who
    /// is registered, active and can be asked.
    fn entrants(&self, stored: &[Prediction]) -> (Vec<Entrant>, BTreeMap<String, MinerEndpoint>) {
        let first: Vec<&str> = stored.iter().filter(|row| row.checkpoint == 0).map(|row| row.miner.as_str()).collect();
        let takes_part = |miner: &MinerRow| match first.is_empty() {
            true => miner.active && (self.settings.asks_axon || miner.wire == Wire::Native.name()),
            false => first.contains(&miner.miner.as_str()),
        };
        let registry = self.registry.borrow();
        let mut entrants = Vec::new();
        let mut endpoints = BTreeMap::new();
        for miner in registry.miners.iter().filter(|miner| takes_part(miner)).take(MAX_ASKS) {
            // Who is registered in words that do not read cannot be asked.
            let Some(endpoint) = endpoint(miner) else { continue };
            entrants.push(self.standing.entrant(miner));
            endpoints.insert(miner.miner.clone(), endpoint);
        }
        (entrants, endpoints)
    }

    /// The live round of a window; `None` when there is none.
    fn live(&mut self, window: Window, start: BlockTime, market: &Market, hold: &Hold) -> Option<Live> {
        let unfinished = self.unfinished.remove(&(window.number, RoundType::Live));
        let executor = self.settings.executor.clone()?;
        let resumed = unfinished.is_some();
        let chosen = match &unfinished {
            Some(Unfinished { row, .. }) => row.winner.clone().ok_or_else(|| "its miner is not known".to_owned()),
            None => self.chosen(window.number, start),
        };
        let ready = chosen.and_then(|miner| self.may_begin(&unfinished, window, start, hold).map(|()| miner));
        let registered = ready.and_then(|miner| {
            let registry = self.registry.borrow();
            let row = registry.miners.iter().find(|row| row.miner == miner && (row.active || resumed)).cloned();
            row.ok_or_else(|| format!("{miner} is not registered any more"))
        });
        let registered = registered.and_then(|row| {
            let endpoint =
                endpoint(&row).ok_or_else(|| format!("{} is registered in words that do not read", row.miner))?;
            Ok((row, endpoint))
        });
        let (row, endpoint) = match registered {
            Ok(found) => found,
            Err(reason) => {
                self.does_not_count(RoundType::Live, window.number, true, format!("skipped: {reason}"));
                return None;
            }
        };
        self.begin_row(RoundType::Live, window.number, start, Some(row.miner.clone()));
        Some(Live {
            shared: self.shared.clone(),
            executor,
            market: market.clone(),
            window,
            start,
            entrant: self.standing.entrant(&row),
            endpoint,
            stored: unfinished.map_or_else(Vec::new, |unfinished| unfinished.answers),
            resumed,
            hold: hold.clock().hold(),
        })
    }

    /// The winner of the evaluation before, if it may go live.
    fn chosen(&self, number: u64, start: BlockTime) -> Result<String, String> {
        let winner = match &self.last {
            Some((last, winner)) if last + 1 == number => winner.clone(),
            _ => return Err("the evaluation round before did not count".into()),
        };
        let winner = winner.ok_or("nobody won the evaluation round before")?;
        let registry = self.registry.borrow();
        let native = registry.miners.iter().any(|row| row.miner == winner && row.wire == Wire::Native.name());
        let eligibility = self.standing.eligibility(&winner, native, start.timestamp);
        match eligibility.is_eligible() {
            true => Ok(winner),
            false => Err(format!("{winner} is not eligible: {}", eligibility.missing.join("; "))),
        }
    }

    /// Takes in how a round ended.
    fn close(&mut self, round_type: RoundType, window: Window, ending: Ending) {
        let (record, predictions, executed) = match ending {
            Ending::Finished { record, predictions, executed } => (record, predictions, executed),
            Ending::Abandoned(reason) => return self.does_not_count(round_type, window.number, true, reason),
            Ending::Ended => return,
        };
        let now_ms = self.source.clock().now_ms();
        let change = match self.standing.take(&record, executed, now_ms) {
            Ok(change) => change,
            Err(error) => return self.does_not_count(round_type, window.number, true, error.to_string()),
        };
        if round_type == RoundType::Evaluation {
            self.last = Some((record.round_number, record.winner.clone()));
        }
        let completion = Completion::new(&record, predictions, change, now_ms);
        self.shared.reporter.say(judged(&record, &completion));
        self.shared.ledger.write(Write::Complete(Box::new(completion)));
    }

    fn begin_row(&self, round_type: RoundType, number: u64, start: BlockTime, miner: Option<String>) {
        let mut row = self.row(round_type, number, RoundStatus::Active);
        (row.start_block, row.start_time, row.winner) = (Some(start.number), Some(start.timestamp), miner);
        self.shared.ledger.write(Write::Begin(Box::new(row)));
    }

    /// A round that does not count; one that was begun, or whose reason matters, is stored.
    fn does_not_count(&self, round_type: RoundType, number: u64, stored: bool, reason: String) {
        let mut row = self.row(round_type, number, RoundStatus::Failed);
        row.reason = Some(reason.clone());
        self.shared.reporter.say(Report::Failed { round_id: row.round_id.clone(), reason });
        if stored {
            self.shared.ledger.write(Write::Fail(Box::new(row)));
        }
    }

    /// Fails what was left unfinished in windows that no round is begun in any more: a live
    /// round whose evaluation was stored and itself was not.
    fn give_up_before(&mut self, number: u64) {
        while let Some(&(left, _)) = self.unfinished.keys().next()
            && left < number
        {
            self.give_up(left, "the validator stopped before it was stored, and its window is over");
        }
    }

    fn give_up(&mut self, number: u64, reason: &str) {
        for round_type in [RoundType::Evaluation, RoundType::Live] {
            if self.unfinished.remove(&(number, round_type)).is_some() {
                self.does_not_count(round_type, number, true, reason.to_owned());
            }
        }
    }

    fn row(&self, round_type: RoundType, number: u64, status: RoundStatus) -> rows::Round {
        let job = &self.shared.job;
        rows::Round {
            round_id: job.round_id(round_type, number),
            mode: RoundMode::Follow,
            job_id: job.job_id.clone(),
            round_type: round_type.name().to_owned(),
            number,
            start_block: None,
            start_time: None,
            end_block: None,
            end_time: None,
            status,
            reason: None,
            winner: None,
            record: None,
            record_hash: None,
            updated_at: i64::try_from(self.source.clock().now_ms()).unwrap_or(i64::MAX),
        }
    }
}

fn judged(record: &RoundRecord, completion: &Completion) -> Report {
    Report::Judged {
        round_id: record.round_id.clone(),
        record_hash: completion.round.record_hash.clone().unwrap_or_default(),
        winner: record.winner.clone(),
    }
}

fn endpoint(miner: &MinerRow) -> Option<MinerEndpoint> {
    MinerEndpoint::new(&miner.miner, &miner.url, miner.wire.parse().ok()?).ok()
}

/// A live round before its vault is opened.
struct Live {
    shared: Shared,
    executor: Arc<dyn Executor>,
    market: Market,
    window: Window,
    start: BlockTime,
    entrant: Entrant,
    endpoint: MinerEndpoint,
    stored: Vec<Prediction>,
    resumed: bool,
    hold: Hold,
}

impl Live {
    async fn run(self) -> Ending {
        let Self { shared, executor, market, window, start, entrant, endpoint, stored, resumed, hold } = self;
        let mut job = shared.job.clone();
        let round_id = job.round_id(RoundType::Live, window.number);
        let vault = VaultRound {
            job_id: job.job_id.clone(),
            round_id: round_id.clone(),
            sn_liquidity_manager_address: job.sn_liquidity_manager_address.clone(),
            pair_address: job.pair_address.clone(),
            start_block: start.number,
        };
        let opened = match timeout_at(Instant::now() + REPORT_LIMIT, executor.open(&vault)).await {
            Ok(Ok(opened)) => opened,
            Ok(Err(error)) => return Ending::Abandoned(format!("the executor does not open the round: {error}")),
            Err(_) => return Ending::Abandoned("the executor did not open the round in time".into()),
        };
        let Some(total) = opened.total() else {
            return Ending::Abandoned("the vault holds more than 256 bits".into());
        };
        // What the vault holds is what the round is about.
        job.inventory = total;
        let miner = entrant.miner.clone();
        let late_ms = hold.clock().now_ms().saturating_sub(start.timestamp.saturating_mul(1_000));
        let begun = Round::start(&job, Mode::Follow, RoundType::Live, window.number, start, &market, vec![entrant]);
        let round = match begun {
            Ok(round) => round,
            Err(error) => return Ending::Abandoned(error.to_string()),
        };
        shared.reporter.say(Report::Started { round_id, miners: 1, late_ms, resumed });
        let endpoints = BTreeMap::from([(miner.clone(), endpoint)]);
        let acting = Acting::new(executor, vault, miner, &opened, resumed);
        Runner::new(shared, round, RoundType::Live, window, endpoints, stored, Some(acting)).run(hold).await
    }
}
