//! One writer per dataset: a lock file that the system frees when its process ends,
//! however it ends.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::LakeError;

/// Held while a dataset is written; freed when dropped.
#[derive(Debug)]
pub(crate) struct WriteLock(#[allow(dead_code, reason = "the lock lives as long as the open file")] File);

impl WriteLock {
    /// Takes the lock of `dataset` under `root`.
    ///
    /// # Errors
    /// [`LakeError::Locked`] when another process holds it.
    pub(crate) fn take(root: &Path, dataset: &str) -> Result<Self, LakeError> {
        let folder = root.join("locks");
        std::fs::create_dir_all(&folder).map_err(|source| LakeError::io(folder.display(), source))?;
        let path = folder.join(format!("{}.lock", dataset.replace('/', "_")));
        let file = File::options().create(true).truncate(false).write(true).open(&path);
        let file = file.map_err(|source| LakeError::io(path.display(), source))?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(LakeError::Locked { dataset: dataset.to_owned() }),
            Err(TryLockError::Error(source)) => Err(LakeError::io(path.display(), source)),
        }
    }
}
