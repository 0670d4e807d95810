//! `assay run …`

use assay_jobs::Workspace;
use assay_jobs::jobs::runs::{Compared, Difference, RunLine, RunShown, compare_runs, list_runs, short_id, show_run};
use assay_jobs::time_text::format_utc;
use clap::Subcommand;
use serde_json::Value;

use crate::output::{Console, table};

#[derive(Subcommand)]
pub enum RunCommand {
    /// Every run, newest first.
    List,
    /// One run: config, hashes, artefacts, metrics.
    Show {
        /// Run id, or the first digits of it.
        run: String,
    },
    /// Two runs side by side.
    Compare {
        /// Run id, or the first digits of it.
        a: String,
        /// Run id, or the first digits of it.
        b: String,
    },
}

impl RunCommand {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        match self {
            Self::List => print_list(&list_runs(workspace)?, console),
            Self::Show { run } => print_run(&show_run(workspace, &run)?, console),
            Self::Compare { a, b } => print_comparison(&compare_runs(workspace, &a, &b)?, console),
        }
    }
}

fn print_list(runs: &[RunLine], console: &Console) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = runs
        .iter()
        .map(|RunLine { summary: run, state }| {
            vec![
                short_id(&run.run_id).to_owned(),
                (*state).to_owned(),
                run.algorithm.clone(),
                run.dataset.clone(),
                run.seed.to_string(),
                run.timesteps.to_string(),
                run.final_equity.clone().unwrap_or_else(|| "—".to_owned()),
                format_utc(run.created_at_ms),
            ]
        })
        .collect();
    let head = ["run", "state", "algorithm", "dataset", "seed", "steps", "test equity", "created"];
    let text = if rows.is_empty() { "no runs yet".to_owned() } else { table(&head, &rows) };
    let next = if rows.is_empty() { "assay demo" } else { "assay run show RUN" };
    console.answer(&runs, &text, next)
}

pub fn print_run(run: &RunShown, console: &Console) -> anyhow::Result<()> {
    let RunLine { summary, state } = &run.line;
    let mut lines = vec![
        format!("run           {}", summary.run_id),
        format!("state         {state} ({} steps, attempt {})", summary.timesteps, summary.attempts),
        format!("folder        {}", run.path),
    ];
    if let Some(pins) = &run.pins {
        lines.push(format!("config_hash   {}", pins.config_hash));
        lines.push(format!("data_hash     {}", pins.data_hash));
        lines.push(format!("feature_hash  {}", pins.feature_hash));
    }
    let optional = |name: &str, value: &Option<String>| value.as_ref().map(|value| format!("{name:<13} {value}"));
    lines.extend(optional("weights_hash", &summary.weights_hash));
    lines.extend(optional("equity_hash", &summary.equity_hash));
    lines.extend(optional("test equity", &summary.final_equity));
    lines.push(format!("config        {}", run.config));
    if let Some(metrics) = run.evaluation["metrics"].as_object() {
        lines.push("test metrics".to_owned());
        let numbers = metrics.iter().filter(|(name, _)| *name != "reasons");
        lines.extend(numbers.map(|(name, value)| format!("  {name:<28} {}", number(value))));
    }
    if let Some(artefacts) = run.artefacts.as_object() {
        lines.push("artefacts".to_owned());
        lines.extend(artefacts.iter().map(|(name, cid)| format!("  {name:<22} {}", cid.as_str().unwrap_or("—"))));
    }
    let next = match *state {
        "done" => format!("assay signals replay {} --out signals.jsonl", short_id(&summary.run_id)),
        "interrupted" => "assay train … --resume".to_owned(),
        _ => "assay run list".to_owned(),
    };
    console.answer(run, &lines.join("\n"), &next)
}

fn print_comparison(compared: &Compared, console: &Console) -> anyhow::Result<()> {
    let [a, b] = &compared.run_ids;
    let row = |d: &Difference| vec![d.name.clone(), number(&d.a), number(&d.b)];
    let head = ["", short_id(a), short_id(b)];
    let mut parts = Vec::new();
    if compared.config.is_empty() {
        parts.push("the configs are the same".to_owned());
    } else {
        parts.push(table(&head, &compared.config.iter().map(row).collect::<Vec<_>>()));
    }
    let metrics: Vec<_> = compared.metrics.iter().filter(|d| d.name != "reasons").map(row).collect();
    if !metrics.is_empty() {
        parts.push(table(&head, &metrics));
    }
    parts.push(format!("weights {}", if compared.same_weights { "are the same" } else { "differ" }));
    console.answer(compared, &parts.join("\n\n"), "assay run show RUN")
}

/// A number with six digits after the point at most; a dash for nothing.
fn number(value: &Value) -> String {
    match value {
        Value::Null => "—".to_owned(),
        Value::Number(number) if number.is_f64() => format!("{:.6}", number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
