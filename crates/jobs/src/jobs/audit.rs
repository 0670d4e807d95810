//! Signals and candles into an audit.

use std::path::Path;

use assay_engine::Audit;
use assay_store::read_to_string;
use assay_types::Dataset;

use crate::error::JobError;
use crate::jobs::runs::load_dataset;
use crate::workspace::Workspace;

/// Audits the signal file on the canonical candles of `dataset`. `key` is the
/// creator's registered public key, if known.
///
/// # Errors
/// When the file or the dataset does not read, or the header does not hold.
pub fn audit_file(workspace: &Workspace, file: &Path, dataset: &Dataset, key: Option<&str>) -> Result<Audit, JobError> {
    workspace.progress.stage("audit");
    let candles = load_dataset(workspace, dataset)?;
    Ok(assay_engine::audit(&read_to_string(file)?, &candles, key)?)
}
