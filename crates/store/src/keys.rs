//! The signing key: made on first use, readable by its owner only, never printed.

use std::path::Path;

use assay_types::SigningKey;

use crate::error::StoreError;
use crate::files::{read, write_with_mode};

pub(crate) const OWNER_ONLY: u32 = 0o600;
const FIX: &str = "restore it from a backup, or move it away and a new key is made (listeners must then learn it)";

/// The Ed25519 signing key in the file at `path` (32 raw bytes), made from the
/// system's randomness when there is none.
///
/// # Errors
/// [`StoreError::Corrupt`] when the file is not 32 bytes or others may read it,
/// [`StoreError::Io`] when it cannot be read or made.
pub fn load_or_create_signing_key(path: &Path) -> Result<SigningKey, StoreError> {
    Ok(SigningKey::from_bytes(&load_or_create_secret(path)?))
}

/// Checks the key in the file at `path` without making one: whether it is there.
///
/// # Errors
/// As [`load_or_create_signing_key`].
pub fn check_key(path: &Path) -> Result<bool, StoreError> {
    if !path.exists() {
        return Ok(false);
    }
    load_or_create_secret(path).map(|_| true)
}

/// The 32 secret bytes in the file at `path`, drawn when there is none.
pub(crate) fn load_or_create_secret(path: &Path) -> Result<[u8; 32], StoreError> {
    if !path.exists() {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret)
            .map_err(|error| StoreError::io("draw randomness for", path)(std::io::Error::other(error)))?;
        write_with_mode(path, &secret, Some(OWNER_ONLY))?;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().map_err(StoreError::io("read", path))?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let reason = format!("others may read it (mode {mode:o})");
            return Err(StoreError::Corrupt { path: path.to_owned(), reason, fix: "run `chmod 600` on it" });
        }
    }
    let bytes = read(path)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| StoreError::Corrupt {
        path: path.to_owned(),
        reason: format!("a key is 32 bytes, this is {length}"),
        fix: FIX,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_made_once_and_for_its_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys/signing.key");
        let first = load_or_create_signing_key(&path).unwrap();
        assert_eq!(load_or_create_signing_key(&path).unwrap().to_bytes(), first.to_bytes());
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
            assert!(matches!(load_or_create_signing_key(&path), Err(StoreError::Corrupt { .. })));
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        std::fs::write(&path, b"short").unwrap();
        assert!(matches!(load_or_create_signing_key(&path), Err(StoreError::Corrupt { .. })));
    }
}
