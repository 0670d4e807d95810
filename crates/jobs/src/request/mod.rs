//! Jobs as they are submitted: one closed set of requests in JSON, told apart by `kind`.
//!
//! Files are named relative to `HOME/files`, so that whoever may submit jobs reads no other
//! file of the machine; miners are built-in ones, so that no job calls addresses of its choice.

mod data;
mod effects;
mod judge;
mod learn;
mod liquidity;

pub use data::{CheckJob, FetchJob, ImportJob, IngestJob, IngestSource};
pub use effects::{DatasetEffect, JobDone, RunEffect, dataset_effects, run_effect};
pub use judge::{AuditJob, BacktestJob, JobCosts};
pub use learn::{DemoJob, FeaturesJob, SearchJob, TrainJob, WalkforwardJob};
pub use liquidity::{RoundAction, RoundJob};

use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::error::JobError;
use crate::workspace::Workspace;

/// A job as it is submitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum JobRequest {
    /// Candles or trades into the lake.
    Ingest(IngestJob),
    /// A feature table, computed and kept.
    Features(FeaturesJob),
    /// One run.
    Train(TrainJob),
    /// Many short runs, and one of the best config.
    Search(SearchJob),
    /// A run or a rule on candles.
    Backtest(BacktestJob),
    /// Train and test on successive folds.
    Walkforward(WalkforwardJob),
    /// Liquidity rounds over recorded events.
    Round(RoundJob),
    /// A signal file against canonical candles.
    Audit(AuditJob),
    /// The whole life cycle on the bundled sample.
    Demo(DemoJob),
    /// Integrity of the lake.
    Check(CheckJob),
}

impl JobRequest {
    /// Every kind, in the words of requests.
    pub const KINDS: [&str; 10] =
        ["ingest", "features", "train", "search", "backtest", "walkforward", "round", "audit", "demo", "check"];
    /// Kinds that may take hours: workers keep other places for the rest.
    pub const LONG_KINDS: [&str; 4] = ["train", "search", "walkforward", "demo"];
    /// Kinds that a worker with a home of its own can do: they read one dataset, and what they
    /// leave are runs.
    pub const REMOTE_KINDS: [&str; 3] = ["train", "search", "walkforward"];

    /// Which kind it is.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Ingest(_) => "ingest",
            Self::Features(_) => "features",
            Self::Train(_) => "train",
            Self::Search(_) => "search",
            Self::Backtest(_) => "backtest",
            Self::Walkforward(_) => "walkforward",
            Self::Round(_) => "round",
            Self::Audit(_) => "audit",
            Self::Demo(_) => "demo",
            Self::Check(_) => "check",
        }
    }

    /// The dataset that its config names, where it has a config.
    #[must_use]
    pub fn dataset(&self) -> Option<&str> {
        match self {
            Self::Features(FeaturesJob { config })
            | Self::Train(TrainJob { config })
            | Self::Search(SearchJob { config, .. })
            | Self::Walkforward(WalkforwardJob { config, .. }) => config["dataset"].as_str(),
            _ => None,
        }
    }

    /// Does the work. Done again, or gone on with after an interruption, it comes to the same.
    ///
    /// # Errors
    /// [`JobError::Cancelled`] when the progress says so; any other saying what, where and how
    /// to fix it.
    pub fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        match self {
            Self::Ingest(job) => job.run(workspace),
            Self::Features(job) => job.run(workspace),
            Self::Train(job) => job.run(workspace),
            Self::Search(job) => job.run(workspace),
            Self::Backtest(job) => job.run(workspace),
            Self::Walkforward(job) => job.run(workspace),
            Self::Round(job) => job.run(workspace),
            Self::Audit(job) => job.run(workspace),
            Self::Demo(job) => job.run(workspace),
            Self::Check(job) => job.run(workspace),
        }
    }

    /// Refuses what can be seen to be wrong before anything runs.
    ///
    /// # Errors
    /// [`JobError::Input`] naming the field.
    pub fn check(&self) -> Result<(), JobError> {
        match self {
            Self::Ingest(job) => job.check(),
            Self::Features(FeaturesJob { config })
            | Self::Train(TrainJob { config })
            | Self::Search(SearchJob { config, .. })
            | Self::Walkforward(WalkforwardJob { config, .. }) => learn::check_config(config),
            Self::Backtest(job) => job.check(),
            Self::Round(job) => job.check(),
            Self::Audit(job) => file_name("signals", &job.signals).map(|_| ()),
            Self::Demo(_) | Self::Check(_) => Ok(()),
        }
    }
}

/// A file under `HOME/files`.
///
/// # Errors
/// [`JobError::Input`] for a name that leaves the folder, itself or by a link, or no file.
fn user_file(workspace: &Workspace, field: &str, name: &str) -> Result<PathBuf, JobError> {
    let relative = file_name(field, name)?;
    let folder = workspace.home.files();
    let path = folder.join(relative);
    let inside = |path: &Path| Some(path.canonicalize().ok()?.starts_with(folder.canonicalize().ok()?));
    match inside(&path) {
        Some(true) => Ok(path),
        Some(false) => Err(JobError::Input(format!("{field}: {name} leads out of {}", folder.display()))),
        None => Err(JobError::Input(format!("{field}: there is no {name} in {}: put it there", folder.display()))),
    }
}

/// A relative path of plain names.
fn file_name<'a>(field: &str, name: &'a str) -> Result<&'a Path, JobError> {
    let path = Path::new(name);
    let is_plain = !name.contains('\0') && path.components().all(|part| matches!(part, Component::Normal(_)));
    if name.is_empty() || !is_plain {
        let text =
            format!("{field}: `{name}` is no file under the folder `files` of the home: name it without / or ..");
        return Err(JobError::Input(text));
    }
    Ok(path)
}

/// What a job gave, as its result shows it.
fn plain<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("what jobs give is plain data")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<JobRequest, String> {
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    #[test]
    fn requests_are_told_apart_by_kind_and_know_their_fields() {
        let train = read(json!({"kind": "train", "config": {"dataset": "a/B-C/1h", "seed": 1}})).unwrap();
        assert_eq!((train.kind(), train.dataset()), ("train", Some("a/B-C/1h")));
        assert_eq!(serde_json::to_value(&train).unwrap()["kind"], "train");
        for wrong in [
            json!({"kind": "train"}),
            json!({"kind": "train", "config": {}, "out": "/etc"}),
            json!({"kind": "tran", "config": {}}),
            json!({"config": {}}),
            json!({"kind": "check", "repair": "yes"}),
            json!({"kind": "demo", "data": "x"}),
        ] {
            assert!(read(wrong.clone()).is_err(), "{wrong}");
        }
        for kind in JobRequest::LONG_KINDS.iter().chain(&JobRequest::REMOTE_KINDS) {
            assert!(JobRequest::KINDS.contains(kind), "{kind}");
        }
    }

    #[test]
    fn files_stay_in_their_folder() {
        for name in ["/etc/passwd", "../keys/signing.key", "a/../../b", "", ".", "a\0b", "./a"] {
            assert!(file_name("file", name).is_err(), "{name}");
        }
        assert!(file_name("file", "2024/candles.csv").is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_out_of_the_folder_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let progress = crate::progress::Silent;
        let workspace = Workspace::open(folder.path(), None, &progress, 1, false).unwrap();
        std::fs::create_dir_all(workspace.home.files()).unwrap();
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        std::os::unix::fs::symlink(folder.path().join("secret"), workspace.home.files().join("link")).unwrap();
        let error = user_file(&workspace, "file", "link").unwrap_err().to_string();
        assert!(error.contains("leads out of"), "{error}");
    }
}
