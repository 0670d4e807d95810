//! `assay show`

use assay_jobs::jobs::show::{Shown, show};
use assay_jobs::{DatabaseLocation, JobError, Workspace};
use assay_store::database::{DatabaseError, PlatformDatabase, StoredSignal, Stream};
use assay_types::Hash;
use clap::Args;
use serde_json::{Value, json};

use super::job::platform;
use super::run::print_run;
use crate::output::Console;

#[derive(Args)]
pub struct Show {
    /// Run id or its first digits, content id, any hash, or a signal: its sig_hash or MODEL:SEQ.
    id: String,
    /// Where signals are: a SQLite file, or postgres://… [default: HOME/platform.db].
    #[arg(long, value_name = "URL", env = "ASSAY_DATABASE", hide_env_values = true)]
    database: Option<DatabaseLocation>,
}

impl Show {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let shown = match show(workspace, &self.id) {
            Err(error @ (JobError::NotFound(_) | JobError::Store(_))) => {
                let Some(signal) = self.signal(workspace)? else { return Err(error.into()) };
                return print_signal(workspace, &signal, console);
            }
            shown => shown?,
        };
        let text = match &shown {
            Shown::Run(run) => return print_run(run, console),
            Shown::Object { content_id, sha256, bytes, artefact_of, path } => {
                let mut lines = vec![
                    format!("object        {content_id}"),
                    format!("sha256        {sha256}"),
                    format!("size          {bytes} bytes"),
                    format!("file          {path}"),
                ];
                lines.extend(artefact_of.iter().map(|[run, name]| format!("artefact      {name} of run {run}")));
                lines.join("\n")
            }
            Shown::Pinned { hash, runs } => {
                let mut lines = vec![format!("hash          {hash}")];
                lines.extend(runs.iter().map(|[run, name]| format!("{name:<13} of run {run}")));
                lines.join("\n")
            }
        };
        console.answer(&shown, &text, "assay run show RUN")
    }

    /// The signal of that name in the platform database of the home, with its stream.
    fn signal(&self, workspace: &Workspace) -> anyhow::Result<Option<(StoredSignal, Stream)>> {
        let numbered = self.id.split_once(':').and_then(|(model, seq)| Some((model, seq.parse::<u64>().ok()?)));
        let hash = self.id.parse::<Hash>().ok();
        let location = platform(workspace.home.path(), self.database.clone());
        let is_missing = matches!(&location, DatabaseLocation::Sqlite(file) if !file.exists());
        if is_missing || (numbered.is_none() && hash.is_none()) {
            return Ok(None);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let found = runtime.block_on(async {
            let database = PlatformDatabase::open(&location).await?;
            let found = match (numbered, hash) {
                (Some((model, seq)), _) => database.signals_from(model, seq, 1).await?,
                (None, Some(hash)) => database.signals_by_hash(&hash, 1).await?,
                (None, None) => Vec::new(),
            };
            let found = found.into_iter().find(|signal| numbered.is_none_or(|(_, seq)| seq == signal.seq));
            let Some(signal) = found else { return Ok(None) };
            let stream = database.stream(&signal.stream_id).await?;
            database.close().await;
            Ok::<_, DatabaseError>(stream.map(|stream| (signal, stream)))
        });
        Ok(found.map_err(JobError::from)?)
    }
}

/// A signal and the way back to its data; each step opens with `assay show`.
fn print_signal(
    workspace: &Workspace,
    (signal, stream): &(StoredSignal, Stream),
    console: &Console,
) -> anyhow::Result<()> {
    let pins = match show(workspace, &stream.run_id) {
        Ok(Shown::Run(run)) => serde_json::to_value(&run.pins)?,
        _ => Value::Null,
    };
    let said: Value = serde_json::from_str(&signal.signal)?;
    let id = format!("{}:{}", signal.model_id, signal.seq);
    let steps = [
        ("model", signal.model_id.as_str()),
        ("run", stream.run_id.as_str()),
        ("features", pins["feature_hash"].as_str().unwrap_or_default()),
        ("data", pins["data_hash"].as_str().unwrap_or_default()),
    ];
    let known = || steps.iter().filter(|(_, id)| !id.is_empty());
    let text = |name: &str| said[name].as_str().unwrap_or_default();
    let mut lines = vec![
        format!("signal        {id}"),
        format!("said          {} at {} of {}, {}", text("action"), text("price_ref"), text("symbol"), text("ts")),
        format!("mode          {}", signal.mode.name()),
        format!("stream        {}", signal.stream_id),
    ];
    lines.extend(known().map(|(kind, id)| format!("{kind:<13} {id}")));
    let lineage: Vec<Value> = known().map(|(kind, id)| json!({ "kind": kind, "id": id })).collect();
    let value = json!({
        "kind": "signal", "id": id, "signal": said, "mode": signal.mode.name(), "stream_id": signal.stream_id,
        "lineage": lineage,
    });
    console.answer(&value, &lines.join("\n"), &format!("assay show {}", stream.run_id))
}
