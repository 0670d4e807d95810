//! Content-addressed objects: a file whose name is the SHA-256 of its bytes.

use std::path::PathBuf;

use assay_types::Hash;

use crate::error::StoreError;
use crate::files::{read, write_atomic};

/// The folder of objects.
#[derive(Debug, Clone)]
pub struct Objects {
    folder: PathBuf,
}

impl Objects {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Where the object with that hash is kept: two levels, so folders stay small.
    #[must_use]
    pub fn path(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// Stores `bytes` under their hash; storing the same bytes again writes nothing.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        let hash = Hash::of(bytes);
        let path = self.path(hash);
        // A damaged object under this name is replaced: its name says what it should be.
        if std::fs::read(&path).is_ok_and(|stored| stored == bytes) {
            return Ok(hash);
        }
        write_atomic(&path, bytes)?;
        Ok(hash)
    }

    /// The bytes with that hash; `None` when there are none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored bytes have another hash.
    pub fn get(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(hash);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read(&path)?;
        let found = Hash::of(&bytes);
        if found != hash {
            let reason = format!("its SHA-256 is {found}");
            return Err(StoreError::Corrupt { path, reason, fix: "delete it and run the command that made it again" });
        }
        Ok(Some(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_verified_on_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::new(folder.path().to_owned());
        let hash = objects.put(b"weights").unwrap();
        assert_eq!(objects.get(hash).unwrap().unwrap(), b"weights");
        assert_eq!(objects.get(Hash::of(b"other")).unwrap(), None);
        std::fs::write(objects.path(hash), b"weightz").unwrap();
        assert!(matches!(objects.get(hash), Err(StoreError::Corrupt { .. })));
        objects.put(b"weights").unwrap();
        assert_eq!(objects.get(hash).unwrap().unwrap(), b"weights");
    }
}
