//! What stops a validator, or one of its jobs.

use assay_lp::LpError;
use assay_store::database::DatabaseError;

use crate::source::SourceError;

/// Why a validator or a job cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ValidatorError {
    /// The jobs database.
    #[error("the jobs database: {0}")]
    Database(#[from] DatabaseError),
    /// The pool's events.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The engine.
    #[error("job {job_id}: {source}")]
    Engine {
        /// The job.
        job_id: String,
        /// Why not.
        source: Box<LpError>,
    },
    /// A job that was asked for is not there.
    #[error("there is no job `{job_id}`; `assay lp job list` shows the jobs there are")]
    UnknownJob {
        /// Its name.
        job_id: String,
    },
    /// A stored job does not read.
    #[error("job {job_id} as stored does not read: {reason}; add it again from its file")]
    StoredJob {
        /// The job.
        job_id: String,
        /// What is wrong.
        reason: String,
    },
    /// Part of the validator ended by a panic.
    #[error("job {job_id} stopped: {reason}")]
    Stopped {
        /// The job.
        job_id: String,
        /// What was seen.
        reason: String,
    },
}
