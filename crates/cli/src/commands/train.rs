//! `assay train`

use std::path::PathBuf;

use assay_jobs::jobs::runs::short_id;
use assay_jobs::jobs::search::{Search, Searched};
use assay_jobs::jobs::train::{Train as Job, Trained};
use assay_jobs::report::{or_dash, percent};
use assay_jobs::{Workspace, read_config};
use clap::Args;
use serde_json::Value;

use crate::output::{Console, table};

/// The algorithm when the config names none.
const DEFAULT_ALGORITHM: &str = "ppo";

#[derive(Args)]
pub struct Train {
    /// JSON or TOML file; missing keys take the algorithm's defaults.
    config: Option<PathBuf>,
    /// A config key, such as dataset=binance/BTC-USDT/1h or n_steps=512; wins over the file.
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Seed; wins over the config.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    seed: Option<u64>,
    /// Go on from the last checkpoint of an interrupted run.
    #[arg(long, conflicts_with = "again")]
    resume: bool,
    /// Train a finished run again and check that the weights are the same.
    #[arg(long)]
    again: bool,
    /// Search hyper-parameters with N trials, judged on the validation split only.
    #[arg(long, value_name = "N", conflicts_with_all = ["resume", "again"])]
    search: Option<u32>,
}

/// `config`, with the default algorithm if it names none.
pub fn with_default_algorithm(mut config: Value) -> Value {
    if config["algorithm"].is_null() {
        config["algorithm"] = DEFAULT_ALGORITHM.into();
    }
    config
}

impl Train {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let mut config = with_default_algorithm(read_config(self.config.as_deref(), &self.set)?);
        if let Some(seed) = self.seed {
            config["seed"] = seed.into();
        }
        if let Some(trials) = self.search {
            return print_search(&Search { config, trials }.run(workspace)?, console);
        }
        let done = Job { config, resume: self.resume, asked: true, again: self.again }.run(workspace)?;
        let next = if done.dry_run {
            "the same without --dry-run".to_owned()
        } else {
            format!("assay backtest {} --out report", short_id(&done.run_id))
        };
        console.answer(&done, &text(&done), &next)
    }
}

fn print_search(done: &Searched, console: &Console) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = done
        .trials
        .iter()
        .map(|trial| {
            let keys: Vec<String> = trial.keys.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let mark = if Some(trial.number) == done.best { "best" } else { "" };
            vec![
                trial.number.to_string(),
                or_dash(trial.validation_return, percent),
                trial.outcome.clone(),
                mark.to_owned(),
                keys.join(" ").replace('"', ""),
            ]
        })
        .collect();
    let verb = if done.run.is_some() { "recorded" } else { "would be recorded" };
    let mut parts =
        vec![table(&["trial", "validation", "outcome", "", "keys"], &rows), format!("{verb} in {}", done.record)];
    let mut next = "the same without --dry-run".to_owned();
    if let Some(run) = &done.run {
        parts.push(format!("the best config as a run:\n{}", text(run)));
        next = format!("assay backtest {} --out report", short_id(&run.run_id));
    }
    console.answer(done, &parts.join("\n\n"), &next)
}

fn text(done: &Trained) -> String {
    let mut lines = vec![
        format!("run           {}{}", done.run_id, if done.dry_run { " (dry run: nothing trained)" } else { "" }),
        format!("dataset       {}", done.dataset),
        format!("config_hash   {}", done.config_hash),
        format!("data_hash     {}", done.data_hash),
        format!("feature_hash  {}", done.feature_hash),
    ];
    if let Some(hash) = done.weights_hash {
        lines.push(format!("weights_hash  {hash}"));
    }
    if let Some(rate) = done.steps_per_second {
        lines.push(format!("trained       {} steps, {rate:.0} a second", done.timesteps));
    }
    if let (Some(score), Some(at)) = (done.validation_return, done.chosen_at) {
        lines.push(format!("validation    {} at step {at} (the checkpoint that was chosen)", percent(score)));
    }
    if let Some(evaluation) = &done.judged {
        let get = |name: &str| or_dash(evaluation.metrics.get(name), percent);
        lines.push(format!("equity_hash   {}", evaluation.equity_hash));
        lines.push(format!(
            "test          {} against {} of buy-and-hold, max drawdown {}, final equity {}",
            get("total_return"),
            get("buy_and_hold_return"),
            get("max_drawdown"),
            evaluation.final_equity
        ));
    }
    lines.push(format!("folder        {}", done.path));
    lines.join("\n")
}
