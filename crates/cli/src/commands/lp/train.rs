//! `assay lp train`

use std::path::PathBuf;

use assay_jobs::jobs::lp::policy::train::{LpTrainRequest, LpTrained, miner_argument};
use assay_jobs::{Workspace, read_config};
use clap::Args;

use super::round::{Events, percent};
use crate::output::{Console, table};

#[derive(Args)]
pub struct Train {
    /// The job file, TOML or JSON.
    job: PathBuf,
    #[command(flatten)]
    events: Events,
    /// JSON or TOML file with keys of the learner; missing ones take PPO's defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// A key of the learner, such as algorithm=a2c or total_timesteps=500000; wins over the file.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Folder for the policy instead of the home's.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on from the last checkpoint of an interrupted training.
    #[arg(long, conflicts_with = "again")]
    resume: bool,
    /// Train a finished policy again and check that the weights are the same.
    #[arg(long)]
    again: bool,
}

impl Train {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let request = LpTrainRequest {
            job: self.job,
            source: self.events.source(),
            config: read_config(self.config.as_deref(), &self.set)?,
            out: self.out,
            resume: self.resume,
            again: self.again,
        };
        let done = request.run(workspace)?;
        let next = match done.miner {
            Some(_) => format!("assay lp backtest JOB --events FILE --miner {}", miner_argument(&done.path)),
            None => "the same without --dry-run".to_owned(),
        };
        console.answer(&done, &text(&done), &next)
    }
}

fn text(done: &LpTrained) -> String {
    let span = |[first, last]: [u64; 2]| format!("{first} … {last}, {} rounds", last - first + 1);
    let mut lines = vec![
        format!("policy        {}", done.policy_id),
        format!("folder        {}", done.path),
        format!("train         {}", span(done.rounds.train)),
        format!("validation    {}", span(done.rounds.validation)),
        format!("held out      {}", span(done.rounds.held_out)),
    ];
    lines.extend(done.weights_hash.map(|hash| format!("weights_hash  {hash}")));
    if let (Some(steps), Some(rate)) = (done.timesteps, done.steps_per_second) {
        lines.push(format!("steps         {steps}, {rate:.0} a second"));
    }
    if let (Some(score), Some(at)) = (done.validation_over_hold, done.chosen_at) {
        lines.push(format!("chosen        after {at} steps: {} over hold on validation", percent(score)));
    }
    let (Some(miner), Some(verdict)) = (&done.miner, done.verdict) else { return lines.join("\n") };
    let head = ["miner", "mean score", "over hold", "95 % interval", "fees", "rebalances", "in range"];
    let rows: Vec<Vec<String>> = done
        .held_out
        .iter()
        .map(|row| {
            let total = &row.total;
            let [low, high] = row.over_hold_interval.map_or([f64::NAN; 2], |interval| interval);
            vec![
                total.miner.clone(),
                percent(total.score),
                percent(total.over_hold),
                row.over_hold_interval.map_or("—".to_owned(), |_| format!("{} … {}", percent(low), percent(high))),
                percent(total.fees_share),
                total.rebalances.to_string(),
                format!("{:.1} %", 100.0 * total.in_range),
            ]
        })
        .collect();
    lines.push(format!("\nOn rounds that nothing before has read:\n{}\n", table(&head, &rows)));
    lines.push(format!("verdict       {miner} {}", verdict.text()));
    if let Some(trials) = done.trials {
        lines.push(format!("trials        {trials} policies were judged on these rounds so far"));
    }
    lines.push(format!("mode          {}: no reputation moves", done.mode));
    lines.join("\n")
}
