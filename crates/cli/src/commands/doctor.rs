//! `assay doctor`

use std::path::Path;

use assay_jobs::jobs::doctor::{Doctor as Checks, Verdict};
use assay_jobs::{Endpoint, Home, JobError, Progress};
use clap::Args;

use crate::output::{Console, table};

/// Checks the machine and the home; exit code 3 when something fails.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Doctor {
    /// The platform database: a SQLite file, or postgres://… [default: HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<String>,
    /// The database of liquidity jobs [default: HOME/jobs.db].
    #[arg(long, value_name = "URL", env = "ASSAY_JOBS_DB", hide_env_values = true)]
    jobs_db: Option<String>,
    /// The chain's node; it may hold a key, so better set the variable.
    #[arg(long, value_name = "URL", env = "ASSAY_RPC_URL", hide_env_values = true)]
    rpc: Option<String>,
    /// Another address for the exchange that the clock is compared with.
    #[arg(long, value_name = "URL", env = "ASSAY_EXCHANGE_URL", hide = true)]
    exchange_url: Option<String>,
}

const EXAMPLES: &str = "\
Examples:
  assay doctor
  assay doctor --json";

impl Doctor {
    /// `Ok(false)` when something fails.
    pub fn run(
        self,
        home: &Path,
        lake: Option<String>,
        progress: &dyn Progress,
        console: &Console,
    ) -> anyhow::Result<bool> {
        let parse = |text: Option<String>| text.as_deref().map(str::parse).transpose().map_err(JobError::from);
        let checks = Checks {
            home: Home::at(home),
            lake,
            platform: parse(self.database)?,
            liquidity: parse(self.jobs_db)?,
            rpc: self.rpc.as_deref().map(Endpoint::parse).transpose().map_err(JobError::from)?,
            exchange_url: self.exchange_url,
            progress,
        };
        let diagnosis = checks.run();
        let rows: Vec<Vec<String>> = diagnosis
            .lines
            .iter()
            .map(|line| {
                let verdict = match line.verdict {
                    Verdict::Ok => "ok",
                    Verdict::Warning => "warning",
                    Verdict::Fail => "FAIL",
                };
                vec![
                    verdict.to_owned(),
                    line.check.to_owned(),
                    line.found.clone(),
                    line.fix.clone().unwrap_or_default(),
                ]
            })
            .collect();
        let worst = diagnosis.lines.iter().filter(|line| line.fix.is_some()).max_by_key(|line| line.verdict);
        let next = worst.and_then(|line| line.fix.clone()).unwrap_or_else(|| "assay up".to_owned());
        console.answer(&diagnosis, &table(&["", "check", "found", "mend with"], &rows), &next)?;
        Ok(diagnosis.healthy)
    }
}
