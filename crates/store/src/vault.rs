//! Secrets at rest: sealed under one key of the home folder, which its owner alone may read.

use std::path::Path;

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use assay_types::Hash;

use crate::error::StoreError;
use crate::files::{read, write_with_mode};
use crate::home::Home;
use crate::keys::{OWNER_ONLY, load_or_create_secret};

const HEAD: &[u8] = b"assay/sealed/1\n";
const NONCE_BYTES: usize = 24;
/// What the hash of a key begins with, so that it is of no use elsewhere.
const FINGERPRINT: &[u8] = b"assay/vault-fingerprint/1\n";
const FINGERPRINT_DIGITS: usize = 32;
const FIX: &str = "restore it and `keys/vault.key` from the same backup";

/// Seals and opens with XChaCha20-Poly1305. A sealed text holds a random nonce and is bound to
/// a context, so that it cannot be put in another's place.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    fingerprint: String,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault([hidden])")
    }
}

impl Vault {
    /// The vault whose key is the file at `path` (32 bytes), made on first use.
    ///
    /// # Errors
    /// As [`crate::load_or_create_signing_key`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let key = load_or_create_secret(path)?;
        let hash = Hash::of(&[FINGERPRINT, key.as_slice()].concat()).to_string();
        let fingerprint = hash[..FINGERPRINT_DIGITS].to_owned();
        Ok(Self { cipher: XChaCha20Poly1305::new(&key.into()), fingerprint })
    }

    /// Tells this vault's key from others without telling the key: 32 hex digits of a hash.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Whether `bytes` were sealed by some vault.
    #[must_use]
    pub fn is_sealed(bytes: &[u8]) -> bool {
        bytes.starts_with(HEAD)
    }

    /// Seals `plain` for `context`, such as `destination 1234`.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the system gives no randomness.
    pub fn seal(&self, context: &str, plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|error| StoreError::io("draw randomness for", Path::new(context))(std::io::Error::other(error)))?;
        let payload = Payload { msg: plain, aad: context.as_bytes() };
        let sealed = self.cipher.encrypt(&XNonce::from(nonce), payload).expect("a text in memory is short enough");
        Ok([HEAD, &nonce, &sealed].concat())
    }

    /// Opens what was sealed for `context`.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it is damaged, was sealed for another context, or under
    /// another key.
    pub fn unseal(&self, context: &str, sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        let corrupt = |reason: &str| StoreError::Corrupt { path: context.into(), reason: reason.to_owned(), fix: FIX };
        let rest = sealed.strip_prefix(HEAD).ok_or_else(|| corrupt("it is not sealed"))?;
        let (nonce, text) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(|| corrupt("it is cut off"))?;
        let payload = Payload { msg: text, aad: context.as_bytes() };
        self.cipher
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| corrupt("it does not open with this home's key, or belongs elsewhere"))
    }
}

/// The vault's key in the home folder.
pub(crate) const KEY_FILE: &str = "keys/vault.key";

/// The bytes of the file at `path`, opened when they are sealed for `context` under the key of
/// the home folder `home`.
pub(crate) fn read_opened(home: &Path, path: &Path, context: &str) -> Result<Vec<u8>, StoreError> {
    open_sealed(home, path, context, read(path)?)
}

/// `bytes` of the file at `path` as [`read_opened`] gives them.
pub(crate) fn open_sealed(home: &Path, path: &Path, context: &str, bytes: Vec<u8>) -> Result<Vec<u8>, StoreError> {
    if !Vault::is_sealed(&bytes) {
        return Ok(bytes);
    }
    let corrupt = |reason: String| StoreError::Corrupt { path: path.to_owned(), reason, fix: FIX };
    let key = home.join(KEY_FILE);
    if !key.exists() {
        return Err(corrupt(format!("it is sealed and its key {} is not there", key.display())));
    }
    Vault::open(&key)?.unseal(context, &bytes).map_err(|error| match error {
        StoreError::Corrupt { reason, .. } => corrupt(reason),
        other => other,
    })
}

/// Seals the file at `path` in place for `context`; a file that is sealed stays as it is.
pub(crate) fn seal_file(home: &Path, path: &Path, context: &str) -> Result<(), StoreError> {
    let bytes = read(path)?;
    if Vault::is_sealed(&bytes) {
        return Ok(());
    }
    let sealed = Home::at(home).vault()?.seal(context, &bytes)?;
    write_with_mode(path, &sealed, Some(OWNER_ONLY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_in_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(&folder.path().join("keys/vault.key")).unwrap();
        let sealed = vault.seal("webhook 1", b"hunter2").unwrap();
        assert!(Vault::is_sealed(&sealed) && !sealed.windows(7).any(|part| part == b"hunter2"));
        assert_ne!(vault.seal("webhook 1", b"hunter2").unwrap(), sealed);
        let again = Vault::open(&folder.path().join("keys/vault.key")).unwrap();
        assert_eq!(again.unseal("webhook 1", &sealed).unwrap(), b"hunter2");
        let other = Vault::open(&folder.path().join("keys/other.key")).unwrap();
        assert_eq!((vault.fingerprint().len(), vault.fingerprint()), (32, again.fingerprint()));
        assert_ne!(vault.fingerprint(), other.fingerprint());
        assert!(other.unseal("webhook 1", &sealed).is_err());
        assert!(again.unseal("webhook 2", &sealed).is_err());
        for at in [0, 20, sealed.len() - 1] {
            let mut bad = sealed.clone();
            bad[at] ^= 1;
            assert!(again.unseal("webhook 1", &bad).is_err());
        }
        assert!(again.unseal("webhook 1", &sealed[..20]).is_err());
    }
}
