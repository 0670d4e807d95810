//! Pool state files.

use std::path::Path;

use assay_amm::snapshot::{Snapshot, SnapshotError, decode};
use assay_store::read_to_string;

use crate::error::JobError;

/// Reads the pool state at `path`.
///
/// # Errors
/// When there is no such file, or it is no state of a known kind.
pub fn read_state(path: &Path) -> Result<Snapshot, JobError> {
    let text = read_to_string(path)?;
    if !text.trim_start().starts_with('{') {
        let text = format!("{}: a pool state is one JSON object, and the file does not begin with {{", path.display());
        return Err(JobError::Input(text));
    }
    decode(&text).map_err(|error| in_state(path, &error))
}

/// What is wrong with the state file at `path`.
pub fn in_state(path: &Path, error: &SnapshotError) -> JobError {
    let text = error.to_string();
    // The path says already what the engine, which knows no paths, begins with.
    let text = text.strip_prefix("the state file: ").unwrap_or(&text);
    JobError::Input(format!("{}: {text}", path.display()))
}
