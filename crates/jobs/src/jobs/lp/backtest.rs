//! One miner over a whole history, round after round, beside holding; and every built-in
//! strategy over its last day.

use std::path::PathBuf;

use assay_lp::record::Outcome;
use assay_lp::{Job, RoundRecord};
use assay_store::write_atomic;
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::lp::events::{History, Source};
use crate::jobs::lp::job_file::read_job;
use crate::jobs::lp::miners::{ALL, Miner, read_miners};
use crate::jobs::lp::practice::with_hold;
use crate::jobs::lp::round::Runner;
use crate::jobs::lp::scores::{RoundScore, Sums, Total};
use crate::jobs::lp::{failed, records};
use crate::report::{MinerHistoryOptions, PageFile, miner_history_page};
use crate::workspace::{Workspace, user_time};

/// Seconds of the table's last day.
const DAY_SECONDS: u64 = 86_400;

/// What to run.
#[derive(Debug, Clone)]
pub struct LpBacktestRequest {
    /// The job file.
    pub job: PathBuf,
    /// The pool's history.
    pub source: Source,
    /// The miner.
    pub miner: String,
    /// Rounds that start at or after this date; all when `None`.
    pub from: Option<String>,
    /// Rounds that end at or before this date; all when `None`.
    pub to: Option<String>,
    /// Folder to keep every record in; none is kept when `None`.
    pub out: Option<PathBuf>,
    /// File for the miner's page; none is written when `None`.
    pub report: Option<PageFile>,
}

/// A backtest, done.
#[derive(Debug, Serialize)]
pub struct LpBacktestDone {
    /// The job.
    pub job_id: String,
    /// The miner.
    pub miner: String,
    /// `practice`: no reputation moves.
    pub mode: &'static str,
    /// The miner and holding over all rounds.
    pub scores: Vec<Total>,
    /// Every built-in strategy and the miner over the last day.
    pub last_day: Vec<Total>,
    /// The miner's rounds in order.
    pub rounds: Vec<MinerRound>,
    /// The miner's page, when one is wanted.
    pub report: Option<String>,
    /// Recorded events that the exact engine did not reproduce, from the file's start.
    pub mismatches: u64,
    /// Seconds of one round on average, the events before the first not counted.
    pub seconds_per_round: f64,
}

/// A round of the miner.
#[derive(Debug, Serialize)]
pub struct MinerRound {
    /// Its number.
    pub number: u64,
    /// First block.
    pub start_block: u64,
    /// When it starts, seconds since 1970.
    pub start_seconds: u64,
    /// Hash of the record.
    pub record_hash: assay_types::Hash,
    /// Questions that moved positions.
    pub rebalanced: usize,
    /// The result.
    #[serde(flatten)]
    pub score: RoundScore,
}

