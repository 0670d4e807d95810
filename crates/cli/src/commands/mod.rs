//! The commands, one file per noun.

mod audit;
mod backtest;
mod control;
mod data;
mod demo;
mod doctor;
mod features;
mod job;
mod lp;
mod miner;
mod model;
mod pool;
mod quote;
mod remote;
mod run;
mod show;
mod signals;
mod stream;
mod tail;
mod train;
mod up;
mod walkforward;
mod work;
mod worker;

use std::path::PathBuf;

use assay_jobs::{JobError, Progress, Workspace};
use clap::Subcommand;

use crate::Global;
use crate::output::Console;

#[derive(Subcommand)]
pub enum Command {
    /// The whole life cycle on a bundled synthetic sample, or on real candles.
    Demo(demo::Demo),
    /// Candles and trades: import, fetch, list, check, resample.
    #[command(subcommand)]
    Data(data::Data),
    /// Feature tables.
    #[command(subcommand)]
    Features(features::Features),
    /// Train a policy, or search hyper-parameters.
    Train(train::Train),
    /// Training runs: list, show, compare.
    #[command(subcommand)]
    Run(run::RunCommand),
    /// Replay a run or a rule over candles, to the cent.
    Backtest(backtest::Backtest),
    /// Train and test on successive folds.
    Walkforward(walkforward::Walkforward),
    /// Signed signals.
    #[command(subcommand)]
    Signals(signals::Signals),
    /// Live streams of a running server: list, show, start, stop, resume, publish.
    Stream(stream::Stream),
    /// Recompute the equity hash from signals and candles alone.
    Audit(audit::Audit),
    /// An exact quote from a pool's state.
    Quote(quote::Quote),
    /// A pool's events through the exact engine.
    #[command(subcommand)]
    Pool(pool::Pool),
    /// Liquidity rounds: practice, backtests, and the audit of records.
    #[command(subcommand)]
    Lp(lp::Lp),
    /// A miner of liquidity rounds.
    #[command(subcommand)]
    Miner(miner::Miner),
    /// Whether this machine and this home are fit for work.
    Doctor(doctor::Doctor),
    /// Published models: publish, list, show, verify.
    #[command(subcommand)]
    Model(model::Model),
    /// Serve everything: the API, live streams, jobs.
    Up(up::Up),
    /// Stop everything that sends, at once and until it is resumed.
    Stop(control::Stop),
    /// Let sending go on after a stop.
    Resume(control::Resume),
    /// Open any run id, hash or content id.
    Show(show::Show),
    /// Scheduled jobs: list, show, cancel, resume.
    Job(job::Job),
    /// Take scheduled jobs and run them, each in a process of its own.
    Worker(worker::Worker),
    /// The process of one scheduled job.
    #[command(hide = true)]
    Work(work::Work),
}

/// Runs a command; `Ok(false)` means that a check ran and did not hold.
pub fn run(command: Command, global: &Global, progress: &dyn Progress, console: &Console<'_>) -> anyhow::Result<bool> {
    let threads = global.threads.map_or_else(available_threads, usize::from);
    let home = home(global)?;
    let command = match command {
        // Before the workspace, which makes the home: a home that cannot be made is a finding.
        Command::Doctor(command) => return command.run(&home, global.lake.clone(), progress, console),
        Command::Job(command) => return command.run(&home, global.dry_run, console).map(|()| true),
        Command::Worker(command) => return command.run(global, &home, threads).map(|()| true),
        Command::Stop(command) => return command.run(&home, global.dry_run, console).map(|()| true),
        Command::Resume(command) => return command.run(&home, global.dry_run, console).map(|()| true),
        Command::Signals(signals::Signals::Tail(command)) => return command.run(console).map(|()| true),
        Command::Stream(command) => return command.run(global.dry_run, console).map(|()| true),
        Command::Work(command) => {
            command.run(global, &home, threads);
            return Ok(true);
        }
        command => command,
    };
    let workspace = Workspace::open(&home, global.lake.as_deref(), progress, threads, global.dry_run)?;
    match command {
        Command::Demo(command) => command.run(&workspace, console).map(|()| true),
        Command::Data(command) => command.run(&workspace, console),
        Command::Features(command) => command.run(&workspace, console).map(|()| true),
        Command::Train(command) => command.run(&workspace, console).map(|()| true),
        Command::Run(command) => command.run(&workspace, console).map(|()| true),
        Command::Backtest(command) => command.run(&workspace, console).map(|()| true),
        Command::Walkforward(command) => command.run(&workspace, console).map(|()| true),
        Command::Signals(command) => command.run(&workspace, console).map(|()| true),
        Command::Audit(command) => command.run(&workspace, console),
        Command::Quote(command) => command.run(&workspace, console).map(|()| true),
        Command::Pool(command) => command.run(&workspace, console),
        Command::Lp(command) => command.run(&workspace, console),
        Command::Miner(command) => command.run(&workspace, console).map(|()| true),
        Command::Model(command) => command.run(&workspace, console),
        Command::Up(command) => command.run(global, &workspace, console).map(|()| true),
        Command::Show(command) => command.run(&workspace, console).map(|()| true),
        // These have a home, but no workspace.
        Command::Doctor(_)
        | Command::Job(_)
        | Command::Worker(_)
        | Command::Work(_)
        | Command::Stream(_)
        | Command::Stop(_)
        | Command::Resume(_) => Ok(true),
    }
}

fn available_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// `--home`, else `ASSAY_HOME` (clap reads it), else `.assay` in the user's home folder.
fn home(global: &Global) -> anyhow::Result<PathBuf> {
    if let Some(home) = &global.home {
        return Ok(home.clone());
    }
    match std::env::home_dir() {
        Some(home) if !home.as_os_str().is_empty() => Ok(home.join(".assay")),
        _ => {
            let text = "no home folder is known: pass --home DIR or set ASSAY_HOME";
            Err(JobError::Input(text.to_owned()).into())
        }
    }
}
