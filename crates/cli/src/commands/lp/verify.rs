//! `assay lp verify`

use std::path::PathBuf;

use assay_jobs::jobs::lp::block_clock::BlockClock;
use assay_jobs::jobs::lp::events::Source;
use assay_jobs::jobs::lp::verify::{Verified, VerifyRequest};
use assay_jobs::{Hash, Workspace};
use clap::Args;

use super::{JobsDatabase, Page};
use crate::output::Console;

#[derive(Args)]
pub struct Verify {
    /// A record's file, the first digits of its hash, or the id of a round in the home's files
    /// or the validator's database.
    round: String,
    /// The hash that the record must have, when the file's name does not say.
    #[arg(long, value_name = "SHA256")]
    hash: Option<Hash>,
    /// The pool's events, to run the whole round once more from the recorded answers.
    #[arg(long, value_name = "FILE")]
    events: Option<PathBuf>,
    /// A block, its time in seconds since 1970 and the seconds from block to block; known for chains 10 and 8453.
    #[arg(long, value_name = "NUMBER@SECONDS+STEP", requires = "events")]
    block_clock: Option<BlockClock>,
    /// Square-root price before the first event as a 64.96-bit integer; not needed when that is `initialize`.
    #[arg(long, value_name = "X96", requires = "events")]
    sqrt_price: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    database: JobsDatabase,
}

impl Verify {
    /// `Ok(false)` when the record does not hold.
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        let (block_clock, sqrt_price) = (self.block_clock, self.sqrt_price);
        let source = self.events.map(|events| Source { events, block_clock, sqrt_price });
        let re_executes = source.is_some();
        let done = VerifyRequest {
            round: self.round,
            hash: self.hash,
            source,
            jobs_db: self.database.location()?,
            report: self.page.file(),
        }
        .run(workspace)?;
        let next = match (done.held, re_executes) {
            (true, false) => "the same with --events FILE runs the whole round once more",
            (true, true) => "",
            (false, _) => "the record was changed or made by other rules: trust none of its numbers",
        };
        console.answer(&done, &text(&done), next)?;
        Ok(done.held)
    }
}

fn text(done: &Verified) -> String {
    let mut lines = vec![
        format!("record        {}", done.record),
        format!("round         {} ({}), {} miners", done.round_id, done.mode, done.miners),
        format!("record_hash   {}", done.record_hash),
    ];
    lines.extend(done.checks.iter().map(|check| {
        let verdict = if check.held { "holds" } else { "DOES NOT HOLD" };
        format!("{:<13} {verdict}: {}", check.name, check.text)
    }));
    lines.extend(done.report.iter().map(|path| format!("report        {path}")));
    lines.join("\n")
}
