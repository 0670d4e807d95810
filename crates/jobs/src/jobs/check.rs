//! Integrity of the lake, and its repair.

use assay_lake::{ExchangeClient, LakeError, Problem, ProblemKind};
use assay_types::Dataset;
use serde::Serialize;

use crate::error::JobError;
use crate::jobs::fetch::client;
use crate::workspace::Workspace;

/// What to check.
#[derive(Debug, Clone)]
pub struct Check {
    /// One dataset; `None` for all.
    pub dataset: Option<Dataset>,
    /// Whether to fetch damaged and missing ranges again.
    pub repair: bool,
    /// Another address for the exchange's interface.
    pub base_url: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Checked {
    /// The datasets that were read.
    pub datasets: Vec<CheckedDataset>,
    /// What is wrong now, after any repair.
    pub problems: Vec<FoundProblem>,
    /// What a repair mended, in words.
    pub repaired: Vec<String>,
}

/// One dataset that was read.
#[derive(Debug, Clone, Serialize)]
pub struct CheckedDataset {
    /// Its name.
    pub dataset: String,
    /// Partitions read.
    pub partitions: u64,
    /// Rows read.
    pub rows: u64,
}

/// One finding.
#[derive(Debug, Clone, Serialize)]
pub struct FoundProblem {
    /// `damage` fails the check; a `notice` (a gap, a left-over file) does not, since
    /// exchanges have outages.
    pub severity: &'static str,
    /// The dataset.
    pub dataset: String,
    /// Kind, object, time range and words.
    #[serde(flatten)]
    pub problem: Problem,
    /// The words alone.
    #[serde(skip)]
    pub detail: String,
    /// Why a repair left it; `None` without a repair.
    pub left_because: Option<String>,
}

impl FoundProblem {
    /// A manifest that does not read, which hides everything else of its dataset.
    fn manifest(dataset: &Dataset, error: &LakeError) -> Self {
        let detail = error.to_string();
        let kind = ProblemKind::CorruptPartition;
        let problem = Problem { kind, object: "manifest.json".into(), from_ms: 0, to_ms: 0, detail: detail.clone() };
        Self { severity: "damage", dataset: dataset.to_string(), problem, detail, left_because: None }
    }
}

impl Checked {
    /// Whether no data are damaged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity != "damage")
    }
}

impl Check {
    /// Runs the check, and the repair if asked for.
    ///
    /// # Errors
    /// When a dataset does not exist, its manifest is damaged or the store fails.
    pub fn run(self, workspace: &Workspace) -> Result<Checked, JobError> {
        workspace.progress.stage("check");
        let datasets = match self.dataset {
            Some(dataset) => vec![dataset],
            None => workspace.lake.wait(workspace.lake.lake().datasets())?,
        };
        let mut checked = Checked::default();
        for dataset in datasets {
            workspace.go_on()?;
            let manifest = match workspace.lake.manifest(&dataset) {
                Ok(manifest) => manifest,
                Err(error @ LakeError::Manifest { .. }) => {
                    checked.problems.push(FoundProblem::manifest(&dataset, &error));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let (partitions, rows) = (manifest.partitions.len() as u64, manifest.rows());
            checked.datasets.push(CheckedDataset { dataset: dataset.to_string(), partitions, rows });
            let mut found = |problem: Problem, left_because: Option<String>| {
                let notice = matches!(problem.kind, ProblemKind::Gap | ProblemKind::UnnamedFile);
                checked.problems.push(FoundProblem {
                    severity: if notice { "notice" } else { "damage" },
                    dataset: dataset.to_string(),
                    detail: problem.detail.clone(),
                    problem,
                    left_because,
                });
            };
            if self.repair && !workspace.dry_run {
                let client: ExchangeClient = client(&dataset.market.exchange, self.base_url.as_deref())?;
                let report = workspace.lake.repair(&client, &dataset)?;
                // A message that begins with an address says that the exchange was not reached.
                if let Some(left) = report.left.iter().find(|left| left.reason.starts_with("http")) {
                    return Err(JobError::Failed(format!("cannot repair {dataset}: {}", left.reason)));
                }
                report.left.into_iter().for_each(|left| found(left.problem, Some(left.reason)));
                checked.repaired.extend(report.repaired.into_iter().map(|problem| problem.detail));
            } else {
                workspace.lake.check(&dataset)?.into_iter().for_each(|problem| found(problem, None));
            }
        }
        for set in workspace.lake.wait(workspace.lake.lake().trade_sets())? {
            for problem in workspace.lake.wait(workspace.lake.lake().check_trades(&set))? {
                let notice = matches!(problem.kind, ProblemKind::UnnamedFile);
                checked.problems.push(FoundProblem {
                    severity: if notice { "notice" } else { "damage" },
                    dataset: set.to_string(),
                    detail: problem.detail.clone(),
                    problem,
                    left_because: None,
                });
            }
        }
        Ok(checked)
    }
}
