//! Finished and unfinished runs: what they are, and their policy read back.

use assay_engine::{PolicyFile, PolicyStrategy};
use assay_features::{FeatureSpec, FeatureStream, Split};
use assay_lake::ALL_TIME;
use assay_model::{Activation, Policy};
use assay_registry::ContentId;
use assay_sim::Rules;
use assay_store::{RunFolder, RunSummary, StoreError};
use assay_train::TrainConfig;
use assay_types::{Candles, Hash};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::prepare::TRAIN_VERSION;
use crate::workspace::Workspace;

/// A run whose files do not read.
const FIX: &str = "restore it, or remove the run's folder and train it again";

/// Everything about a run that its hashes pin, in `pins.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pins {
    /// Hash of `config.json`.
    pub config_hash: Hash,
    /// Hash of the candles from the dataset's first to the end of the test split.
    pub data_hash: Hash,
    /// Name of the feature set.
    pub feature_hash: Hash,
    /// Version of the training code.
    pub train_version: String,
    /// Columns and scaler.
    pub features: FeatureSpec,
    /// Candle indices that train, validate and test.
    pub split: Split,
    /// Open time of the first test candle, milliseconds.
    pub test_from_ms: i64,
    /// Just after the last test candle's open time, milliseconds.
    pub test_to_ms: i64,
    /// What trading costs.
    pub rules: Rules,
    /// Budget in environment steps.
    pub total_timesteps: u64,
}

/// A finished run.
pub struct LoadedRun {
    /// Its folder.
    pub folder: RunFolder,
    /// Its summary.
    pub summary: RunSummary,
    /// Its config.
    pub config: TrainConfig,
    /// What it stands on.
    pub pins: Pins,
    /// Its policy.
    pub policy: Policy,
    /// SHA-256 of the weights file: the model's id.
    pub weights_hash: Hash,
}

impl LoadedRun {
    /// Reads the finished run whose id starts with `prefix`, checking its weights.
    ///
    /// # Errors
    /// When there is none, it is not finished, or a file is damaged.
    pub fn load(workspace: &Workspace, prefix: &str) -> Result<Self, JobError> {
        let folder = workspace.home.runs().find(prefix)?;
        let summary = folder.summary()?;
        let Some(recorded) = &summary.weights_hash else {
            let id = &summary.run_id;
            let state = if folder.is_locked() { "is still training" } else { "was interrupted" };
            return Err(JobError::Input(format!("run {id} {state}: finish it with `assay train … --resume` first")));
        };
        let weights = folder.read("weights.safetensors")?;
        let weights_hash = Hash::of(&weights);
        if weights_hash.to_string() != *recorded {
            let path = folder.file("weights.safetensors");
            let reason = format!("its SHA-256 is {weights_hash}, the run recorded {recorded}");
            return Err(StoreError::Corrupt { path, reason, fix: FIX }.into());
        }
        check_artefacts(&folder, &summary)?;
        let file: PolicyFile = json(&folder, "policy.json")?;
        let policy = file.policy(&weights)?;
        let config: TrainConfig = json(&folder, "config.json")?;
        let pins: Pins = json(&folder, "pins.json")?;
        if pins.train_version != TRAIN_VERSION {
            let (id, version) = (&summary.run_id, &pins.train_version);
            return Err(JobError::Input(format!(
                "run {id} was made by {version}, this is {TRAIN_VERSION}: train it again"
            )));
        }
        Ok(Self { summary, config, pins, policy, weights_hash, folder })
    }

    /// The policy with its indicators, before any candle.
    ///
    /// # Errors
    /// When the feature columns are not known any more.
    pub fn strategy(&self) -> Result<PolicyStrategy, JobError> {
        let stream = FeatureStream::new(&self.pins.features, self.config.dataset.timeframe)?;
        Ok(PolicyStrategy::new(stream, self.policy.clone())?)
    }

    /// The candles that the run was made on, proven by their hash.
    ///
    /// # Errors
    /// When the lake does not hold them, or others by now.
    pub fn candles(&self, workspace: &Workspace) -> Result<Candles, JobError> {
        let dataset = &self.config.dataset;
        let candles = workspace.lake.load(dataset, i64::MIN..self.pins.test_to_ms)?;
        let found = candles.data_hash();
        if found != self.pins.data_hash {
            let expected = self.pins.data_hash;
            return Err(JobError::Check(format!(
                "{dataset} has data_hash {found} up to the end of the run's test split, the run was made on {expected}: \
                 the data changed since; pass --dataset {dataset} to evaluate on what is there now"
            )));
        }
        Ok(candles)
    }
}

/// Checks every file that decides what the policy does against the content ids that
/// the run recorded when it was finished.
fn check_artefacts(folder: &RunFolder, summary: &RunSummary) -> Result<(), JobError> {
    let damaged = |name: &str, reason: String| -> JobError {
        StoreError::Corrupt { path: folder.file(name), reason, fix: FIX }.into()
    };
    let listed = folder.read("artefacts.json")?;
    if summary.artefacts_hash.as_deref() != Some(&Hash::of(&listed).to_string()) {
        return Err(damaged("artefacts.json", "its SHA-256 is not the one in run.json".to_owned()));
    }
    let listed: Value = json(folder, "artefacts.json")?;
    for name in ["config.json", "pins.json", "policy.json", "weights.safetensors"] {
        let found = ContentId::of(&folder.read(name)?).to_string();
        if listed[name].as_str() != Some(&found) {
            let recorded = listed[name].as_str().unwrap_or("none");
            return Err(damaged(name, format!("its content id is {found}, the run recorded {recorded}")));
        }
    }
    Ok(())
}

