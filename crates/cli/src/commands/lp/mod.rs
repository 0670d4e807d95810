//! `assay lp …`

mod backtest;
mod job;
mod practice;
mod round;
mod train;
mod verify;

use assay_server::Workspace;
use clap::Subcommand;

use crate::output::Console;

pub use round::scores;

#[derive(Subcommand)]
pub enum Lp {
    /// Jobs: the pools, budgets and rules of rounds.
    #[command(subcommand)]
    Job(job::Job),
    /// Run evaluation rounds over recorded events: practice, no reputation moves.
    Round(round::Round),
    /// Recompute a round's record: its arithmetic alone, or the whole round with --events.
    Verify(verify::Verify),
    /// Try one miner on recorded rounds and see what became of each answer.
    Practice(practice::Practice),
    /// One miner over a whole history, and every built-in strategy over its last day.
    Backtest(backtest::Backtest),
    /// Train a miner on a pool's history and judge it on rounds that it has not seen.
    Train(train::Train),
}

impl Lp {
    /// `Ok(false)` when a record does not hold.
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        match self {
            Self::Job(command) => command.run(console).map(|()| true),
            Self::Round(command) => command.run(workspace, console).map(|()| true),
            Self::Verify(command) => command.run(workspace, console),
            Self::Practice(command) => command.run(workspace, console).map(|()| true),
            Self::Backtest(command) => command.run(workspace, console).map(|()| true),
            Self::Train(command) => command.run(workspace, console).map(|()| true),
        }
    }
}
