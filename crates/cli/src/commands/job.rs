//! `assay job …`

use std::path::Path;

use assay_jobs::time_text::format_utc;
use assay_jobs::{DatabaseLocation, JobError};
use assay_store::database::{DatabaseError, JobFilter, JobStatus, PlatformDatabase, ScheduledJob};
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use crate::output::{Console, table};

/// Unfinished jobs of one user; as the server's default.
const QUOTA: u32 = 100;

/// Scheduled jobs of the home's server.
#[derive(Args)]
pub struct Job {
    /// The platform database: a SQLite file or postgres://USER@HOST/DATABASE [default:
    /// platform.db in the home].
    #[arg(long, global = true, value_name = "DATABASE", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<DatabaseLocation>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Jobs, newest first.
    List {
        /// Those with this status alone: queued, running, cancelling, cancelled, failed, done.
        #[arg(long, value_name = "STATUS")]
        status: Option<JobStatus>,
        /// How many at most.
        #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
    },
    /// One job with its request, progress and result.
    Show {
        /// Job id, or the first digits of it.
        job: String,
    },
    /// End a job; it keeps its last checkpoint.
    Cancel {
        /// Job id, or the first digits of it.
        job: String,
    },
    /// Queue a cancelled or failed job again; it goes on from what it kept.
    Resume {
        /// Job id, or the first digits of it.
        job: String,
    },
}

/// The platform database of a home, unless another one is given.
pub fn platform(home: &Path, given: Option<DatabaseLocation>) -> DatabaseLocation {
    given.unwrap_or_else(|| DatabaseLocation::Sqlite(home.join("platform.db")))
}

impl Job {
    pub fn run(self, home: &Path, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let database = PlatformDatabase::open(&platform(home, self.database)).await.map_err(JobError::from)?;
            let answered = self.verb.run(&database, is_dry, console).await;
            database.close().await;
            answered
        })
    }
}

impl Verb {
    async fn run(self, database: &PlatformDatabase, is_dry: bool, console: &Console<'_>) -> anyhow::Result<()> {
        let now = assay_server::now_ms();
        match self {
            Self::List { status, limit } => {
                let filter = JobFilter { status, ..JobFilter::default() };
                let jobs = database.jobs(&filter, None, limit).await.map_err(JobError::from)?;
                print_list(&jobs, console)
            }
            Self::Show { job } => print_job(&find(database, &job).await?, "assay job list", console),
            Self::Cancel { job } => {
                let mut job = find(database, &job).await?;
                if !is_dry {
                    job = database.cancel_job(&job.job_id, now).await.map_err(JobError::from)?;
                }
                print_job(&job, &format!("assay job resume {}", job.job_id), console)
            }
            Self::Resume { job } => {
                let mut job = find(database, &job).await?;
                if !is_dry {
                    job = database.resume_job(&job.job_id, QUOTA, now).await.map_err(JobError::from)?;
                }
                print_job(&job, &format!("assay job show {}", job.job_id), console)
            }
        }
    }
}

/// The one job whose id begins with `prefix`.
async fn find(database: &PlatformDatabase, prefix: &str) -> Result<ScheduledJob, JobError> {
    let mut found = database.jobs_by_prefix(&prefix.to_ascii_lowercase(), 2).await?;
    match (found.pop(), found.pop()) {
        (Some(job), None) if !prefix.is_empty() => Ok(job),
        (Some(_), _) => Err(JobError::Input(format!("job `{prefix}` fits several jobs; give more digits"))),
        _ => Err(DatabaseError::UnknownJob { job_id: prefix.to_owned() }.into()),
    }
}

fn value(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

fn shown(job: &ScheduledJob) -> Value {
    json!({
        "job_id": job.job_id,
        "kind": job.kind,
        "owner": job.owner,
        "status": job.status.name(),
        "attempts": job.attempts,
        "progress": value(job.progress.as_deref()),
        "error": value(job.error.as_deref()),
        "created_at": format_utc(job.created_at),
        "started_at": job.started_at.map(format_utc),
        "finished_at": job.finished_at.map(format_utc),
        "request": value(Some(&job.request)),
        "result": value(job.result.as_deref()),
    })
}

fn print_list(jobs: &[ScheduledJob], console: &Console) -> anyhow::Result<()> {
    let row = |job: &ScheduledJob| {
        let progress = value(job.progress.as_deref());
        let percent = progress["percent"].as_f64().map_or_else(|| "—".to_owned(), |percent| format!("{percent:.0} %"));
        let stage = progress["stage"].as_str().unwrap_or("—").to_owned();
        let words = value(job.error.as_deref())["message"].as_str().unwrap_or_default().to_owned();
        let (id, kind, status) = (job.job_id[..12].to_owned(), job.kind.clone(), job.status.name().to_owned());
        vec![id, kind, status, percent, stage, format_utc(job.created_at), words]
    };
    let head = ["job", "kind", "status", "progress", "stage", "submitted", ""];
    let text = match jobs {
        [] => "no jobs".to_owned(),
        jobs => table(&head, &jobs.iter().map(row).collect::<Vec<_>>()),
    };
    let values: Vec<Value> = jobs.iter().map(shown).collect();
    console.answer(&values, &text, if jobs.is_empty() { "assay up" } else { "assay job show JOB" })
}

fn print_job(job: &ScheduledJob, next: &str, console: &Console) -> anyhow::Result<()> {
    let shown = shown(job);
    let mut lines = vec![
        format!("job        {}", job.job_id),
        format!("kind       {}", job.kind),
        format!("status     {} (attempt {})", job.status, job.attempts),
        format!("submitted  {}", format_utc(job.created_at)),
        format!("request    {}", job.request),
    ];
    for (name, text) in [("progress", &job.progress), ("error", &job.error), ("result", &job.result)] {
        lines.extend(text.as_ref().map(|text| format!("{name:<10} {text}")));
    }
    console.answer(&shown, &lines.join("\n"), next)
}
