//! `assay signals …`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::runs::LoadedRun;
use assay_jobs::jobs::signals::{replay_signals, write_signals};
use clap::Subcommand;

use crate::output::Console;

#[derive(Subcommand)]
pub enum Signals {
    /// Drive a run's policy over its test split and sign what it says.
    Replay {
        /// Run id, or the first digits of it.
        run: String,
        /// Signal file to write; without it the file goes to standard output.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Print a model's signals from a running server, one JSON line each, as they are stored.
    Tail(super::tail::Tail),
}

impl Signals {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        // Following a server needs no workspace and is run without one.
        let Self::Replay { run, out } = self else { return Ok(()) };
        let run = LoadedRun::load(workspace, &run)?;
        let replayed = replay_signals(workspace, &run)?;
        let Some(out) = out else {
            return console.raw(&replayed.text);
        };
        if !workspace.dry_run {
            write_signals(&out, &replayed)?;
        }
        let verb = if workspace.dry_run { "would sign" } else { "signed" };
        let text = format!(
            "{verb} {} signals ({} changes) of {}, {} … {}\n  model_id    {}\n  public_key  {}\n  equity_hash {}\n  file        {}",
            replayed.signals,
            replayed.changes,
            run.config.dataset,
            replayed.period[0],
            replayed.period[1],
            replayed.model_id,
            replayed.public_key,
            replayed.equity_hash,
            out.display()
        );
        let next = format!("assay audit {} --dataset {}", out.display(), run.config.dataset);
        console.answer(&replayed, &text, &next)
    }
}