impl LpBacktestRequest {
    /// Runs the rounds; nothing is written unless records are wanted.
    ///
    /// # Errors
    /// [`JobError`] saying what cannot be used and how to get on.
    pub fn run(self, workspace: &Workspace) -> Result<LpBacktestDone, JobError> {
        let job = read_job(&self.job)?;
        let (miner, mut pair) = with_hold(&self.miner, &job)?;
        let mut everybody = everybody(&pair, &job)?;
        workspace.progress.stage("backtest");
        let span = History::span(&self.source.events)?;
        let mut runner = Runner::open(&job, &self.source, workspace)?;
        let (first, last) = self.numbers(&runner, &job, span)?;
        let day = DAY_SECONDS.div_ceil(job.round_duration_seconds);
        let last_day_from = (last + 1).saturating_sub(day).max(first);
        let (mut sums, mut day_sums, mut rounds, mut paged) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for number in first..=last {
            workspace.go_on()?;
            let place = |error| failed(&format!("round {number}"), &error);
            let record = if number < last_day_from {
                runner.round_of(number, &mut pair)?
            } else {
                // Whoever has seen prices goes on with them.
                if number == last_day_from {
                    take_over(&mut everybody, &pair);
                }
                let record = runner.round_of(number, &mut everybody)?;
                Sums::add(&mut day_sums, &record).map_err(place)?;
                record
            };
            if let (Some(folder), false) = (&self.out, workspace.dry_run) {
                records::keep(folder, &record)?;
            }
            let own = record.miners.iter().filter(|other| pair.iter().any(|miner| miner.name() == other.miner));
            let own = RoundRecord { miners: own.cloned().collect(), ..record.clone() };
            Sums::add(&mut sums, &own).map_err(place)?;
            rounds.extend(miner_round(&record, &miner)?);
            if self.report.is_some() {
                paged.push(own);
            }
        }
        let report = self.report.as_ref().filter(|_| !workspace.dry_run);
        if let Some(PageFile { path, tokens }) = report {
            let page = miner_history_page(&paged, &miner, &MinerHistoryOptions { tokens: tokens.clone() });
            write_atomic(path, page.as_bytes())?;
        }
        #[expect(clippy::cast_precision_loss, reason = "a measured time")]
        let seconds_per_round = runner.seconds / rounds.len().max(1) as f64;
        Ok(LpBacktestDone {
            job_id: job.job_id.clone(),
            miner,
            mode: assay_lp::Mode::Practice.name(),
            scores: Sums::totals(&sums),
            last_day: Sums::totals(&day_sums),
            rounds,
            report: report.map(|page| page.path.display().to_string()),
            mismatches: runner.history.market.mismatches(),
            seconds_per_round,
        })
    }

    /// The first and the last round.
    fn numbers(&self, runner: &Runner<'_>, job: &Job, span: (u64, u64)) -> Result<(u64, u64), JobError> {
        let (mut first, mut last) = runner.whole_rounds(span)?;
        let seconds = |option: &str, text: &Option<String>| {
            let time = text.as_deref().map(|text| user_time(option, text)).transpose()?;
            Ok::<_, JobError>(time.map(|ms| u64::try_from(ms).unwrap_or(0) / 1_000))
        };
        if let Some(from) = seconds("--from", &self.from)? {
            let starts = from.saturating_sub(job.genesis).div_ceil(job.round_duration_seconds);
            first = first.max(starts);
        }
        let none = || {
            let text = "--from and --to leave no whole round of the events: take dates further apart";
            JobError::Input(text.to_owned())
        };
        if let Some(to) = seconds("--to", &self.to)? {
            let ended = to.saturating_sub(job.genesis) / job.round_duration_seconds;
            last = last.min(ended.checked_sub(1).ok_or_else(none)?);
        }
        if first > last {
            return Err(none());
        }
        Ok((first, last))
    }
}

/// Every built-in strategy and the miner, in the order of rounds.
fn everybody(pair: &[Miner], job: &Job) -> Result<Vec<Miner>, JobError> {
    let mut all = read_miners(ALL, job)?;
    all.extend(pair.iter().cloned());
    all.sort_by_key(Miner::name);
    all.dedup_by_key(|miner| miner.name());
    Ok(all)
}

fn take_over(everybody: &mut [Miner], pair: &[Miner]) {
    for miner in everybody {
        if let Some(known) = pair.iter().find(|known| known.name() == miner.name()) {
            miner.clone_from(known);
        }
    }
}

fn miner_round(record: &RoundRecord, miner: &str) -> Result<Option<MinerRound>, JobError> {
    let table = RoundScore::table(record).map_err(|error| failed(&record.round_id, &error))?;
    let own = record.miners.iter().find(|other| other.miner == miner);
    let rebalanced =
        own.map_or(0, |own| own.answers.iter().filter(|answer| answer.outcome == Outcome::Rebalanced).count());
    Ok(table.into_iter().find(|row| row.miner == miner).map(|score| MinerRound {
        number: record.round_number,
        start_block: record.start.number,
        start_seconds: record.start.timestamp,
        record_hash: record.hash(),
        rebalanced,
        score,
    }))
}
