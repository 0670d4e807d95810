//! What can go wrong with local state, each with the way out.

use std::io;
use std::path::{Path, PathBuf};

/// An error of local state.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}{}", hint(.source))]
    Io {
        /// What was tried: `read`, `write`, `create`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why the system refused.
        source: io::Error,
    },
    /// Another process holds the lock.
    #[error("{what} is in use by another assay process{holder}; wait for it to finish, stop it, or use another --home")]
    Locked {
        /// What the lock guards.
        what: String,
        /// ` (pid N)` when the holder left its number, else empty.
        holder: String,
    },
    /// A file holds other bytes than its name or checksum says.
    #[error("{path} is damaged: {reason}; {fix}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        reason: String,
        /// How to get out.
        fix: &'static str,
    },
    /// Nothing with that id exists.
    #[error("no {what} `{id}` in {home}; {fix}")]
    NotFound {
        /// Kind of thing.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// The home folder searched.
        home: PathBuf,
        /// The command that lists what exists.
        fix: &'static str,
    },
    /// An id prefix that fits several things.
    #[error("`{id}` fits several {what}s ({matches}); give more digits")]
    Ambiguous {
        /// Kind of thing.
        what: &'static str,
        /// What was asked for.
        id: String,
        /// The first matches.
        matches: String,
    },
}

impl StoreError {
    /// An [`StoreError::Io`] for `path`, as a function to pass to `map_err`.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "; free some space or point --home to another disk"
        }
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => {
            "; point --home (or ASSAY_HOME) to a folder that you can write"
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "; a file stands where a folder is needed: point --home (or ASSAY_HOME) elsewhere"
        }
        _ => "",
    }
}
