//! The catalogue of what the home and the lake hold, kept up with what commands beside the server
//! make there.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use assay_jobs::request::{DatasetEffect, RunEffect, dataset_effects, run_effect};
use assay_jobs::{JobError, Silent, Workspace};
use assay_store::database::{DatasetRow, JobFilter, JobStatus, RunRow};

use crate::clock::now_ms;
use crate::state::ServerState;

/// Whose the runs are that were made without a job.
pub(crate) const HOME_OWNER: &str = "home";
/// The status of a run that nobody works on any more.
const DONE: &str = "done";
/// How often it is looked whether files changed.
const POLL: Duration = Duration::from_secs(5);
/// Folders below the lake's in which manifests are.
const LAKE_DEPTH: usize = 6;

/// Which runs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Every one.
    All,
    /// Those that are done: nobody works on them.
    Done,
}

/// Brings the catalogue to what the home and the lake hold.
pub(crate) async fn update(state: &ServerState, which: Which) -> Result<(), JobError> {
    let (home, lake) = (state.settings.home.clone(), state.settings.lake.clone());
    // The lake has a runtime of its own, and files block.
    let found = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::open(home.path(), lake.as_deref(), &Silent, 1, false)?;
        let datasets = dataset_effects(&workspace)?;
        let runs = workspace.home.runs().list()?;
        let wanted = runs.iter().rev().filter(|run| which == Which::All || run.status == DONE);
        // A run that does not read is left to whoever opens it.
        let runs = wanted.filter_map(|run| run_effect(&workspace, &run.run_id).ok()).collect();
        Ok::<(Vec<RunEffect>, Vec<DatasetEffect>), JobError>((runs, datasets))
    });
    let (runs, datasets) = found.await.map_err(|error| JobError::Failed(format!("reading the home: {error}")))??;
    let now = now_ms();
    let run = |run: RunEffect| RunRow::new(run.run_id, HOME_OWNER.to_owned(), None, run.summary.to_string(), now);
    let dataset = |set: DatasetEffect| DatasetRow {
        dataset: set.dataset,
        number: 0,
        summary: set.summary.to_string(),
        updated_at: now,
    };
    state.platform.put_runs(&runs.into_iter().map(run).collect::<Vec<_>>(), now).await?;
    state.platform.put_datasets(&datasets.into_iter().map(dataset).collect::<Vec<_>>(), now).await?;
    state.events_appended.notify_waiters();
    Ok(())
}

/// Takes up runs and datasets that appear beside the server, for as long as it is polled. Files
/// are looked at, not read, until one of them changes.
pub(crate) async fn follow(state: &ServerState) {
    let mut seen = None;
    loop {
        let now = look(state).await;
        let is_new = seen.as_ref().is_some_and(|seen| *seen != now);
        // The runs of a job belong to whoever asked for it, which its end tells.
        if is_new && is_busy(state).await {
            tokio::time::sleep(POLL).await;
            continue;
        }
        if is_new && let Err(error) = update(state, Which::Done).await {
            tracing::warn!(%error, "the catalogue is not up to date");
        }
        seen = Some(now);
        tokio::time::sleep(POLL).await;
    }
}

async fn is_busy(state: &ServerState) -> bool {
    for status in [JobStatus::Running, JobStatus::Cancelling] {
        let filter = JobFilter { status: Some(status), ..JobFilter::default() };
        if !state.platform.jobs(&filter, None, 1).await.is_ok_and(|jobs| jobs.is_empty()) {
            return true;
        }
    }
    false
}

/// Files that change with runs and datasets: their times and sizes.
async fn look(state: &ServerState) -> Vec<(PathBuf, u64, SystemTime)> {
    let home = state.settings.home.path().to_owned();
    // A lake in a bucket is looked at when a job ends.
    let lake = match &state.settings.lake {
        None => Some(home.join("lake")),
        Some(lake) if !lake.contains("://") => Some(PathBuf::from(lake)),
        Some(_) => None,
    };
    let look = tokio::task::spawn_blocking(move || {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(home.join("runs")).into_iter().flatten().flatten() {
            note(&entry.path().join("run.json"), &mut files);
        }
        lake.iter().for_each(|lake| manifests(lake, LAKE_DEPTH, &mut files));
        files.sort();
        files
    });
    look.await.unwrap_or_default()
}

fn manifests(folder: &Path, depth: usize, files: &mut Vec<(PathBuf, u64, SystemTime)>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            note(&path, files);
        } else if depth > 0 && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            manifests(&path, depth - 1, files);
        }
    }
}

fn note(path: &Path, files: &mut Vec<(PathBuf, u64, SystemTime)>) {
    if let Ok(found) = path.metadata()
        && let Ok(changed) = found.modified()
    {
        files.push((path.to_owned(), found.len(), changed));
    }
}
