//! `assay stop` and `assay resume`

use std::path::Path;

use assay_jobs::time_text::format_utc;
use assay_jobs::{DatabaseLocation, JobError};
use assay_store::database::PlatformDatabase;
use assay_store::{Home, Stop as Mark, StopMark};
use clap::Args;
use serde_json::json;

use crate::output::Console;

const STOP_EXAMPLES: &str = "\
Examples:
  assay stop
  assay stop --reason \"the exchange prints nonsense\"";

const RESUME_EXAMPLES: &str = "\
Examples:
  assay resume --reason \"the exchange is well again\"
  assay resume --reason \"checked\" --database postgres://assay@db/assay";

/// The control's name in the database.
const CONTROL: &str = "stop";

#[derive(Args)]
#[command(after_help = STOP_EXAMPLES)]
pub struct Stop {
    /// Why, for whoever looks at it later.
    #[arg(long, value_name = "TEXT", default_value = "")]
    reason: String,
}

#[derive(Args)]
#[command(after_help = RESUME_EXAMPLES)]
pub struct Resume {
    /// Why sending may go on.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The platform database: a SQLite file, or postgres://… [default: HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<DatabaseLocation>,
}

impl Stop {
    /// Sets the mark in the home: the server there sends nothing from this moment on, and
    /// carries the mark to servers that share its database.
    pub fn run(self, home: &Path, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let mark = Mark::at(&if is_dry { Home::at(home) } else { Home::open(home).map_err(JobError::from)? });
        let by = std::env::var("USER").unwrap_or_else(|_| "command line".to_owned());
        let wanted = StopMark { at: format_utc(assay_server::now_ms()), by, reason: self.reason };
        if !is_dry {
            mark.set(&wanted).map_err(JobError::from)?;
        }
        let path = mark.path().display();
        let text = if is_dry { format!("would stop: {path}") } else { format!("stopped: {path}") };
        let value = json!({ "stopped": !is_dry, "mark": mark.mark(), "file": mark.path(), "dry_run": is_dry });
        console.answer(&value, &text, "assay resume --reason \"…\"")
    }
}

impl Resume {
    /// Takes the mark away, in the database first: what is half done is still stopped.
    pub fn run(self, home: &Path, is_dry: bool, console: &Console) -> anyhow::Result<()> {
        let was = Mark::at(&Home::at(home));
        if self.reason.trim().is_empty() {
            return Err(JobError::Input("--reason is empty: say why sending may go on".to_owned()).into());
        }
        let Some(mark) = was.mark() else {
            return Err(JobError::Input(format!("nothing is stopped in {}", home.display())).into());
        };
        if !is_dry {
            let location = self.database.unwrap_or_else(|| DatabaseLocation::Sqlite(home.join("platform.db")));
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(clear(&location, &was))?;
        }
        let verb = if is_dry { "would resume" } else { "resumed" };
        let text = format!("{verb}; it was stopped by {} at {}: {}", mark.by, mark.at, mark.reason);
        console.answer(&json!({ "resumed": !is_dry, "was": mark, "dry_run": is_dry }), &text, "")
    }
}

async fn clear(location: &DatabaseLocation, mark: &Mark) -> anyhow::Result<()> {
    let database = PlatformDatabase::open(location).await.map_err(JobError::from)?;
    let clear_row = || database.set_control(CONTROL, "null", assay_server::now_ms());
    clear_row().await.map_err(JobError::from)?;
    mark.clear().map_err(JobError::from)?;
    // A server may have carried the file there between the two.
    clear_row().await.map_err(JobError::from)?;
    database.close().await;
    Ok(())
}
