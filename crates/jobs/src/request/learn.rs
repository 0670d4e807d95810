//! Requests that train.

use assay_sim::FoldWindow;
use assay_train::TrainConfig;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::{JobDone, plain};
use crate::error::JobError;
use crate::jobs::demo::Demo;
use crate::jobs::features::BuildFeatures;
use crate::jobs::search::Search;
use crate::jobs::train::Train;
use crate::jobs::walkforward::WalkForward;
use crate::workspace::Workspace;

/// A feature table, computed and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeaturesJob {
    /// A training config: its dataset, dates, columns and scaler are used.
    #[schema(value_type = Object)]
    pub config: Value,
}

/// One run; when it was interrupted, it goes on from its checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainJob {
    /// The training config; missing keys take the algorithm's defaults.
    #[schema(value_type = Object)]
    pub config: Value,
}

/// Many short runs, and one of the best config.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SearchJob {
    /// The training config to vary.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Trials in all, those of an earlier search with this config included.
    #[schema(minimum = 1, maximum = 10_000)]
    pub trials: u32,
}

/// Train and test on successive folds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WalkforwardJob {
    /// The training config; its dates are replaced by those of the folds.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Number of folds.
    #[schema(minimum = 1, maximum = 1_000)]
    pub folds: u16,
    /// Train on the part just before each test only, instead of on everything before it.
    #[serde(default)]
    pub sliding: bool,
}

/// The whole life cycle on the bundled sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DemoJob {}

/// The algorithm when a config names none.
const DEFAULT_ALGORITHM: &str = "ppo";

/// The config with the default algorithm if it names none.
fn with_algorithm(config: &Value) -> Result<Value, JobError> {
    let Value::Object(keys) = config else {
        return Err(JobError::Input("config: it is an object of keys and values".to_owned()));
    };
    let mut keys = keys.clone();
    keys.entry("algorithm").or_insert_with(|| DEFAULT_ALGORITHM.into());
    Ok(Value::Object(keys))
}

pub(super) fn check_config(config: &Value) -> Result<(), JobError> {
    TrainConfig::from_value(&with_algorithm(config)?)?;
    Ok(())
}

impl FeaturesJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let built = BuildFeatures { config: with_algorithm(&self.config)?, out: None }.run(workspace)?;
        Ok(JobDone::of(plain(&built)))
    }
}

impl TrainJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let config = with_algorithm(&self.config)?;
        let trained = Train { config, resume: true, asked: false, again: false }.run(workspace)?;
        JobDone::of(plain(&trained)).with_runs(workspace, [trained.run_id.as_str()])
    }
}

impl SearchJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let searched = Search { config: with_algorithm(&self.config)?, trials: self.trials }.run(workspace)?;
        let run_id = searched.run.as_ref().map(|run| run.run_id.as_str());
        JobDone::of(plain(&searched)).with_runs(workspace, run_id)
    }
}

impl WalkforwardJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let window = if self.sliding { FoldWindow::Sliding } else { FoldWindow::Expanding };
        let config = with_algorithm(&self.config)?;
        let walked = WalkForward { config, folds: usize::from(self.folds), window }.run(workspace)?;
        let runs = walked.folds.iter().map(|fold| fold.run_id.as_str());
        JobDone::of(plain(&walked)).with_runs(workspace, runs)
    }
}

impl DemoJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let done = Demo { data: None, market: None, timeframe: None }.run(workspace)?;
        let shown = JobDone::of(plain(&done)).with_runs(workspace, [done.run_id.as_str()])?;
        shown.with_datasets(workspace, &[&done.dataset])
    }
}
