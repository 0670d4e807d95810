//! The stop mark: a file that holds back everything that sends, also after a restart.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::files::{read, write_atomic};
use crate::home::Home;

/// Who stopped, when and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopMark {
    /// When, ISO-8601 UTC.
    pub at: String,
    /// Who: a user, a credential or a command.
    pub by: String,
    /// Why, in the words of whoever stopped.
    pub reason: String,
}

/// The stop mark of a home folder. While its file is there nothing may be sent; any file of
/// that name counts, an empty one made by hand too.
#[derive(Debug, Clone)]
pub struct Stop {
    path: PathBuf,
}

impl Stop {
    /// The mark of `home`.
    #[must_use]
    pub fn at(home: &Home) -> Self {
        Self { path: home.path().join("stop") }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether sending is stopped. A folder that cannot be looked into counts as stopped.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        match std::fs::symlink_metadata(&self.path) {
            Ok(_) => true,
            Err(error) => !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory),
        }
    }

    /// Who stopped, when and why; `None` when nothing is stopped. A file that is no mark of
    /// ours still stops, with its text as the reason.
    #[must_use]
    pub fn mark(&self) -> Option<StopMark> {
        if !self.is_stopped() {
            return None;
        }
        let bytes = read(&self.path).unwrap_or_default();
        Some(serde_json::from_slice(&bytes).unwrap_or_else(|_| {
            let reason = String::from_utf8_lossy(&bytes).trim().chars().take(200).collect();
            StopMark { at: String::new(), by: "file".to_owned(), reason }
        }))
    }

    /// Stops; a mark that is there already stays as it is.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be written.
    pub fn set(&self, mark: &StopMark) -> Result<(), StoreError> {
        if self.is_stopped() {
            return Ok(());
        }
        write_atomic(&self.path, &serde_json::to_vec_pretty(mark).expect("plain data"))
    }

    /// Lets sending go on; whether there was a mark.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the file cannot be removed: then everything stays stopped.
    pub fn clear(&self) -> Result<bool, StoreError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("remove", &self.path)(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_outlives_whoever_set_it_and_any_file_stops() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::open(folder.path()).unwrap();
        let stop = Stop::at(&home);
        assert!(!stop.is_stopped() && stop.mark().is_none() && !stop.clear().unwrap());
        let mark = StopMark { at: "2024-01-01T00:00:00Z".into(), by: "owner".into(), reason: "storm".into() };
        stop.set(&mark).unwrap();
        stop.set(&StopMark { reason: "later".into(), ..mark.clone() }).unwrap();
        assert_eq!(Stop::at(&home).mark(), Some(mark));
        assert!(stop.clear().unwrap() && !stop.is_stopped());
        std::fs::write(stop.path(), "by hand\n").unwrap();
        assert_eq!(stop.mark().map(|mark| mark.reason), Some("by hand".to_owned()));
        stop.clear().unwrap();
        std::fs::create_dir(stop.path()).unwrap();
        assert!(stop.is_stopped() && stop.clear().is_err());
    }
}
