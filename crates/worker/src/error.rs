//! What can go wrong with a worker.

use std::io;

use assay_store::StoreError;
use assay_store::database::DatabaseError;

/// An error of a worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The platform database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The worker's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The process of a job.
    #[error("cannot {action} the process of a job: {source}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// Why the system refused.
        source: io::Error,
    },
}

impl WorkerError {
    /// Whether the job is another worker's now.
    #[must_use]
    pub const fn is_lease_lost(&self) -> bool {
        matches!(self, Self::Database(DatabaseError::LeaseLost { .. }))
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            // What stood in the way of the files, such as a lock or a full disk, may go.
            Self::Database(DatabaseError::Publish { .. }) => true,
            Self::Database(error) => error.is_retryable(),
            _ => false,
        }
    }
}
