//! What can go wrong with a database.

/// An error of a database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// A location that is neither a file nor PostgreSQL.
    #[error("`{given}` is no database: give the path of a SQLite file, or postgres://USER@HOST/DATABASE")]
    Location {
        /// What was given, without what may be secret.
        given: String,
    },
    /// The database refused, or could not be reached.
    #[error("the database cannot {action}: {source}")]
    Sql {
        /// What was tried.
        action: &'static str,
        /// What the driver says.
        source: sqlx::Error,
    },
    /// The database did not answer in time; whether a change was made is unknown.
    #[error("the database did not {action} within {seconds} s; check that its server is well and not overloaded")]
    TimedOut {
        /// What was tried.
        action: &'static str,
        /// How long was waited.
        seconds: u64,
    },
    /// The tables are of a later version of this program.
    #[error("the tables of {what} are of version {found}, this program knows {known}: use the newer assay")]
    TooNew {
        /// Which database.
        what: &'static str,
        /// The version of its tables.
        found: i64,
        /// The last version known here.
        known: i64,
    },
    /// The tables are missing or of an earlier version, and this side may not make them.
    #[error("the tables of {what} are of version {found}, this program needs {known}: start its writer first")]
    NotReady {
        /// Which database.
        what: &'static str,
        /// The version of its tables, 0 for none.
        found: i64,
        /// The version needed.
        known: i64,
    },
    /// A stored value is not what its column holds.
    #[error("column {column} holds `{value}`, which it never should: restore the database from a backup")]
    Damaged {
        /// The column.
        column: &'static str,
        /// What it holds.
        value: String,
    },
    /// A number is above what a column holds.
    #[error("{column} {value} is above 2^63 − 1")]
    OutOfRange {
        /// The column.
        column: &'static str,
        /// The number.
        value: u64,
    },
    /// A text holds a zero byte, which PostgreSQL cannot store.
    #[error("cannot {action}: argument {argument} holds a zero byte")]
    NulByte {
        /// What was tried.
        action: &'static str,
        /// Which argument, from 1.
        argument: usize,
    },
    /// The round is completed; its scores are in.
    #[error("round {round_id} ({mode}) is completed already; its scores are not applied again")]
    AlreadyCompleted {
        /// The round.
        round_id: String,
        /// `follow` or `practice`.
        mode: &'static str,
    },
    /// A score row changed since it was read.
    #[error("scores of job {job_id} changed since they were read: read them again and score the round anew")]
    ScoresMoved {
        /// The job.
        job_id: String,
    },
    /// Another process works on the job.
    #[error("job {job_id} is being run by {owner}; stop it, or wait for its lease to end")]
    LeaseHeld {
        /// The job.
        job_id: String,
        /// Who runs it.
        owner: String,
    },
    /// The lease went to another process.
    #[error("the lease on job {job_id} is lost: another process may run the job now")]
    LeaseLost {
        /// The job.
        job_id: String,
    },
    /// The model has a stream that speaks for it already, or had one later.
    #[error("model {model_id} is spoken for by stream {stream_id}: stop that one first, or resume it instead")]
    ModelTaken {
        /// The model.
        model_id: String,
        /// Its stream.
        stream_id: String,
    },
    /// A stream is in another state than the change needs.
    #[error("stream {stream_id} is {found}: {allowed}")]
    StreamState {
        /// The stream.
        stream_id: String,
        /// Its state, or `missing`.
        found: String,
        /// What the change is possible for.
        allowed: &'static str,
    },
    /// A stream was stopped, limited or published since it spoke.
    #[error("{} streams of feed {feed} changed since they spoke; nothing of this close is stored", streams.len())]
    StreamsChanged {
        /// The feed.
        feed: String,
        /// The streams that changed.
        streams: Vec<String>,
    },
    /// Other signals are stored under these numbers.
    #[error("other signals of feed {feed} are stored already; what is stored counts")]
    FeedMoved {
        /// The feed.
        feed: String,
    },
    /// Another server holds the database.
    #[error(
        "the platform database is held by the server at {place}: stop that one, or give this one a database of its own"
    )]
    ServerHeld {
        /// Which one, in words.
        place: String,
    },
    /// Another server has taken the database; nothing more is written from here.
    #[error("another server, at {place}, has taken the platform database")]
    ServerReplaced {
        /// Which one, in words.
        place: String,
    },
    /// The database belongs to another home folder.
    #[error(
        "the platform database belongs to another home folder, last served at {place}: its runs and the key of its \
         secrets are there; start on that home, or give this one a database of its own"
    )]
    OtherHome {
        /// Where it was served last, in words.
        place: String,
    },
    /// The user has as many of something as may be.
    #[error("{owner} has {found} {what} and may have {quota}: let one end, or end one, first")]
    Quota {
        /// The user.
        owner: String,
        /// Of what: `unfinished jobs`, `running streams`, `destinations`.
        what: &'static str,
        /// How many there are.
        found: u64,
        /// How many may be.
        quota: u32,
    },
    /// There is no such job.
    #[error("there is no job `{job_id}`; `assay job list` shows them")]
    UnknownJob {
        /// What was asked for.
        job_id: String,
    },
    /// The job's status does not allow this.
    #[error("job {job_id} is {status} and cannot be {action}; only cancelled and failed jobs can")]
    JobState {
        /// The job.
        job_id: String,
        /// Its status.
        status: &'static str,
        /// What was asked for.
        action: &'static str,
    },
    /// The system gives no random numbers.
    #[error("the system gives no random numbers: {reason}")]
    Random {
        /// Why.
        reason: String,
    },
    /// Rows of one change do not belong together.
    #[error("{field} `{found}` where the round has `{expected}`")]
    Mismatch {
        /// The field.
        field: &'static str,
        /// What a row says.
        found: String,
        /// What the round says.
        expected: String,
    },
    /// The pool is not registered.
    #[error("pool {pool} of chain {chain_id} is not registered; register it before its logs")]
    UnknownPool {
        /// The chain.
        chain_id: u64,
        /// The pool's address.
        pool: String,
    },
    /// A log cannot be read.
    #[error("the log at {place}: {reason}")]
    Log {
        /// Where it is.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A range leaves blocks out.
    #[error("blocks {from} to {to} leave a gap: blocks {first} to {last} are indexed; give the blocks between too")]
    Gap {
        /// First block given.
        from: u64,
        /// Last block given.
        to: u64,
        /// First block indexed.
        first: u64,
        /// Last block indexed.
        last: u64,
    },
    /// A range is empty or above what the database holds.
    #[error("blocks {from} to {to} are no range")]
    Range {
        /// First block given.
        from: u64,
        /// Last block given.
        to: u64,
    },
    /// The header of a block is needed and not there.
    #[error("no header of block {block}: each block with logs and the last of the range need one")]
    NoHeader {
        /// The block.
        block: u64,
    },
    /// A block has another hash than before.
    #[error("block {block} is {given} now and was {known}: the chain was reorganised; roll back below it first")]
    Reorganised {
        /// The block.
        block: u64,
        /// Its hash before.
        known: String,
        /// Its hash now.
        given: String,
    },
    /// Blocks lost events without having changed.
    #[error(
        "blocks {from} to {to} had {before} indexed events and now have {now}, though no block changed: the node left logs out; ask it again"
    )]
    Vanished {
        /// First block given.
        from: u64,
        /// Last block given.
        to: u64,
        /// Events before.
        before: u64,
        /// Events now.
        now: u64,
    },
    /// Blocks were asked for that are not indexed.
    #[error("blocks {from} to {to} of pool {pool} are not indexed: {}", coverage(.indexed))]
    NotIndexed {
        /// The pool's address.
        pool: String,
        /// First block asked for.
        from: u64,
        /// Last block asked for.
        to: u64,
        /// First and last block indexed; `None` when there is none.
        indexed: Option<(u64, u64)>,
    },
    /// An operation that only PostgreSQL has.
    #[error("{what} needs PostgreSQL; on SQLite the rights of the file decide")]
    PostgresOnly {
        /// What was asked for.
        what: &'static str,
    },
    /// A role's name cannot be used.
    #[error("role `{name}` is not 1 to 63 lower-case letters, digits or `_`, beginning with a letter")]
    RoleName {
        /// The name.
        name: String,
    },
}

