//! Any id or hash, opened.

use assay_registry::ContentId;
use assay_types::Hash;
use serde::Serialize;
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::runs::{RunShown, list_runs, show_run};
use crate::workspace::Workspace;

/// What an id stands for.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Shown {
    /// A run.
    Run(Box<RunShown>),
    /// An artefact in the object store.
    Object {
        /// Its content id.
        content_id: String,
        /// SHA-256 of its bytes.
        sha256: Hash,
        /// Its size in bytes.
        bytes: usize,
        /// Runs and file names that it is an artefact of.
        artefact_of: Vec<[String; 2]>,
        /// The file that holds it.
        path: String,
    },
    /// A hash that runs are pinned to.
    Pinned {
        /// The hash.
        hash: Hash,
        /// Runs, and which of their hashes it is.
        runs: Vec<[String; 2]>,
    },
}

/// Opens a run id (or its first digits), a content id, or any hash.
///
/// # Errors
/// When nothing is known under it, or the object is damaged.
pub fn show(workspace: &Workspace, id: &str) -> Result<Shown, JobError> {
    let hash = id.parse::<ContentId>().map(ContentId::hash).or_else(|_| id.parse::<Hash>());
    let Ok(hash) = hash else {
        return Ok(Shown::Run(Box::new(show_run(workspace, id)?)));
    };
    let objects = workspace.home.objects();
    let runs: Vec<RunShown> =
        list_runs(workspace)?.iter().filter_map(|run| show_run(workspace, &run.summary.run_id).ok()).collect();
    if let Some(bytes) = objects.get(hash)? {
        let content_id = ContentId::from_hash(hash).to_string();
        let uses = runs.iter().flat_map(|run| {
            let files = run.artefacts.as_object().into_iter().flatten();
            let same = files.filter(|(_, cid)| cid.as_str() == Some(&content_id));
            same.map(|(name, _)| [run.line.summary.run_id.clone(), name.clone()]).collect::<Vec<_>>()
        });
        let artefact_of = uses.collect();
        let path = objects.path(hash).display().to_string();
        return Ok(Shown::Object { content_id, sha256: hash, bytes: bytes.len(), artefact_of, path });
    }
    let text = hash.to_string();
    let pinned = runs.iter().flat_map(|run| {
        let summary = &run.line.summary;
        let pins = serde_json::to_value(&run.pins).unwrap_or(Value::Null);
        let mut named: Vec<(String, Option<String>)> = vec![
            ("weights_hash".into(), summary.weights_hash.clone()),
            ("equity_hash".into(), summary.equity_hash.clone()),
        ];
        for name in ["config_hash", "data_hash", "feature_hash"] {
            named.push((name.into(), pins[name].as_str().map(str::to_owned)));
        }
        let same = named.into_iter().filter(|(_, value)| value.as_deref() == Some(&text));
        same.map(|(name, _)| [summary.run_id.clone(), name]).collect::<Vec<_>>()
    });
    let pinned: Vec<[String; 2]> = pinned.collect();
    if pinned.is_empty() {
        return Err(JobError::NotFound(format!("nothing here is known as {id}; `assay run list` shows the runs")));
    }
    Ok(Shown::Pinned { hash, runs: pinned })
}
