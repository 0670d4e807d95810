//! A run's policy with everything a stream needs of it.

use assay_features::FeatureSpec;
use assay_jobs::jobs::runs::LoadedRun;
use assay_jobs::{Advance, JobError, Progress, Workspace};
use assay_model::Policy;
use assay_sim::Rules;
use assay_types::{Dataset, Hash};

use crate::state::{ServerState, Settings};

/// What a stream needs of a run.
#[derive(Clone)]
pub(super) struct Model {
    pub model_id: String,
    pub run_id: String,
    pub policy: Policy,
    pub spec: FeatureSpec,
    pub rules: Rules,
    pub dataset: Dataset,
    pub config_hash: Hash,
    /// Open times of the test split: the first, and just after the last.
    pub test_ms: (i64, i64),
}

/// Progress that nobody watches.
struct Unwatched;

impl Progress for Unwatched {
    fn stage(&self, _name: &str) {}
    fn advance(&self, _advance: &Advance) {}
    fn note(&self, text: &str) {
        tracing::info!(text, "a note while a stream was prepared");
    }
    fn done(&self) {}
}

impl Model {
    fn of(run: LoadedRun) -> Self {
        Self {
            model_id: run.weights_hash.to_string(),
            run_id: run.summary.run_id,
            policy: run.policy,
            spec: run.pins.features,
            rules: run.pins.rules,
            dataset: run.config.dataset,
            config_hash: run.pins.config_hash,
            test_ms: (run.pins.test_from_ms, run.pins.test_to_ms),
        }
    }
}

/// Works with the workspace of the server's home and lake on a thread that may block.
pub(super) async fn in_workspace<T: Send + 'static>(
    settings: &Settings,
    work: impl FnOnce(&Workspace<'_>) -> Result<T, JobError> + Send + 'static,
) -> Result<T, JobError> {
    let (home, lake) = (settings.home.clone(), settings.lake.clone());
    let task = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::open(home.path(), lake.as_deref(), &Unwatched, 1, false)?;
        work(&workspace)
    });
    task.await.map_err(|error| JobError::Failed(format!("a thread ended early: {error}")))?
}

/// The models of `runs`, in their order.
pub(super) async fn load_models(
    state: &ServerState,
    runs: Vec<String>,
) -> Result<Vec<Result<Model, JobError>>, JobError> {
    in_workspace(&state.settings, move |workspace| {
        Ok(runs.iter().map(|run| LoadedRun::load(workspace, run).map(Model::of)).collect())
    })
    .await
}

/// The model of one run.
pub(super) async fn load_model(state: &ServerState, run_id: &str) -> Result<Model, JobError> {
    let mut models = load_models(state, vec![run_id.to_owned()]).await?;
    models.pop().unwrap_or_else(|| Err(JobError::Failed("no model was loaded".to_owned())))
}
