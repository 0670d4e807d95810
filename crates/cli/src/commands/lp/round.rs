//! `assay lp round`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::block_clock::BlockClock;
use assay_jobs::jobs::lp::events::Source;
use assay_jobs::jobs::lp::round::{First, RoundRequest, RoundShown, RoundsDone};
use assay_jobs::jobs::lp::scores::{RoundScore, Total};
use clap::Args;

use super::Page;
use crate::output::{Console, table};

/// Rounds that are listed; the JSON has all.
const LISTED_ROUNDS: usize = 12;
/// Digits of a hash that are shown.
const HASH_DIGITS: usize = 16;

/// The recorded history of a pool.
#[derive(Args, Clone)]
pub struct Events {
    /// The pool's events as CSV, JSON lines or raw logs, also .gz or .xz; - for standard input.
    #[arg(long, value_name = "FILE")]
    events: PathBuf,
    /// A block, its time in seconds since 1970 and the seconds from block to block; known for chains 10 and 8453.
    #[arg(long, value_name = "NUMBER@SECONDS+STEP")]
    block_clock: Option<BlockClock>,
    /// Square-root price before the first event as a 64.96-bit integer; not needed when that is `initialize`.
    #[arg(long, value_name = "X96")]
    sqrt_price: Option<String>,
}

impl Events {
    pub fn source(self) -> Source {
        Source { events: self.events, block_clock: self.block_clock, sqrt_price: self.sqrt_price }
    }
}

/// Which rounds.
#[derive(Args, Clone, Copy)]
pub struct Which {
    /// Number of the first round [default: the last that the events hold whole].
    #[arg(long, value_name = "N", conflicts_with = "at")]
    round: Option<u64>,
    /// A block in the first round.
    #[arg(long, value_name = "BLOCK")]
    at: Option<u64>,
    /// Rounds in a row, each with a fresh inventory.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    pub rounds: u64,
}

impl Which {
    pub fn first(self) -> First {
        match (self.round, self.at) {
            (Some(number), _) => First::Number(number),
            (None, Some(block)) => First::Block(block),
            (None, None) => First::Last,
        }
    }
}

#[derive(Args)]
pub struct Round {
    /// The job file, TOML or JSON.
    job: PathBuf,
    #[command(flatten)]
    events: Events,
    /// Comma-separated: hold, full-range, fixed:WIDTH, recentre:WIDTH, base-limit:WIDTH, volatility:K, all (one of each),
    /// policy:DIR, http://HOST:PORT#KEY.
    #[arg(long, value_name = "LIST", default_value = "all")]
    miners: String,
    #[command(flatten)]
    which: Which,
    /// Folder for the records instead of the home's.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    page: Page,
}

impl Round {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let request = RoundRequest {
            job: self.job,
            source: self.events.source(),
            miners: self.miners,
            first: self.which.first(),
            rounds: self.which.rounds,
            out: self.out,
            report: self.page.file(),
        };
        let done = request.run(workspace)?;
        let record = done.rounds.last().and_then(|round| round.record.as_deref());
        let next =
            record.map_or_else(|| "the same without --dry-run".to_owned(), |path| format!("assay lp verify {path}"));
        console.answer(&done, &text(&done), &next)
    }
}

/// What happened, as people read it.
pub fn text(done: &RoundsDone) -> String {
    let mut lines = vec![match done.rounds.as_slice() {
        [one] => one_round(one),
        several => many_rounds(several, &done.scores),
    }];
    lines.push(format!("mode          {}, {}: no reputation moves", done.mode, done.simulation));
    if done.mismatches > 0 {
        lines.push(format!(
            "mismatches    {} recorded events came out otherwise; see `assay pool replay`",
            done.mismatches
        ));
    }
    lines.extend(done.report.iter().map(|path| format!("report        {path}")));
    lines.push(format!("speed         {:.3} s a round", done.seconds_per_round));
    lines.join("\n")
}

