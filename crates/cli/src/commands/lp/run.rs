//! `assay lp run`

use assay_jobs::jobs::lp::run::{ApiKey, ExecutorChoice, RunRequest};
use assay_jobs::{JobError, Workspace};
use clap::Args;

use super::{JobsDatabase, location};
use crate::output::Console;

#[derive(Args)]
pub struct Run {
    #[command(flatten)]
    jobs: JobsDatabase,
    /// A SQLite file, or postgres://… that the indexer fills [default: HOME/pool-events.db].
    #[arg(long, value_name = "URL", env = "ASSAY_POOL_EVENTS", hide_env_values = true)]
    events_db: Option<String>,
    /// Only this job; repeatable [default: all active jobs].
    #[arg(long, value_name = "ID")]
    job: Vec<String>,
    /// Who acts in live rounds: paper, or the address of an executor service [default: nobody].
    #[arg(long, value_name = "paper|URL")]
    executor: Option<String>,
    /// Public key of the executor service.
    #[arg(long, value_name = "KEY")]
    executor_key: Option<String>,
}

/// What the executor service wants in its header.
const API_KEY: &str = "ASSAY_EXECUTOR_API_KEY";
/// Secret of the sr25519 key for miners on the v10 axon wire, 64 hexadecimal digits.
const AXON_SECRET: &str = "ASSAY_AXON_SECRET";

impl Run {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let request = RunRequest {
            jobs_db: self.jobs.location()?,
            events_db: location(self.events_db.as_deref())?,
            executor: executor(self.executor, self.executor_key)?,
            jobs: self.job.into_iter().collect(),
            axon_secret: axon_secret()?,
        };
        let ran = request.run(workspace)?;
        let text = [
            format!("validator     {}", ran.validator),
            format!("jobs          {}", ran.jobs_db),
            format!("events        {}", ran.events_db),
            format!("rounds        {} begun, {} stored, {} did not count", ran.started, ran.stored, ran.failed),
        ];
        console.answer(&ran, &text.join("\n"), "assay lp scores JOB")
    }
}

fn executor(choice: Option<String>, key: Option<String>) -> Result<ExecutorChoice, JobError> {
    let input = |text: String| JobError::Input(text);
    match choice.as_deref() {
        None => Ok(ExecutorChoice::None),
        Some("paper") => Ok(ExecutorChoice::Paper),
        Some(url) => {
            let key =
                key.ok_or_else(|| input(format!("--executor {url}: give the service's --executor-key KEY too")))?;
            let secret = std::env::var(API_KEY)
                .map_err(|_| input(format!("--executor {url}: set {API_KEY} to the service's API key")))?;
            let api_key = ApiKey::new(&secret).map_err(|error| input(format!("{API_KEY}: {error}")))?;
            Ok(ExecutorChoice::Service { url: url.to_owned(), key, api_key })
        }
    }
}

fn axon_secret() -> Result<Option<[u8; 32]>, JobError> {
    let Ok(text) = std::env::var(AXON_SECRET) else { return Ok(None) };
    let fail = || JobError::Input(format!("{AXON_SECRET} is not 64 hexadecimal digits"));
    if text.len() != 64 || !text.is_ascii() {
        return Err(fail());
    }
    let mut secret = [0; 32];
    for (index, byte) in secret.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| fail())?;
    }
    Ok(Some(secret))
}
