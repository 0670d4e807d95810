//! `assay lp …`

mod round;

use assay_server::Workspace;
use clap::Subcommand;

use crate::output::Console;

#[derive(Subcommand)]
pub enum Lp {
    /// Run evaluation rounds over recorded events: practice, no reputation moves.
    Round(round::Round),
}

impl Lp {
    /// `Ok(false)` when a record does not hold.
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        match self {
            Self::Round(command) => command.run(workspace, console).map(|()| true),
        }
    }
}
