//! `assay lp backtest`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::backtest::{LpBacktestDone, LpBacktestRequest};
use clap::Args;

use super::round::{Events, totals};
use crate::commands::lp::Page;
use crate::output::Console;

#[derive(Args)]
pub struct Backtest {
    /// The job file, TOML or JSON.
    job: PathBuf,
    #[command(flatten)]
    events: Events,
    /// hold, full-range, fixed:WIDTH, recentre:WIDTH, base-limit:WIDTH, volatility:K, policy:DIR or
    /// http://HOST:PORT#KEY.
    #[arg(long, value_name = "NAME|URL")]
    miner: String,
    /// Rounds that start at or after this date; by default from the first event.
    #[arg(long, value_name = "DATE")]
    from: Option<String>,
    /// Rounds that end at or before this date; by default up to the last event.
    #[arg(long, value_name = "DATE")]
    to: Option<String>,
    /// Folder to keep the record of every round in.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    page: Page,
}

impl Backtest {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let request = LpBacktestRequest {
            job: self.job,
            source: self.events.source(),
            miner: self.miner,
            from: self.from,
            to: self.to,
            out: self.out,
            report: self.page.file(),
        };
        let done = request.run(workspace)?;
        console.answer(&done, &text(&done), "the same with --json for every round, or --out DIR for their records")
    }
}

fn text(done: &LpBacktestDone) -> String {
    let mut lines = vec![format!("{} rounds of {} in job {}", done.rounds.len(), done.miner, done.job_id)];
    if let (Some(first), Some(last)) = (done.rounds.first(), done.rounds.last()) {
        let [from, to] = [first, last].map(|round| {
            assay_jobs::time_text::format_utc(i64::try_from(round.start_seconds).unwrap_or(0).saturating_mul(1_000))
        });
        lines.push(format!("rounds {} … {}, starting {from} … {to}", first.number, last.number));
    }
    lines.push(format!("\n{}\n", totals(&done.scores)));
    lines.push(format!("The last day, every built-in strategy:\n{}\n", totals(&done.last_day)));
    lines.push(format!("mode          {}: no reputation moves", done.mode));
    if done.mismatches > 0 {
        lines.push(format!("mismatches    {} recorded events came out otherwise", done.mismatches));
    }
    lines.extend(done.report.iter().map(|path| format!("report        {path}")));
    lines.push(format!("speed         {:.4} s a round", done.seconds_per_round));
    lines.join("\n")
}
