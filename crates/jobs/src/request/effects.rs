//! What a job leaves, for the catalogue.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::JobError;
use crate::jobs::runs::show_run;
use crate::workspace::Workspace;

/// A finished job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobDone {
    /// What the job gave.
    pub result: Value,
    /// The runs that it made or found.
    pub runs: Vec<RunEffect>,
    /// The datasets that it wrote.
    pub datasets: Vec<DatasetEffect>,
}

/// A run for the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunEffect {
    /// Its id.
    pub run_id: String,
    /// What lists show of it.
    pub summary: Value,
}

/// A dataset for the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetEffect {
    /// Its name.
    pub dataset: String,
    /// Its coverage: rows, first and last time, gaps.
    pub summary: Value,
}

impl JobDone {
    pub(super) const fn of(result: Value) -> Self {
        Self { result, runs: Vec::new(), datasets: Vec::new() }
    }

    pub(super) fn with_runs<'a>(
        mut self,
        workspace: &Workspace,
        run_ids: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, JobError> {
        for run_id in run_ids {
            self.runs.push(run_effect(workspace, run_id)?);
        }
        Ok(self)
    }

    pub(super) fn with_datasets(mut self, workspace: &Workspace, names: &[&str]) -> Result<Self, JobError> {
        self.datasets = dataset_effects(workspace)?;
        self.datasets.retain(|dataset| names.contains(&dataset.dataset.as_str()));
        Ok(self)
    }
}

/// A run as the catalogue keeps it: its summary, state, split and test metrics.
///
/// # Errors
/// When there is no such run or it does not read.
pub fn run_effect(workspace: &Workspace, run_id: &str) -> Result<RunEffect, JobError> {
    let shown = show_run(workspace, run_id)?;
    let run_id = shown.line.summary.run_id.clone();
    let mut summary = serde_json::to_value(&shown.line).expect("a run's line is plain data");
    summary["metrics"] = shown.evaluation["metrics"].clone();
    summary["synthetic"] = shown.evaluation["synthetic"].clone();
    summary["data_hash"] = json!(shown.pins.as_ref().map(|pins| pins.data_hash));
    Ok(RunEffect { run_id, summary })
}

/// Every dataset of the lake as the catalogue keeps it.
///
/// # Errors
/// When a manifest is damaged or the store fails.
pub fn dataset_effects(workspace: &Workspace) -> Result<Vec<DatasetEffect>, JobError> {
    let listed = crate::jobs::list::list(workspace)?;
    Ok(listed
        .datasets
        .iter()
        .map(|dataset| DatasetEffect {
            dataset: dataset.dataset.clone(),
            summary: serde_json::to_value(dataset).expect("coverage is plain data"),
        })
        .collect())
}