/// The first digits of a run id, enough to name it.
#[must_use]
pub fn short_id(run_id: &str) -> &str {
    run_id.get(..12).unwrap_or(run_id)
}

/// `policy.json` of `policy`.
#[must_use]
pub fn policy_file(policy: &Policy, activation: Activation) -> Vec<u8> {
    serde_json::to_vec_pretty(&PolicyFile::of(policy, activation)).expect("plain data")
}

fn json<T: serde::de::DeserializeOwned>(folder: &RunFolder, name: &str) -> Result<T, JobError> {
    let bytes = folder.read(name)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Corrupt { path: folder.file(name), reason: error.to_string(), fix: FIX }.into())
}

/// A run as `assay run list` shows it.
#[derive(Debug, Clone, Serialize)]
pub struct RunLine {
    /// What is stored.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// `training`, `interrupted` or `done`.
    pub state: &'static str,
}

/// Every run, newest first.
///
/// # Errors
/// When the home folder cannot be read.
pub fn list_runs(workspace: &Workspace) -> Result<Vec<RunLine>, JobError> {
    let runs = workspace.home.runs();
    Ok(runs.list()?.into_iter().map(|summary| line(&runs.folder(&summary.run_id), summary)).collect())
}

fn line(folder: &RunFolder, summary: RunSummary) -> RunLine {
    let state = if summary.weights_hash.is_some() {
        "done"
    } else if folder.is_locked() {
        "training"
    } else {
        "interrupted"
    };
    RunLine { summary, state }
}

/// A run with its config, pins and metrics.
#[derive(Debug, Clone, Serialize)]
pub struct RunShown {
    /// Summary and state.
    #[serde(flatten)]
    pub line: RunLine,
    /// Folder of its artefacts.
    pub path: String,
    /// The full config.
    pub config: Value,
    /// What its hashes pin.
    pub pins: Option<Pins>,
    /// Content ids of its artefacts by file name; empty until it is done.
    pub artefacts: Value,
    /// The test evaluation; `null` until it is done.
    pub evaluation: Value,
}

/// The run whose id starts with `prefix`.
///
/// # Errors
/// When there is none or it does not read.
pub fn show_run(workspace: &Workspace, prefix: &str) -> Result<RunShown, JobError> {
    let folder = workspace.home.runs().find(prefix)?;
    let optional = |name: &str| json::<Value>(&folder, name).unwrap_or(Value::Null);
    Ok(RunShown {
        line: line(&folder, folder.summary()?),
        path: folder.path().display().to_string(),
        config: json(&folder, "config.json")?,
        pins: json(&folder, "pins.json").ok(),
        artefacts: optional("artefacts.json"),
        evaluation: optional("metrics.json"),
    })
}

/// Two runs side by side.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Ids of both.
    pub run_ids: [String; 2],
    /// Config keys in which they differ, with both values.
    pub config: Vec<Difference>,
    /// Test metrics of both.
    pub metrics: Vec<Difference>,
    /// Whether the final weights are the same.
    pub same_weights: bool,
}

/// One thing in which two runs differ or can be compared.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Its name.
    pub name: String,
    /// Of the first run.
    pub a: Value,
    /// Of the second run.
    pub b: Value,
}

/// Compares the runs whose ids start with `a` and `b`.
///
/// # Errors
/// As [`show_run`].
pub fn compare_runs(workspace: &Workspace, a: &str, b: &str) -> Result<Compared, JobError> {
    let (a, b) = (show_run(workspace, a)?, show_run(workspace, b)?);
    let metrics = |shown: &RunShown| shown.evaluation["metrics"].clone();
    let weights = |shown: &RunShown| shown.line.summary.weights_hash.clone();
    Ok(Compared {
        config: pairs(&a.config, &b.config).filter(|d| d.a != d.b).collect(),
        metrics: pairs(&metrics(&a), &metrics(&b)).collect(),
        same_weights: weights(&a).is_some() && weights(&a) == weights(&b),
        run_ids: [a.line.summary.run_id, b.line.summary.run_id],
    })
}

fn pairs<'a>(a: &'a Value, b: &'a Value) -> impl Iterator<Item = Difference> + 'a {
    let keys = |value: &Value| value.as_object().map(|o| o.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
    let mut names = keys(a);
    names.extend(keys(b).into_iter().filter(|name| a.get(name).is_none()));
    names.into_iter().map(|name| Difference { a: a[&name].clone(), b: b[&name].clone(), name })
}

/// All candles of a dataset named by a user.
///
/// # Errors
/// When the lake does not hold it.
pub fn load_dataset(workspace: &Workspace, dataset: &assay_types::Dataset) -> Result<Candles, JobError> {
    Ok(workspace.lake.load(dataset, ALL_TIME)?)
}
