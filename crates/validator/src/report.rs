//! What a validator says while it works.

use std::fmt;
use std::sync::Arc;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// A round began.
    Started {
        /// The round.
        round_id: String,
        /// Miners that take part.
        miners: usize,
        /// Milliseconds of the source's clock after the start block's time.
        late_ms: u64,
        /// Whether another run of the program had begun it.
        resumed: bool,
    },
    /// The answers of a checkpoint are in.
    Answered {
        /// The round.
        round_id: String,
        /// The checkpoint.
        checkpoint: u32,
        /// Miners asked, and those of them with a usable answer.
        asked: usize,
        /// Miners with an answer that reads.
        answered: usize,
    },
    /// A round was judged; it is being stored.
    Judged {
        /// The round.
        round_id: String,
        /// Hash of its record.
        record_hash: String,
        /// Its winner.
        winner: Option<String>,
    },
    /// A round's record and scores are in the database.
    Stored {
        /// The round.
        round_id: String,
    },
    /// A round did not take place or did not count.
    Failed {
        /// The round.
        round_id: String,
        /// Why.
        reason: String,
    },
    /// The jobs database is away; rounds go on and are kept in memory.
    Waiting {
        /// The job.
        job_id: String,
        /// Changes that wait.
        queued: usize,
        /// What the database says.
        reason: String,
    },
    /// A job cannot go on; others do.
    Stopped {
        /// The job.
        job_id: String,
        /// Why.
        reason: String,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { round_id, miners, late_ms, resumed } => {
                let verb = if *resumed { "resumed" } else { "started" };
                write!(f, "{round_id} {verb} with {miners} miners, {late_ms} ms after its first block")
            }
            Self::Answered { round_id, checkpoint, asked, answered } => {
                write!(f, "{round_id} checkpoint {checkpoint}: {answered} of {asked} miners answered")
            }
            Self::Judged { round_id, record_hash, winner } => {
                let winner = winner.as_deref().unwrap_or("nobody");
                write!(f, "{round_id} is won by {winner}, record {record_hash}")
            }
            Self::Stored { round_id } => write!(f, "{round_id} is stored"),
            Self::Failed { round_id, reason } => write!(f, "{round_id} does not count: {reason}"),
            Self::Waiting { job_id, queued, reason } => {
                write!(f, "{job_id}: {queued} changes wait for the database: {reason}")
            }
            Self::Stopped { job_id, reason } => write!(f, "{job_id} stopped: {reason}"),
        }
    }
}

/// Where reports go.
#[derive(Clone)]
pub struct Reporter(Arc<dyn Fn(Report) + Send + Sync>);

impl Reporter {
    /// Gives every report to a function, which must not block.
    pub fn new(report: impl Fn(Report) + Send + Sync + 'static) -> Self {
        Self(Arc::new(report))
    }

    /// Says nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    pub(crate) fn say(&self, report: Report) {
        (self.0)(report);
    }
}

impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Reporter")
    }
}
