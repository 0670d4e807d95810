//! What a worker and the process of a job say to each other: one JSON object a line.
//!
//! The process ends at once when its standard input does, so that nothing is written after its
//! worker's death.

use assay_store::database::JobEffects;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// From the worker, on standard input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Do this.
    Run(Value),
    /// End, keeping what can be kept.
    Cancel,
}

/// From the process, on standard output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    /// It still works.
    Alive,
    /// How far it is.
    Progress(Value),
    /// It is done.
    Done(Done),
    /// It cannot be done.
    Failed {
        /// A code that stays the same.
        code: String,
        /// What, where and how to fix it.
        message: String,
    },
    /// It ended on request.
    Cancelled,
    /// Something it needs is held by another process.
    InUse {
        /// What.
        message: String,
    },
}

/// What a finished job gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The result.
    pub result: Value,
    /// The runs that it made.
    pub runs: Vec<DoneRun>,
    /// The datasets that it wrote.
    pub datasets: Vec<DoneDataset>,
}

/// A run for the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneRun {
    /// Its id.
    pub run_id: String,
    /// What lists show of it.
    pub summary: Value,
}

/// A dataset for the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DoneDataset {
    /// Its name.
    pub dataset: String,
    /// Its coverage.
    pub summary: Value,
}

impl From<Done> for JobEffects {
    fn from(done: Done) -> Self {
        Self {
            result: done.result.to_string(),
            runs: done.runs.into_iter().map(|run| (run.run_id, run.summary.to_string())).collect(),
            datasets: done.datasets.into_iter().map(|set| (set.dataset, set.summary.to_string())).collect(),
        }
    }
}
