//! What a job writes, in order: a database that is away delays it and tears nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_store::database::{DatabaseError, Execution, JobLease, JobsDatabase, Prediction, Round, RoundMode};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::system_ms;
use crate::completion::Completion;
use crate::report::{Report, Reporter};

/// Rounds that may wait for the database; further ones do not start.
pub const MAX_QUEUED_ROUNDS: usize = 64;
/// How long a validator that stops renewing keeps a job.
pub const LEASE_SECONDS: i64 = 60;
const LEASE_RENEWAL: Duration = Duration::from_secs(20);
/// Between two tries while the database is away.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// One change.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    /// A round that begins.
    Begin(Box<Round>),
    /// A round that failed, whether its row is there or not.
    Fail(Box<Round>),
    /// Answers of a checkpoint.
    Answers(Vec<Prediction>),
    /// The end of a round.
    Complete(Box<Completion>),
    /// A step that is about to be executed.
    Claim(Box<Execution>),
    /// What became of it.
    Executed(Box<Execution>),
}

/// The job's queue of changes; clones are the same queue.
#[derive(Debug, Clone)]
pub(crate) struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Write>,
    closing: bool,
    failed: Option<String>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), changed: Notify::new() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a change at the end of the queue.
    pub(crate) fn write(&self, write: Write) {
        self.state().queue.push_back(write);
        self.shared.changed.notify_one();
    }

    /// Whether another round may begin.
    pub(crate) fn has_room(&self) -> bool {
        let rounds = |write: &&Write| matches!(write, Write::Begin(_) | Write::Complete(_) | Write::Fail(_));
        self.state().queue.iter().filter(rounds).count() < MAX_QUEUED_ROUNDS
    }

    /// Why nothing can be written any more, if so.
    pub(crate) fn failure(&self) -> Option<String> {
        self.state().failed.clone()
    }

    /// Ends [`Self::run`] when everything is written.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.shared.changed.notify_one();
    }

    /// Writes until closed, or until the database refuses for good.
    pub(crate) async fn run(&self, database: &JobsDatabase, mut lease: JobLease, reporter: &Reporter) {
        let mut renewed = Instant::now();
        loop {
            let front = self.state().queue.front().cloned();
            let done = match &front {
                None if self.state().closing => break,
                None => {
                    _ = tokio::time::timeout_at(renewed + LEASE_RENEWAL, self.shared.changed.notified()).await;
                    Ok(())
                }
                Some(write) => apply(database, write, &lease).await,
            };
            let done = match done {
                Ok(()) if renewed.elapsed() >= LEASE_RENEWAL => {
                    renewed = Instant::now();
                    database.renew_lease(&mut lease, lease_end()).await
                }
                done => done,
            };
            match (done, front) {
                (Ok(()), Some(write)) => {
                    self.state().queue.pop_front();
                    if let Write::Complete(completion) = write {
                        reporter.say(Report::Stored { round_id: completion.round.round_id.clone() });
                    }
                }
                (Ok(()), None) => {}
                (Err(error), _) if error.is_retryable() => {
                    let queued = self.state().queue.len();
                    let (job_id, reason) = (lease.job_id.clone(), error.to_string());
                    reporter.say(Report::Waiting { job_id, queued, reason });
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                (Err(error), _) => {
                    self.state().failed = Some(error.to_string());
                    return;
                }
            }
        }
        // A lease that is not given back ends by itself.
        _ = database.release_lease(lease).await;
    }
}

/// When a lease taken now ends, in ms since 1970.
pub(crate) fn lease_end() -> i64 {
    now().saturating_add(LEASE_SECONDS * 1_000)
}

pub(crate) fn now() -> i64 {
    i64::try_from(system_ms()).unwrap_or(i64::MAX)
}

async fn apply(database: &JobsDatabase, write: &Write, lease: &JobLease) -> Result<(), DatabaseError> {
    match write {
        Write::Begin(round) => database.put_round(round).await,
        Write::Fail(round) => {
            // The row may never have been written.
            let reason = round.reason.as_deref().unwrap_or("failed");
            match database.fail_round(&round.round_id, round.mode, reason, round.updated_at).await {
                Err(DatabaseError::AlreadyCompleted { .. }) => {
                    if database.round(&round.round_id, round.mode).await?.is_some() {
                        return Ok(());
                    }
                    database
                        .put_round(&Round { status: assay_store::database::RoundStatus::Active, ..(**round).clone() })
                        .await?;
                    database.fail_round(&round.round_id, round.mode, reason, round.updated_at).await
                }
                done => done,
            }
        }
        Write::Answers(predictions) => database.put_predictions(predictions).await,
        Write::Complete(completion) => match database.complete_round(completion.rows(), Some(lease)).await {
            // A commit that was cut off had been made: ours, when the record is.
            Err(error @ DatabaseError::AlreadyCompleted { .. }) => {
                let stored = database.round(&completion.round.round_id, RoundMode::Follow).await?;
                let ours = stored.is_some_and(|stored| stored.record_hash == completion.round.record_hash);
                if ours { Ok(()) } else { Err(error) }
            }
            done => done,
        },
        Write::Claim(execution) => database.claim_execution(execution).await.map(|_| ()),
        Write::Executed(execution) => database.update_execution(execution).await.map(|_| ()),
    }
}
