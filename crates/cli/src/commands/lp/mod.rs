//! `assay lp …`

mod backtest;
mod job;
mod miner;
mod practice;
mod round;
mod run;
mod standings;
mod train;
mod verify;
mod weights;

use std::path::PathBuf;

use assay_jobs::jobs::lp::registry::Registry;
use assay_jobs::report::{PageFile, Tokens};
use assay_jobs::{DatabaseLocation, JobError, Workspace};
use clap::{Args, Subcommand};

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
    /// The miners that the validator asks.
    #[command(subcommand)]
    Miner(miner::Miner),
    /// Run the validator: follow the chain, ask the miners, keep records and reputation.
    Run(run::Run),
    /// What the miners of a job have earned, and what they lack to go live.
    Scores(standings::Scores),
    /// Train a miner on a pool's history and judge it on rounds that it has not seen.
    Train(train::Train),
    /// What each miner is worth: the top eligible one of each job.
    Weights(weights::Weights),
}

/// The page that a command writes.
#[derive(Args)]
pub struct Page {
    /// Write a self-contained HTML page: of the round, the last of the rounds, or the miner over all.
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Symbols and decimals for the page, as in WETH:18,USDC:6; smallest units without it.
    #[arg(long, value_name = "LIST", requires = "report")]
    tokens: Option<Tokens>,
}

impl Page {
    fn file(self) -> Option<PageFile> {
        let tokens = self.tokens.unwrap_or_default();
        self.report.map(|path| PageFile { path, tokens })
    }
}

/// The jobs database of a command.
#[derive(Args)]
pub struct JobsDatabase {
    /// A SQLite file, or postgres://… [default: HOME/jobs.db].
    #[arg(long, value_name = "URL", env = "ASSAY_JOBS_DB", hide_env_values = true)]
    jobs_db: Option<String>,
}

impl JobsDatabase {
    fn location(&self) -> Result<Option<DatabaseLocation>, JobError> {
        location(self.jobs_db.as_deref())
    }

    fn registry<'a>(&self, workspace: &'a Workspace<'a>) -> Result<Registry<'a>, JobError> {
        Ok(Registry::new(workspace, self.location()?))
    }
}

fn location(text: Option<&str>) -> Result<Option<DatabaseLocation>, JobError> {
    Ok(text.map(str::parse).transpose()?)
}

impl Lp {
    /// `Ok(false)` when a record does not hold.
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        match self {
            Self::Job(command) => command.run(workspace, console).map(|()| true),
            Self::Round(command) => command.run(workspace, console).map(|()| true),
            Self::Verify(command) => command.run(workspace, console),
            Self::Practice(command) => command.run(workspace, console).map(|()| true),
            Self::Backtest(command) => command.run(workspace, console).map(|()| true),
            Self::Miner(command) => command.run(workspace, console).map(|()| true),
            Self::Run(command) => command.run(workspace, console).map(|()| true),
            Self::Scores(command) => command.run(workspace, console).map(|()| true),
            Self::Weights(command) => command.run(workspace, console).map(|()| true),
            Self::Train(command) => command.run(workspace, console).map(|()| true),
        }
    }
}
