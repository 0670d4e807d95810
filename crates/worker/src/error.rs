//! What can go wrong with a worker.

use std::io;

use assay_lake::LakeError;
use assay_store::StoreError;
use assay_store::database::DatabaseError;
use tonic::{Code, Status};

/// An error of a worker.
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The platform database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The worker's files.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The worker's copy of a dataset.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// An address that no server can have.
    #[error("--join {url}: {reason}; give http://HOST:PORT or https://HOST:PORT")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The server refuses, or cannot be reached.
    #[error("the server did not {action}: {}{}", words(.status), hint(.status))]
    Server {
        /// What was asked for.
        action: &'static str,
        /// What it says.
        status: Box<Status>,
    },
    /// The process of a job.
    #[error("cannot {action} the process of a job: {source}")]
    Process {
        /// What was tried.
        action: &'static str,
        /// Why the system refused.
        source: io::Error,
    },
}

fn words(status: &Status) -> String {
    use std::error::Error as _;
    let cause = status.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
    format!("{}{cause}", if status.message().is_empty() { status.code().description() } else { status.message() })
}

fn hint(status: &Status) -> &'static str {
    match status.code() {
        Code::Unauthenticated => "; set ASSAY_API_KEY, or give --key-file, to a key that holds",
        Code::PermissionDenied => "; a worker needs a key with the scope admin",
        _ => "",
    }
}

impl WorkerError {
    /// Whether the job is another worker's now.
    #[must_use]
    pub fn is_lease_lost(&self) -> bool {
        match self {
            Self::Database(DatabaseError::LeaseLost { .. }) => true,
            Self::Server { status, .. } => status.code() == Code::Aborted,
            _ => false,
        }
    }

    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Database(error) => error.is_retryable(),
            Self::Lake(error) => error.is_retryable(),
            // A connection that breaks in the middle of a call is told as unknown.
            Self::Server { status, .. } => matches!(
                status.code(),
                Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted | Code::Unknown | Code::Cancelled
            ),
            _ => false,
        }
    }
}
