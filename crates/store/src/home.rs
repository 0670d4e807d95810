//! The home folder: where everything local lives.

use std::path::{Path, PathBuf};

use assay_types::SigningKey;

use crate::error::StoreError;
use crate::files::write_atomic;
use crate::keys::load_or_create_signing_key;
use crate::lock::Lock;
use crate::objects::Objects;
use crate::runs::Runs;
use crate::trials::Trials;
use crate::vault::{KEY_FILE, Vault};

/// The home folder.
///
/// ```text
/// lake/         candles and trades
/// features/     computed feature tables, by feature hash
/// runs/ID/      one training run
/// objects/      artefacts by SHA-256
/// trials.jsonl  every evaluation on a test period
/// keys/         the signing key, and the key of the vault
/// files/        what users give to jobs
/// backtests/    reports of scheduled back-tests
/// staging/      files of jobs that run elsewhere, before their end
/// locks/        lock files
/// stop          there while everything that sends is stopped
/// database      which platform database the server of this home works on
/// ```
#[derive(Debug, Clone)]
pub struct Home {
    path: PathBuf,
}

impl Home {
    /// The home at `path`, created if missing.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be made.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(path).map_err(StoreError::io("create", path))?;
        Ok(Self { path: path.to_owned() })
    }

    /// The home at `path`, whether it exists or not: for looking without making anything.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// The folder itself.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where candles and trades are.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.path.join("lake")
    }

    /// Where the files are that users give to jobs.
    #[must_use]
    pub fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Where computed feature tables are.
    #[must_use]
    pub fn features(&self) -> PathBuf {
        self.path.join("features")
    }

    /// The runs.
    #[must_use]
    pub fn runs(&self) -> Runs {
        Runs::new(&self.path)
    }

    /// The content-addressed objects.
    #[must_use]
    pub fn objects(&self) -> Objects {
        Objects::new(&self.path)
    }

    /// The trials.
    #[must_use]
    pub fn trials(&self) -> Trials {
        Trials::new(&self.path)
    }

    /// Whether a signing key was made already.
    #[must_use]
    pub fn has_signing_key(&self) -> bool {
        self.signing_key_path().exists()
    }

    /// The signing key, made on first use.
    ///
    /// # Errors
    /// As [`load_or_create_signing_key`].
    pub fn signing_key(&self) -> Result<SigningKey, StoreError> {
        let path = self.signing_key_path();
        // Two first uses at once must not each make a key and keep different ones.
        let _lock = if path.exists() { None } else { Some(self.lock("signing key")?) };
        load_or_create_signing_key(&path)
    }

    /// The vault that seals this home's secrets, its key made on first use.
    ///
    /// # Errors
    /// As [`Vault::open`].
    pub fn vault(&self) -> Result<Vault, StoreError> {
        let path = self.path.join(KEY_FILE);
        let _lock = if path.exists() { None } else { Some(self.lock("vault key")?) };
        Vault::open(&path)
    }

    /// Whether some process holds the lock named `what` now.
    #[must_use]
    pub fn is_locked(&self, what: &str) -> bool {
        Lock::is_held(&self.lock_path(what))
    }

    fn lock_path(&self, what: &str) -> PathBuf {
        let name: String = what.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        self.path.join("locks").join(format!("{name}.lock"))
    }

    /// Where the signing key and the vault's key are, whether they were made already or not.
    #[must_use]
    pub fn key_files(&self) -> [PathBuf; 2] {
        [self.signing_key_path(), self.path.join(KEY_FILE)]
    }

    /// Notes which platform database the server of this home works on, in words without secrets.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn note_database(&self, shown: &str) -> Result<(), StoreError> {
        if self.noted_database().as_deref() == Some(shown) {
            return Ok(());
        }
        write_atomic(&self.path.join("database"), shown.as_bytes())
    }

    /// Which platform database the last server of this home worked on; `None` before the first.
    #[must_use]
    pub fn noted_database(&self) -> Option<String> {
        std::fs::read_to_string(self.path.join("database")).ok()
    }

    fn signing_key_path(&self) -> PathBuf {
        self.path.join("keys/signing.key")
    }

    /// Takes the lock named `what` of this home.
    ///
    /// # Errors
    /// As [`Lock::take`].
    pub fn lock(&self, what: &str) -> Result<Lock, StoreError> {
        Lock::take(&self.lock_path(what), what)
    }
}
