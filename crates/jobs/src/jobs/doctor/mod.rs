//! Whether this machine and this home are fit for work: one line per check, each with the one
//! command that mends it. Nothing is made, changed or sent on the way.

mod chain;
mod clock;
mod contracts;
mod database;
mod disk;
mod gpu;
mod keys;
mod lake;
mod onnx;
mod relay;
mod server;
mod stop;

pub use server::SERVER_ADDRESS;

use assay_chain::Endpoint;
use assay_store::Home;
use assay_store::database::DatabaseLocation;
use serde::Serialize;

use crate::progress::Progress;

/// What to look at.
pub struct Doctor<'a> {
    /// The home folder, whether it is there or not.
    pub home: Home,
    /// The lake: a folder or `s3://BUCKET/PREFIX`; `None` for the lake folder of the home.
    pub lake: Option<String>,
    /// The platform database; `None` for the file in the home.
    pub platform: Option<DatabaseLocation>,
    /// The database of liquidity jobs; `None` for the file in the home.
    pub liquidity: Option<DatabaseLocation>,
    /// The chain's node, if one is configured.
    pub rpc: Option<Endpoint>,
    /// Another address for the exchange that the clock is compared with.
    pub exchange_url: Option<String>,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Nothing to do.
    Ok,
    /// Work goes on, but someone should look.
    Warning,
    /// Something will not work.
    Fail,
}

/// One check.
#[derive(Debug, Clone, Serialize)]
pub struct Line {
    /// What was checked.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// What was found.
    pub found: String,
    /// The command that mends it; `None` where nothing needs mending.
    pub fix: Option<String>,
}

impl Line {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Ok, found: found.into(), fix: None }
    }

    fn warning(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Warning, found: found.into(), fix: Some(fix.into()) }
    }

    fn fail(check: &'static str, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { check, verdict: Verdict::Fail, found: found.into(), fix: Some(fix.into()) }
    }
}

/// All checks.
#[derive(Debug, Clone, Serialize)]
pub struct Diagnosis {
    /// Whether nothing fails.
    pub healthy: bool,
    /// The checks, in a fixed order.
    pub lines: Vec<Line>,
}

/// The checks, in the order of their lines.
const CHECKS: [fn(&Doctor<'_>) -> Line; 13] = [
    disk::writable,
    disk::space,
    clock::check,
    lake::check,
    keys::check,
    database::platform,
    database::liquidity,
    chain::check,
    relay::check,
    contracts::check,
    gpu::check,
    onnx::check,
    stop::check,
];

impl Doctor<'_> {
    /// Makes every check.
    #[must_use]
    pub fn run(&self) -> Diagnosis {
        let mut lines: Vec<Line> = CHECKS.iter().map(|check| check(self)).collect();
        lines.push(server::check(self));
        Diagnosis { healthy: lines.iter().all(|line| line.verdict != Verdict::Fail), lines }
    }
}
