//! `assay lp practice`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::practice::{PracticeRequest, Practised, PractisedRound};
use clap::Args;

use super::round::{Events, Which, totals};
use crate::output::Console;

#[derive(Args)]
pub struct Practice {
    /// The job file, TOML or JSON.
    job: PathBuf,
    #[command(flatten)]
    events: Events,
    /// hold, full-range, fixed:WIDTH, recentre:WIDTH, base-limit:WIDTH, volatility:K, policy:DIR or
    /// http://HOST:PORT#KEY.
    #[arg(long, value_name = "NAME|URL")]
    miner: String,
    #[command(flatten)]
    which: Which,
}

impl Practice {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let (first, rounds) = (self.which.first(), self.which.rounds);
        let request = PracticeRequest { job: self.job, source: self.events.source(), miner: self.miner, first, rounds };
        let done = request.run(workspace)?;
        let next = format!("assay lp backtest JOB --events FILE --miner {}", done.miner);
        console.answer(&done, &text(&done), &next)
    }
}

fn text(done: &Practised) -> String {
    let mut lines: Vec<String> = done.rounds.iter().map(round).collect();
    lines.push(totals(&done.scores));
    lines.push(format!("\nmode          {}: nothing is kept, no reputation moves", done.mode));
    lines.join("\n")
}

fn round(practised: &PractisedRound) -> String {
    let round = &practised.round;
    let mut lines = vec![format!("{}, blocks {} … {}", round.round_id, round.start.number, round.end.number)];
    lines.extend(practised.answers.iter().map(|answer| {
        let ranges: Vec<String> = answer
            .positions
            .iter()
            .map(|position| format!("{} … {}", position.tick_lower, position.tick_upper))
            .collect();
        let from = answer.effective_block.map_or_else(String::new, |block| format!(" from block {block}"));
        let reason = answer.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("  checkpoint {}  {} {}{from}{reason}", answer.checkpoint, answer.outcome.name(), ranges.join(" and "))
    }));
    lines.push(String::new());
    lines.join("\n")
}
