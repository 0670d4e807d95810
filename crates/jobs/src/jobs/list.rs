//! What the lake holds.

use assay_types::{Dataset, Gap};
use serde::Serialize;

use crate::error::JobError;
use crate::workspace::Workspace;

/// Everything in the lake.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// One entry per dataset, in order of names.
    pub datasets: Vec<ListedDataset>,
    /// Every partition of every candle dataset.
    pub partitions: Vec<ListedPartition>,
}

/// One dataset.
#[derive(Debug, Clone, Serialize)]
pub struct ListedDataset {
    /// Its name.
    pub dataset: String,
    /// Rows stored.
    pub rows: u64,
    /// Time of the first row, milliseconds since 1970 UTC.
    pub first_ms: i64,
    /// Time of the last row, milliseconds since 1970 UTC.
    pub last_ms: i64,
    /// Holes between first and last; empty for trades.
    pub gaps: Vec<Gap>,
    /// Candles missing in all gaps.
    pub missing: u64,
    /// How many partitions it has.
    pub partition_count: usize,
}

/// One partition.
#[derive(Debug, Clone, Serialize)]
pub struct ListedPartition {
    /// Its dataset.
    pub dataset: String,
    /// Name, such as `2024-01`.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// SHA-256 of the file.
    pub sha256: String,
}

/// Lists candles and trades.
///
/// # Errors
/// When a manifest is damaged or the store fails.
pub fn list(workspace: &Workspace) -> Result<Listed, JobError> {
    let (mut datasets, mut partitions) = (Vec::new(), Vec::new());
    for coverage in workspace.lake.list()? {
        let dataset: Dataset = coverage.dataset;
        let manifest = workspace.lake.manifest(&dataset)?;
        partitions.extend(manifest.partitions.iter().map(|(name, partition)| ListedPartition {
            dataset: dataset.to_string(),
            name: name.clone(),
            rows: partition.rows,
            sha256: partition.sha256.to_string(),
        }));
        datasets.push(ListedDataset {
            dataset: dataset.to_string(),
            rows: coverage.rows,
            first_ms: coverage.first_ms,
            last_ms: coverage.last_ms,
            gaps: coverage.gaps,
            missing: coverage.missing,
            partition_count: manifest.partitions.len(),
        });
    }
    for coverage in workspace.lake.list_trades()? {
        datasets.push(ListedDataset {
            dataset: coverage.dataset.to_string(),
            rows: coverage.rows,
            first_ms: coverage.first_ms,
            last_ms: coverage.last_ms,
            gaps: Vec::new(),
            missing: 0,
            partition_count: 0,
        });
    }
    Ok(Listed { datasets, partitions })
}
