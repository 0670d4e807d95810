//! The one binary `assay`: arguments in, a job, an answer out, an exit code.
//!
//! Data go to standard output, progress to standard error. Exit codes: 0 done,
//! 1 failed, 2 bad usage or bad input, 3 a check did not hold.

#![allow(clippy::disallowed_methods, reason = "an edge: arguments, environment, clock and terminal")]

mod commands;
mod output;
mod progress;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use assay_jobs::{ErrorKind, JobError};
use clap::{Parser, error::ErrorKind as UsageErrorKind};

use crate::commands::Command;
use crate::output::Console;

const EXIT_FAILED: u8 = 1;
const EXIT_BAD_INPUT: u8 = 2;
const EXIT_CHECK_FAILED: u8 = 3;

/// Trading strategies prove themselves before money follows them.
#[derive(Parser)]
#[command(name = "assay", version, max_term_width = 100, propagate_version = true, after_help = EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
First steps:
  assay demo                                   the whole life cycle on a bundled sample
  assay data import FILE --exchange binance --symbol BTC-USDT --timeframe 1h
  assay train --set dataset=binance/BTC-USDT/1h --set allow_gaps=true
  assay run list

Exit codes: 0 done, 1 failed, 2 bad usage or bad input, 3 a check did not hold.";

/// Flags that every command takes, before or after its name.
#[derive(clap::Args, Clone)]
struct Global {
    /// Folder for all local state.
    #[arg(long, global = true, value_name = "DIR", env = "ASSAY_HOME", help_heading = "Global options")]
    home: Option<PathBuf>,
    /// Where candles and trades are: a folder, or s3://BUCKET/PREFIX with the standard
    /// AWS_* variables [default: the lake folder of the home].
    #[arg(long, global = true, value_name = "URL", env = "ASSAY_LAKE", help_heading = "Global options")]
    lake: Option<String>,
    /// Print the answer as JSON, and progress as JSON lines.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Show what would be done and write nothing.
    #[arg(long, global = true, help_heading = "Global options")]
    dry_run: bool,
    /// Worker threads; the result does not depend on it.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256), help_heading = "Global options")]
    threads: Option<u16>,
    /// No progress.
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
}

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => return usage(&error),
    };
    let progress = progress::progress(arguments.global.json, arguments.global.quiet);
    let console = Console::new(arguments.global.json, progress.as_ref());
    match commands::run(arguments.command, &arguments.global, progress.as_ref(), &console) {
        Ok(check_held) => ExitCode::from(if check_held { 0 } else { EXIT_CHECK_FAILED }),
        Err(error) => {
            let code = exit_code(&error);
            console.error(&error, code);
            ExitCode::from(code)
        }
    }
}

/// Prints help, the version, or what is wrong with the arguments.
fn usage(error: &clap::Error) -> ExitCode {
    // Nothing is left to do when even the message cannot be printed.
    if matches!(error.kind(), UsageErrorKind::DisplayHelp | UsageErrorKind::DisplayVersion) {
        let _ = error.print();
        return ExitCode::SUCCESS;
    }
    // The arguments did not parse, so whether JSON is wanted is looked up by hand.
    if std::env::args_os().any(|argument| argument == "--json") {
        let line = serde_json::json!({ "error": error.to_string().trim(), "exit_code": EXIT_BAD_INPUT });
        let _ = writeln!(std::io::stderr(), "{line}");
    } else {
        let _ = error.print();
    }
    ExitCode::from(EXIT_BAD_INPUT)
}

/// The exit code that fits `error`.
fn exit_code(error: &anyhow::Error) -> u8 {
    match error.downcast_ref::<JobError>().map(JobError::kind) {
        Some(ErrorKind::BadInput) => EXIT_BAD_INPUT,
        Some(ErrorKind::CheckFailed) => EXIT_CHECK_FAILED,
        Some(ErrorKind::Failed) | None => EXIT_FAILED,
    }
}