fn coverage(indexed: &Option<(u64, u64)>) -> String {
    match indexed {
        Some((first, last)) => format!("{first} to {last} are"),
        None => "none is; run the indexer".to_owned(),
    }
}

impl DatabaseError {
    /// A [`DatabaseError::Sql`], as a function to pass to `map_err`.
    pub(super) fn sql(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Sql { action, source }
    }

    /// Whether the same call may succeed later: the database is away, busy or was restarted.
    /// A change that was cut off may have been made; every change here can be repeated.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::TimedOut { .. } => true,
            Self::Sql { source, .. } => match source {
                sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::WorkerCrashed => true,
                sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing(&code)),
                _ => false,
            },
            _ => false,
        }
    }
}

/// PostgreSQL: connection lost, serialisation or deadlock, out of resources, shutting down
/// or starting. SQLite (numbers, the low byte is the class): busy, locked, disk failing or full, no file to be opened.
fn is_passing(code: &str) -> bool {
    if code.len() == 5 {
        let class = &code[..2];
        return matches!(class, "08" | "53") || matches!(code, "40001" | "40P01" | "57P01" | "57P02" | "57P03");
    }
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_does_not() {
        for code in ["5", "6", "261", "517", "13", "778", "08006", "40001", "40P01", "53300", "57P01", "57P03"] {
            assert!(is_passing(code), "{code}");
        }
        for code in ["1", "8", "11", "1555", "2067", "23505", "42501", "42P01", "22021"] {
            assert!(!is_passing(code), "{code}");
        }
        let away = || sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into());
        assert!(DatabaseError::Sql { action: "read", source: away() }.is_retryable());
        assert!(DatabaseError::TimedOut { action: "read", seconds: 1 }.is_retryable());
        assert!(!DatabaseError::Sql { action: "read", source: sqlx::Error::RowNotFound }.is_retryable());
    }
}
