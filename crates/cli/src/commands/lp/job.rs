//! `assay lp job …`

use std::path::PathBuf;

use assay_jobs::Workspace;
use assay_jobs::jobs::lp::job_file::read_job;
use assay_jobs::jobs::lp::registry::JobShown;
use clap::Subcommand;

use super::JobsDatabase;
use crate::output::{Console, table};

#[derive(Subcommand)]
pub enum Job {
    /// Check a job file and show it with all defaults filled in.
    Check {
        /// The job file, TOML or JSON.
        file: PathBuf,
    },
    /// Store a job for the validator, or its new rules.
    Add {
        /// The job file, TOML or JSON.
        file: PathBuf,
        #[command(flatten)]
        database: JobsDatabase,
    },
    /// The stored jobs.
    List {
        #[command(flatten)]
        database: JobsDatabase,
    },
    /// A stored job with all its rules.
    Show {
        /// Name of the job.
        job: String,
        #[command(flatten)]
        database: JobsDatabase,
    },
    /// Start no new rounds of a job.
    Stop {
        /// Name of the job.
        job: String,
        #[command(flatten)]
        database: JobsDatabase,
    },
}

impl Job {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        match self {
            Self::Check { file } => {
                let job = read_job(&file)?;
                let head = format!("job           {}: every field can be used", job.job_id);
                let next = format!("assay lp round {} --events FILE --miners all", file.display());
                console.answer(&job, &text(&job, head), &next)
            }
            Self::Add { file, database } => {
                let shown = database.registry(workspace)?.add_job(&file)?;
                let (name, state) = (&shown.job.job_id, state(&shown));
                let head = format!(
                    "job           {name} is stored, {state}; a validator that runs it takes new rules at its next start"
                );
                console.answer(&shown, &text(&shown.job, head), "assay lp miner add KEY URL")
            }
            Self::List { database } => {
                let jobs = database.registry(workspace)?.jobs()?;
                let rows: Vec<Vec<String>> = jobs
                    .iter()
                    .map(|shown| {
                        let job = &shown.job;
                        let duration = format!("{} s", job.round_duration_seconds);
                        vec![
                            job.job_id.clone(),
                            state(shown).to_owned(),
                            job.pool.kind.to_string(),
                            job.pair_address.clone(),
                            duration,
                        ]
                    })
                    .collect();
                let list = table(&["job", "state", "kind", "pool", "rounds of"], &rows);
                let text = if rows.is_empty() { "no jobs yet".to_owned() } else { list };
                console.answer(&jobs, &text, if jobs.is_empty() { "assay lp job add FILE" } else { "assay lp run" })
            }
            Self::Show { job, database } => {
                let shown = database.registry(workspace)?.job(&job)?;
                let head = format!("job           {}, {}", shown.job.job_id, state(&shown));
                console.answer(&shown, &text(&shown.job, head), &format!("assay lp scores {job}"))
            }
            Self::Stop { job, database } => {
                let shown = database.registry(workspace)?.stop_job(&job)?;
                let text = format!("{job} starts no new rounds; the one in progress ends as usual");
                console.answer(&shown, &text, "assay lp job list")
            }
        }
    }
}

const fn state(shown: &JobShown) -> &'static str {
    if shown.is_active { "active" } else { "stopped" }
}

fn text(job: &assay_jobs::jobs::lp::registry::Rules, head: String) -> String {
    let limits = &job.constraints;
    let lines = [
        head,
        format!("pool          {} on chain {}, {}", job.pool.kind, job.chain_id, job.pair_address),
        format!("inventory     {} units of token 0 / token 1", job.inventory),
        format!("rounds        of {} s from {} s on", job.round_duration_seconds, job.genesis),
        format!(
            "checkpoints   every {} blocks, answers within {} s",
            job.evaluation_interval_blocks, job.answer_seconds
        ),
        format!(
            "limits        {} positions of at least {} ticks, {} rebalances, {} millionths lost",
            limits.max_positions, limits.min_tick_width, limits.max_rebalances, limits.max_il_ppm
        ),
    ];
    lines.join("\n")
}
