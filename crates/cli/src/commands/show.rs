//! `assay show`

use assay_jobs::Workspace;
use assay_jobs::jobs::show::{Shown, show};
use clap::Args;

use super::run::print_run;
use crate::output::Console;

#[derive(Args)]
pub struct Show {
    /// Run id or its first digits, content id, or any hash.
    id: String,
}

impl Show {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let shown = show(workspace, &self.id)?;
        let text = match &shown {
            Shown::Run(run) => return print_run(run, console),
            Shown::Object { content_id, sha256, bytes, artefact_of, path } => {
                let mut lines = vec![
                    format!("object        {content_id}"),
                    format!("sha256        {sha256}"),
                    format!("size          {bytes} bytes"),
                    format!("file          {path}"),
                ];
                lines.extend(artefact_of.iter().map(|[run, name]| format!("artefact      {name} of run {run}")));
                lines.join("\n")
            }
            Shown::Pinned { hash, runs } => {
                let mut lines = vec![format!("hash          {hash}")];
                lines.extend(runs.iter().map(|[run, name]| format!("{name:<13} of run {run}")));
                lines.join("\n")
            }
        };
        console.answer(&shown, &text, "assay run show RUN")
    }
}
