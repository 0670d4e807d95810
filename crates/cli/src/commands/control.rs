//! `assay stop` and `assay resume`

use std::path::Path;
use std::time::{Duration, Instant};

use assay_jobs::time_text::format_utc;
use assay_jobs::{DatabaseLocation, JobError};
use assay_server::live::closing_reason;
use assay_store::database::{PlatformDatabase, Resumed};
use assay_store::{Cleared, Home, ResumeRequest, Stop as Mark, StopMark};
use clap::Args;
use serde_json::json;

use crate::output::Console;

const STOP_EXAMPLES: &str = "\
Examples:
  assay stop
  assay stop --reason \"the exchange prints nonsense\"
  assay stop --flatten --reason \"out over the weekend\"";

const RESUME_EXAMPLES: &str = "\
Examples:
  assay resume --reason \"the exchange is well again\"
  assay resume --reason \"checked\" --database postgres://assay@db/assay";

/// The lock that a server holds on its home.
const SERVER: &str = "server";
/// How long a server is waited for that was asked to resume.
const RESUME_WAIT: Duration = Duration::from_secs(15);
/// Between looks whether it did.
const RESUME_POLL: Duration = Duration::from_millis(20);

#[derive(Args)]
#[command(after_help = STOP_EXAMPLES)]
pub struct Stop {
    /// Why, for whoever looks at it later.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
    /// Close positions first: nothing is opened any more, and at its next close each stream says FLAT_0
    /// and halts. Nothing is held back then.
    #[arg(long)]
    flatten: bool,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub struct Resume {
    /// Why sending may go on.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    database: Database,
}

#[derive(Args)]
struct Database {
    /// The platform database, where no server runs on this home: a SQLite file, or postgres://… [default:
    /// HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<DatabaseLocation>,
}

impl Database {
    /// The database of this home; `None` when it is elsewhere and was not named.
    fn of(self, home: &Home) -> Result<DatabaseLocation, String> {
        let local = DatabaseLocation::Sqlite(home.path().join("platform.db"));
        match (self.database, home.noted_database()) {
            (Some(given), _) => Ok(given),
            (None, Some(noted)) if noted != local.to_string() => Err(noted),
            (None, _) => Ok(local),
        }
    }
}

fn caller() -> String {
    std::env::var("USER").unwrap_or_else(|_| "command line".to_owned())
}

impl Stop {
    /// Sets the mark in the home: the server there sends nothing from this moment on, and
    /// carries the mark to servers that share its database. Where none runs, a database that is
    /// named is told here.
    pub fn run(self, home: &Path, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let home = if is_dry { Home::at(home) } else { Home::open(home).map_err(JobError::from)? };
        let mark = Mark::at(&home);
        if self.flatten {
            return self.flatten(&home, &mark, is_dry, console);
        }
        let wanted = StopMark::new(format_utc(assay_server::now_ms()), caller(), self.reason);
        let is_served = home.is_locked(SERVER);
        let is_named = self.database.database.is_some();
        let mut note = String::new();
        if !is_dry {
            let set = mark.set(&wanted).map_err(JobError::from)?;
            match self.database.of(&home) {
                _ if is_served => {}
                Ok(location) if is_named => block_on(async {
                    let database = PlatformDatabase::open(&location).await.map_err(JobError::from)?;
                    database.carry_stop(&set, assay_server::now_ms()).await.map_err(JobError::from)?;
                    database.close().await;
                    Ok(())
                })
                .map_err(|error| error.context("this home is stopped, servers elsewhere could not be told"))?,
                Ok(_) => {}
                Err(noted) => {
                    note = format!(
                        "\nno server runs on this home: servers elsewhere on {noted} go on; stop them with --database"
                    );
                }
            }
        }
        let path = mark.path().display();
        let text = if is_dry { format!("would stop: {path}") } else { format!("stopped: {path}{note}") };
        let value = json!({
            "stopped": !is_dry, "mark": mark.mark(), "file": mark.path(), "served": is_served, "dry_run": is_dry,
        });
        console.answer(&value, &text, "assay resume --reason \"…\"")
    }

