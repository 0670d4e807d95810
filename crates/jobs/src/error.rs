//! What can go wrong in a job, and how a caller should take it.

use assay_chain::ChainError;
use assay_engine::EngineError;
use assay_features::FeatureError;
use assay_lake::LakeError;
use assay_model::ModelError;
use assay_sim::SimError;
use assay_store::StoreError;
use assay_store::database::DatabaseError;
use assay_train::TrainError;
use assay_validator::{SourceError, ValidatorError};

/// How a caller should take an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The work was tried and failed; trying again may help.
    Failed,
    /// The request or its input cannot work as it is.
    BadInput,
    /// A check ran and did not hold.
    CheckFailed,
}

/// An error of a job.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// The request cannot work; the text says what, where and how to fix it.
    #[error("{0}")]
    Input(String),
    /// A check did not hold.
    #[error("{0}")]
    Check(String),
    /// There is no such thing; the text says how to find those that there are.
    #[error("{0}")]
    NotFound(String),
    /// Something else is there already.
    #[error("{0}")]
    Conflict(String),
    /// The work was tried and failed.
    #[error("{0}")]
    Failed(String),
    /// The work was ended on request; what it keeps, it has kept.
    #[error("cancelled; resumed, it goes on from what it kept")]
    Cancelled,
    /// Local state.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data lake.
    #[error(transparent)]
    Lake(#[from] LakeError),
    /// Features and splits.
    #[error(transparent)]
    Features(#[from] FeatureError),
    /// The simulation.
    #[error(transparent)]
    Sim(#[from] SimError),
    /// The policy and its weights.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A chain's node.
    #[error(transparent)]
    Chain(#[from] ChainError),
    /// A database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// Rounds at work.
    #[error(transparent)]
    Validator(#[from] ValidatorError),
    /// Signals and audits.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl JobError {
    /// Whether something that the work needs is held by another process, so that it may be
    /// tried later.
    #[must_use]
    pub const fn is_in_use(&self) -> bool {
        matches!(self, Self::Store(StoreError::Locked { .. }) | Self::Lake(LakeError::Locked { .. }))
    }

    /// How a caller should take it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Check(_) => ErrorKind::CheckFailed,
            Self::Failed(_) | Self::Cancelled => ErrorKind::Failed,
            Self::Store(StoreError::Corrupt { .. }) => ErrorKind::CheckFailed,
            Self::Store(StoreError::Io { source, action: "read", .. }) if is_wrong_file(source.kind()) => {
                ErrorKind::BadInput
            }
            Self::Store(StoreError::Io { .. } | StoreError::Locked { .. }) => ErrorKind::Failed,
            Self::Engine(EngineError::OtherKey { .. } | EngineError::Header(_) | EngineError::DataHash { .. }) => {
                ErrorKind::CheckFailed
            }
            Self::Train(TrainError::Diverged { .. }) => ErrorKind::Failed,
            Self::Train(TrainError::Checkpoint(_)) => ErrorKind::CheckFailed,
            Self::Lake(error) => lake_kind(error),
            Self::Chain(error) => chain_kind(error),
            Self::Database(error) => database_kind(error),
            Self::Validator(ValidatorError::Database(error) | ValidatorError::Source(SourceError::Database(error))) => {
                database_kind(error)
            }
            Self::Validator(ValidatorError::Engine { .. } | ValidatorError::Stopped { .. }) => ErrorKind::Failed,
            _ => ErrorKind::BadInput,
        }
    }
}

/// What a file that the user named may fail with: it is not there, or no file, or no text.
const fn is_wrong_file(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind as Io;
    matches!(kind, Io::NotFound | Io::IsADirectory | Io::NotADirectory | Io::InvalidData)
}

/// Damage in the lake is a failed check, a failing disk or network a failure, and
/// anything else a matter of the input.
fn lake_kind(error: &LakeError) -> ErrorKind {
    match error {
        LakeError::HashMismatch { .. }
        | LakeError::MissingPartition { .. }
        | LakeError::CorruptPartition { .. }
        | LakeError::Manifest { .. } => ErrorKind::CheckFailed,
        // A file that the user named and that is not there.
        LakeError::Io { source, .. } if is_wrong_file(source.kind()) => ErrorKind::BadInput,
        LakeError::Io { .. }
        | LakeError::Store { .. }
        | LakeError::Locked { .. }
        | LakeError::Request { .. }
        | LakeError::Refused { .. }
        | LakeError::Malformed { .. } => ErrorKind::Failed,
        _ => ErrorKind::BadInput,
    }
}

/// A node that is away or wrong is a failure, a chain that is another one a failed check.
fn chain_kind(error: &ChainError) -> ErrorKind {
    match error {
        ChainError::Endpoint { .. } | ChainError::Invalid(_) | ChainError::NotAPool { .. } => ErrorKind::BadInput,
        ChainError::DeepReorganisation { .. } => ErrorKind::CheckFailed,
        _ => ErrorKind::Failed,
    }
}

/// What the database holds may be wrong, the database may be away, or the request be wrong.
fn database_kind(error: &DatabaseError) -> ErrorKind {
    match error {
        DatabaseError::Damaged { .. } | DatabaseError::Vanished { .. } | DatabaseError::Reorganised { .. } => {
            ErrorKind::CheckFailed
        }
        DatabaseError::Sql { .. }
        | DatabaseError::TimedOut { .. }
        | DatabaseError::Log { .. }
        | DatabaseError::ServerReplaced { .. } => ErrorKind::Failed,
        _ => ErrorKind::BadInput,
    }
}
