//! Where round records are kept: one file each, named by round and hash.

use std::path::{Path, PathBuf};

use assay_lp::RoundRecord;
use assay_store::{Home, StoreError, write_atomic};
use assay_types::Hash;

use crate::error::JobError;

/// Fewest digits of a hash that name a record.
const HASH_DIGITS: usize = 8;

/// The folder of records in a home.
#[must_use]
pub fn folder(home: &Home) -> PathBuf {
    home.path().join("rounds")
}

/// Keeps a record's canonical JSON as `JOB/ROUND.HASH.json` below `folder`; the same record
/// again is the same file.
///
/// # Errors
/// [`StoreError::Io`].
pub fn keep(folder: &Path, record: &RoundRecord) -> Result<PathBuf, StoreError> {
    let name = format!("{}.{}.json", record.round_id, record.hash());
    let path = folder.join(&record.job.job_id).join(name);
    write_atomic(&path, &record.canonical())?;
    Ok(path)
}

/// The hash that a record's file is named by.
#[must_use]
pub fn hash_in_name(path: &Path) -> Option<Hash> {
    path.file_stem()?.to_str()?.rsplit_once('.')?.1.parse().ok()
}

/// The file of a record: a path, a round's id, or the first digits of a record's hash.
///
/// # Errors
/// [`JobError::Input`] when there is none, or more than one.
pub fn find(home: &Home, text: &str) -> Result<PathBuf, JobError> {
    let path = Path::new(text);
    if path.is_file() || text.contains(['/', '\\']) {
        return Ok(path.to_owned());
    }
    let folder = folder(home);
    let mut found = Vec::new();
    for job in entries(&folder)? {
        for file in entries(&job)? {
            let name = file.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.rsplit_once('.'));
            let Some((round_id, hash)) = name else { continue };
            if round_id == text || text.len() >= HASH_DIGITS && hash.starts_with(text) {
                found.push(file);
            }
        }
    }
    found.sort();
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(JobError::Input(format!(
            "{text}: no such file, and no record of that round or hash in {}",
            folder.display()
        ))),
        several => {
            let hashes: Vec<String> =
                several.iter().filter_map(|path| hash_in_name(path)).map(|hash| hash.to_string()).collect();
            let text = format!(
                "{text}: {} records are of that round; name one by its hash: {}",
                several.len(),
                hashes.join(", ")
            );
            Err(JobError::Input(text))
        }
    }
}

/// What is in a folder; nothing when there is none.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, JobError> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.filter_map(|entry| Some(entry.ok()?.path())).collect()),
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(error) => Err(StoreError::io("read", folder)(error).into()),
    }
}