    /// Has every running stream close its position and halt.
    fn flatten(self, home: &Home, mark: &Mark, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        if let Some(StopMark { at, by, reason, .. }) = mark.mark() {
            let detail = format!(
                "sending is stopped since {at} by {by} ({reason}), so nothing can be said: `assay resume` first, then \
                 flatten"
            );
            return Err(JobError::Conflict(detail).into());
        }
        let location = self.database.of(home).map_err(|noted| {
            JobError::Input(format!(
                "the server of this home works on {noted}: name it with --database or ASSAY_DATABASE"
            ))
        })?;
        let mut streams = Vec::new();
        if !is_dry {
            let why = closing_reason(&caller(), &self.reason);
            block_on(async {
                let database = PlatformDatabase::open(&location).await.map_err(JobError::from)?;
                let closing = database.close_streams(None, &why, assay_server::now_ms()).await;
                streams = closing.map_err(JobError::from)?.into_iter().map(|stream| stream.stream_id).collect();
                database.close().await;
                Ok(())
            })?;
        }
        let verb = if is_dry { "would close" } else { "closing" };
        let text =
            if is_dry { format!("{verb} every running stream") } else { format!("{verb} {} streams", streams.len()) };
        let value = json!({ "flatten": !is_dry, "closing": streams, "dry_run": is_dry });
        console.answer(&value, &text, "assay stop")
    }
}

impl Resume {
    /// Takes the mark away: the server of this home does it, or, where none runs, this process in
    /// the database and in the home.
    pub fn run(self, home: &Path, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let home = Home::at(home);
        let stop = Mark::at(&home);
        if self.reason.trim().is_empty() {
            return Err(JobError::Input("--reason is empty: say why sending may go on".to_owned()).into());
        }
        let Some(mark) = stop.mark() else {
            return Err(JobError::Input(format!("nothing is stopped in {}", home.path().display())).into());
        };
        let is_served = home.is_locked(SERVER);
        let location = if is_served {
            None
        } else {
            Some(self.database.of(&home).map_err(|noted| {
                JobError::Input(format!(
                    "the server of this home works on {noted}, where the stop stands too, and does not run: start it, \
                     or name the database with --database or ASSAY_DATABASE"
                ))
            })?)
        };
        if !is_dry {
            match location {
                Some(location) => block_on(clear(&location, &stop, &mark, &self.reason))?,
                None => ask(&stop, &mark, self.reason)?,
            }
        }
        let verb = if is_dry { "would resume" } else { "resumed" };
        let text = format!("{verb}; it was stopped by {} at {}: {}", mark.by, mark.at, mark.reason);
        console.answer(&json!({ "resumed": !is_dry, "was": mark, "served": is_served, "dry_run": is_dry }), &text, "")
    }
}

fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// Has the server of this home resume, and waits until it did.
fn ask(stop: &Mark, mark: &StopMark, reason: String) -> anyhow::Result<()> {
    let request = ResumeRequest { id: mark.id.clone(), by: caller(), reason };
    stop.request_resume(&request).map_err(JobError::from)?;
    let deadline = Instant::now() + RESUME_WAIT;
    while stop.is_resume_requested() {
        if Instant::now() >= deadline {
            stop.forget_resume_request().map_err(JobError::from)?;
            let seconds = RESUME_WAIT.as_secs();
            return Err(JobError::Failed(format!(
                "the server did not resume within {seconds} s, and stays stopped: its log says why, such as a database \
                 that is away"
            ))
            .into());
        }
        std::thread::sleep(RESUME_POLL);
    }
    stop.mark().map_or(Ok(()), |newer| Err(stopped_anew(&newer)))
}

fn stopped_anew(newer: &StopMark) -> anyhow::Error {
    let StopMark { at, by, reason, .. } = newer;
    JobError::Conflict(format!("it was stopped anew by {by} at {at}: {reason}; nothing is resumed")).into()
}

/// Resumes where no server does it: in the database first, so that what is half done is still stopped.
async fn clear(location: &DatabaseLocation, stop: &Mark, mark: &StopMark, reason: &str) -> anyhow::Result<()> {
    let database = PlatformDatabase::open(location).await.map_err(JobError::from)?;
    let now_ms = assay_server::now_ms();
    let resumed = Resumed { id: mark.id.clone(), at: format_utc(now_ms), by: caller(), reason: reason.to_owned() };
    // A stop that is in the file alone yet has not been carried there, which the id tells.
    let control = database.resume_stop(&resumed, now_ms).await.map_err(JobError::from)?;
    database.close().await;
    if let Some(newer) = control.mark {
        stop.replace(Some(mark), &newer).map_err(JobError::from)?;
        return Err(stopped_anew(&newer));
    }
    match stop.clear(mark).map_err(JobError::from)? {
        Cleared::Newer(newer) => Err(stopped_anew(&newer)),
        Cleared::Resumed | Cleared::Absent => Ok(()),
    }
}
