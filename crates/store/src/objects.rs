//! Content-addressed objects: a file whose name is the SHA-256 of its bytes.

use std::path::{Path, PathBuf};

use assay_types::Hash;

use crate::error::StoreError;
use crate::files::write_atomic;
use crate::vault::{open_sealed, read_opened, seal_file};

/// The folder of objects.
#[derive(Debug, Clone)]
pub struct Objects {
    folder: PathBuf,
    home: PathBuf,
}

impl Objects {
    pub(crate) fn new(home: &Path) -> Self {
        Self { folder: home.join("objects"), home: home.to_owned() }
    }

    /// Where the object with that hash is kept: two levels, so folders stay small.
    #[must_use]
    pub fn path(&self, hash: Hash) -> PathBuf {
        let name = hash.to_string();
        self.folder.join(&name[..2]).join(name)
    }

    /// Stores `bytes` under their hash; storing the same bytes again writes nothing, and leaves
    /// what is sealed sealed.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn put(&self, bytes: &[u8]) -> Result<Hash, StoreError> {
        let hash = Hash::of(bytes);
        let path = self.path(hash);
        // A damaged object under this name is replaced: its name says what it should be.
        let stored = std::fs::read(&path).ok();
        let opened = stored.and_then(|stored| open_sealed(&self.home, &path, &context(hash), stored).ok());
        if opened.is_some_and(|opened| opened == bytes) {
            return Ok(hash);
        }
        write_atomic(&path, bytes)?;
        Ok(hash)
    }

    /// The bytes with that hash, opened when they are sealed; `None` when there are none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the stored bytes have another hash.
    pub fn get(&self, hash: Hash) -> Result<Option<Vec<u8>>, StoreError> {
        let path = self.path(hash);
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_opened(&self.home, &path, &context(hash))?;
        let found = Hash::of(&bytes);
        if found != hash {
            let reason = format!("its SHA-256 is {found}");
            return Err(StoreError::Corrupt { path, reason, fix: "delete it and run the command that made it again" });
        }
        Ok(Some(bytes))
    }

    /// Seals the object with that hash under the home's vault; [`Objects::get`] opens it again.
    /// An object that is not there is as good as sealed.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn seal(&self, hash: Hash) -> Result<(), StoreError> {
        let path = self.path(hash);
        if path.exists() { seal_file(&self.home, &path, &context(hash)) } else { Ok(()) }
    }
}

fn context(hash: Hash) -> String {
    format!("object {hash}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_verified_on_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let objects = Objects::new(folder.path());
        let hash = objects.put(b"weights").unwrap();
        assert_eq!(objects.get(hash).unwrap().unwrap(), b"weights");
        assert_eq!(objects.get(Hash::of(b"other")).unwrap(), None);
        std::fs::write(objects.path(hash), b"weightz").unwrap();
        assert!(matches!(objects.get(hash), Err(StoreError::Corrupt { .. })));
        objects.put(b"weights").unwrap();
        assert_eq!(objects.get(hash).unwrap().unwrap(), b"weights");
    }
    #[test]
    fn a_sealed_object_opens_and_stays_sealed() {
        let home = tempfile::tempdir().unwrap();
        let objects = Objects::new(home.path());
        let hash = objects.put(b"weights").unwrap();
        objects.seal(hash).unwrap();
        let stored = std::fs::read(objects.path(hash)).unwrap();
        assert!(!stored.windows(7).any(|part| part == b"weights"));
        assert_eq!(objects.get(hash).unwrap().unwrap(), b"weights");
        objects.put(b"weights").unwrap();
        objects.seal(hash).unwrap();
        assert_eq!(std::fs::read(objects.path(hash)).unwrap(), stored);
        // One object's seal does not open in another's place.
        let other = objects.put(b"other").unwrap();
        std::fs::write(objects.path(other), &stored).unwrap();
        assert!(matches!(objects.get(other), Err(StoreError::Corrupt { .. })));
        std::fs::remove_file(home.path().join("keys/vault.key")).unwrap();
        assert!(objects.get(hash).unwrap_err().to_string().contains("vault.key"));
    }
}
