//! How far a job is.

use std::fmt;
use std::str::FromStr;

/// How far a scheduled job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobStatus {
    /// Waits for a worker.
    Queued,
    /// A worker has it under a lease.
    Running,
    /// A worker has it and is asked to end it.
    Cancelling,
    /// Ended on request; it can be resumed.
    Cancelled,
    /// Ended with an error; it can be resumed.
    Failed,
    /// Ended with a result.
    Done,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Running, Self::Cancelling, Self::Cancelled, Self::Failed, Self::Done];

    /// The word in the database and in interfaces.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Cancelling => "cancelling",
            Self::Cancelled => "cancelled",
            Self::Failed => "failed",
            Self::Done => "done",
        }
    }

    /// Whether nothing happens to the job any more unless it is resumed.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Cancelled | Self::Failed | Self::Done)
    }
}

impl fmt::Display for JobStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for JobStatus {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|status| status.name() == word)
            .ok_or_else(|| format!("`{word}` is none of {}", Self::ALL.map(Self::name).join(", ")))
    }
}