fn one_round(round: &RoundShown) -> String {
    let mut lines = vec![
        format!("round         {}", round.round_id),
        format!("blocks        {} … {}, {} checkpoints", round.start.number, round.end.number, round.checkpoints),
        format!("requests      {} ran again, {} of them not explained to the unit", round.requests, round.unexplained),
        format!("record_hash   {}", round.record_hash),
    ];
    lines.extend(round.record.iter().map(|path| format!("record        {path}")));
    lines.push(format!("winner        {}", winner(round.winner.as_deref())));
    lines.push(format!("\n{}\n", scores(&round.scores)));
    let remarks = round.scores.iter().flat_map(|row| row.judgement.remarks.iter().map(|text| (&row.miner, text)));
    lines.extend(remarks.map(|(miner, text)| format!("remark        {miner}: {text}")));
    lines.join("\n")
}

/// The miners of one round with the terms of their scores.
pub fn scores(scores: &[RoundScore]) -> String {
    let head = ["miner", "rank", "score", "over hold", "gain", "loss 0", "loss 1", "fees", "rebalances", "in range"];
    let rows: Vec<Vec<String>> = scores.iter().map(score_row).collect();
    table(&head, &rows)
}

fn score_row(row: &RoundScore) -> Vec<String> {
    let fixed = |value: i128| percent(value as f64 / 1e18);
    let judgement = &row.judgement;
    let start: f64 = judgement.value_start.to_string().parse().unwrap_or(f64::NAN);
    let fees: f64 = judgement.fees.to_string().parse().unwrap_or(f64::NAN);
    vec![
        row.miner.clone(),
        row.rank.map_or_else(|| "—".to_owned(), |rank| rank.to_string()),
        percent(row.score),
        percent(row.over_hold),
        fixed(judgement.gain),
        fixed(judgement.loss0),
        fixed(judgement.loss1),
        percent(fees / start),
        row.rebalances.to_string(),
        format!("{:.1} %", 100.0 * row.in_range),
    ]
}

fn many_rounds(rounds: &[RoundShown], scores: &[Total]) -> String {
    let head = ["round", "blocks", "winner", "score", "record_hash"];
    let rows: Vec<Vec<String>> = rounds.iter().rev().take(LISTED_ROUNDS).rev().map(round_row).collect();
    let mut lines = Vec::new();
    if rounds.len() > LISTED_ROUNDS {
        lines.push(format!("{} rounds, the last {LISTED_ROUNDS}:", rounds.len()));
    }
    lines.push(table(&head, &rows));
    lines.push(format!("\n{}\n", totals(scores)));
    lines.join("\n")
}

fn round_row(round: &RoundShown) -> Vec<String> {
    vec![
        round.number.to_string(),
        format!("{} … {}", round.start.number, round.end.number),
        winner(round.winner.as_deref()),
        round.scores.first().map_or_else(|| "—".to_owned(), |row| percent(row.score)),
        round.record_hash.to_string()[..HASH_DIGITS].to_owned(),
    ]
}

/// The miners over several rounds.
pub fn totals(scores: &[Total]) -> String {
    let head =
        ["miner", "rounds", "wins", "mean score", "over hold", "fees", "against hold", "LVR", "rebalances", "in range"];
    let rows: Vec<Vec<String>> = scores
        .iter()
        .map(|total| {
            vec![
                total.miner.clone(),
                total.rounds.to_string(),
                total.wins.to_string(),
                percent(total.score),
                percent(total.over_hold),
                percent(total.fees_share),
                percent(total.against_holding_share),
                percent(total.lvr_share),
                total.rebalances.to_string(),
                format!("{:.1} %", 100.0 * total.in_range),
            ]
        })
        .collect();
    let note = "Fees, value against holding and LVR are sums over the rounds in % of the value at each start.";
    format!("{}\n{note}", table(&head, &rows))
}

fn winner(winner: Option<&str>) -> String {
    winner.unwrap_or("nobody").to_owned()
}

/// Small shares need their digits.
pub fn percent(value: f64) -> String {
    let text = format!("{:.5} %", 100.0 * value);
    text.replace('-', "−")
}
