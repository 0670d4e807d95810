//! What a job writes, in order: a database that is away delays it and tears nothing.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_store::database::{
    DatabaseError, Execution, JobLease, JobsDatabase, Prediction, Round, RoundMode, RoundStatus, TransactionStatus,
};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::clock::system_ms;
use crate::completion::Completion;
use crate::executor::Receipt;
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
    /// A step that is about to be executed, and where its claimer waits.
    Claim(Box<Execution>, watch::Sender<Option<Claimed>>),
    /// What became of it.
    Executed(Box<Execution>),
}

/// What came of a claim, once it is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Claimed {
    /// Nobody had the step: it may be executed.
    New,
    /// The step was claimed before, as this row says: it must not be executed again.
    Before(Box<Execution>),
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
    /// Told when nothing is queued any more, or the ledger failed.
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    queue: VecDeque<Write>,
    closing: bool,
    /// Nothing can be written any more.
    failed: bool,
    error: Option<DatabaseError>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { shared: Arc::new(Shared { state: Mutex::default(), changed: Notify::new(), settled: Notify::new() }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a change at the end of the queue.
    pub(crate) fn write(&self, write: Write) {
        {
            let mut state = self.state();
            if state.failed {
                return;
            }
            state.queue.push_back(write);
        }
        self.shared.changed.notify_one();
    }

    /// Whether another round may begin.
    pub(crate) fn has_room(&self) -> bool {
        let rounds = |write: &&Write| matches!(write, Write::Begin(_) | Write::Complete(_) | Write::Fail(_));
        self.state().queue.iter().filter(rounds).count() < MAX_QUEUED_ROUNDS
    }

    /// Claims a step after everything that is queued, in a transaction that holds the lease;
    /// an error says why nobody may execute it. At `limit` the claim is given up: it is noted
    /// as failed wherever it is written later.
    pub(crate) async fn claim(&self, row: Execution, limit: Instant) -> Result<Claimed, String> {
        let (sender, mut receiver) = watch::channel(None);
        self.write(Write::Claim(Box::new(row.clone()), sender));
        let reason = match tokio::time::timeout_at(limit, receiver.wait_for(Option::is_some)).await {
            Ok(Ok(claimed)) => return claimed.clone().ok_or_else(|| "the claim was lost".into()),
            Ok(Err(_)) => "the job's changes cannot be stored any more",
            Err(_) => "the claim was not stored in time",
        };
        let failed = Execution {
            tx_status: TransactionStatus::Failed,
            actual: serde_json::to_string(&Receipt::failed(reason)).ok(),
            confirmed_at: Some(row.executed_at),
            ..row
        };
        self.write(Write::Executed(Box::new(failed)));
        Err(reason.to_owned())
    }

    /// Whether nothing can be written any more.
    pub(crate) fn is_failed(&self) -> bool {
        self.state().failed
    }

    /// Why nothing can be written any more; given once.
    pub(crate) fn take_error(&self) -> Option<DatabaseError> {
        self.state().error.take()
    }

    fn is_settled(&self) -> bool {
        let state = self.state();
        state.failed || state.queue.is_empty()
    }

    /// Waits until everything queued is written, or nothing can be.
    pub(crate) async fn settled(&self) {
        loop {
            let settled = self.shared.settled.notified();
            if self.is_settled() {
                return;
            }
            settled.await;
        }
    }

    /// Ends [`Self::run`] when everything is written.
    pub(crate) fn close(&self) {
        self.state().closing = true;
        self.shared.changed.notify_one();
    }

    /// Writes until closed, or until the database refuses for good.
    pub(crate) async fn run(&self, database: &JobsDatabase, mut lease: JobLease, reporter: &Reporter) {
        let mut renewed = Instant::now();
        // Whether the front was tried before, so that its change may have been made.
        let mut retried = false;
        loop {
            let front = self.state().queue.front().cloned();
            let done = match &front {
                None if self.state().closing => break,
                None => {
                    _ = tokio::time::timeout_at(renewed + LEASE_RENEWAL, self.shared.changed.notified()).await;
                    Ok(())
                }
                Some(write) => apply(database, write, &lease, retried).await,
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
                    retried = false;
                    self.state().queue.pop_front();
                    if self.is_settled() {
                        self.shared.settled.notify_waiters();
                    }
                    if let Write::Complete(completion) = write {
                        reporter.say(Report::Stored { round_id: completion.round.round_id.clone() });
                    }
                }
                (Ok(()), None) => {}
                (Err(error), front) if error.is_retryable() => {
                    retried |= front.is_some();
                    let queued = self.state().queue.len();
                    let (job_id, reason) = (lease.job_id.clone(), error.to_string());
                    reporter.say(Report::Waiting { job_id, queued, reason });
                    tokio::time::sleep(RETRY_PAUSE).await;
                }
                (Err(error), _) => {
                    let queued = {
                        let mut state = self.state();
                        (state.failed, state.error) = (true, Some(error));
                        std::mem::take(&mut state.queue)
                    };
                    // Who waits for a claim is told by its end.
                    drop(queued);
                    self.shared.settled.notify_waiters();
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

async fn apply(database: &JobsDatabase, write: &Write, lease: &JobLease, retried: bool) -> Result<(), DatabaseError> {
    let held = Some(lease);
    match write {
        Write::Begin(round) => database.put_round(round, held).await,
        Write::Fail(round) => {
            // The row may never have been written.
            let reason = round.reason.as_deref().unwrap_or("failed");
            match database.fail_round(&round.round_id, round.mode, reason, round.updated_at, held).await {
                Err(DatabaseError::AlreadyCompleted { .. }) => {
                    if database.round(&round.round_id, round.mode).await?.is_some() {
                        return Ok(());
                    }
                    let active = Round { status: RoundStatus::Active, ..(**round).clone() };
                    database.put_round(&active, held).await?;
                    database.fail_round(&round.round_id, round.mode, reason, round.updated_at, held).await
                }
                done => done,
            }
        }
        Write::Answers(predictions) => database.put_predictions(predictions, held).await,
        Write::Complete(completion) => match database.complete_round(completion.rows(), held).await {
            // A commit that was cut off had been made: ours, when the record is.
            Err(error @ DatabaseError::AlreadyCompleted { .. }) => {
                let stored = database.round(&completion.round.round_id, RoundMode::Follow).await?;
                let ours = stored.is_some_and(|stored| stored.record_hash == completion.round.record_hash);
                if ours { Ok(()) } else { Err(error) }
            }
            done => done,
        },
        Write::Claim(execution, claimer) => {
            let claimed = claim(database, execution, lease, retried).await?;
            // Who gave up waiting has queued that it is not executed.
            claimer.send_replace(Some(claimed));
            Ok(())
        }
        Write::Executed(execution) => database.update_execution(execution, held).await.map(|_| ()),
    }
}

async fn claim(
    database: &JobsDatabase,
    row: &Execution,
    lease: &JobLease,
    retried: bool,
) -> Result<Claimed, DatabaseError> {
    if database.claim_execution(row, Some(lease)).await? {
        return Ok(Claimed::New);
    }
    let rows = database.executions(&row.round_id).await?;
    match rows.into_iter().find(|found| found.step == row.step || found.execution_id == row.execution_id) {
        // A commit that was cut off had been made.
        Some(found) if retried && found == *row => Ok(Claimed::New),
        Some(found) => Ok(Claimed::Before(Box::new(found))),
        None => Err(DatabaseError::Mismatch {
            field: "execution_id",
            found: row.execution_id.clone(),
            expected: "one of its own round".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JOB: &str = "job";

    fn round(status: RoundStatus) -> Round {
        Round {
            round_id: "job_live_0".into(),
            mode: RoundMode::Follow,
            job_id: JOB.into(),
            round_type: "live".into(),
            number: 0,
            start_block: Some(1),
            start_time: Some(2),
            end_block: None,
            end_time: None,
            status,
            reason: None,
            winner: None,
            record: None,
            record_hash: None,
            updated_at: 5,
        }
    }

    fn execution() -> Execution {
        Execution {
            execution_id: "job/job_live_0/0".into(),
            round_id: "job_live_0".into(),
            job_id: JOB.into(),
            miner: "m".into(),
            step: 0,
            strategy: "{}".into(),
            tx_hash: None,
            tx_status: TransactionStatus::Pending,
            actual: None,
            executed_at: 7,
            confirmed_at: None,
        }
    }

    async fn database() -> (JobsDatabase, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let location = assay_store::database::DatabaseLocation::Sqlite(folder.path().join("jobs.db"));
        (JobsDatabase::open(&location).await.unwrap(), folder)
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(20)
    }

    #[tokio::test]
    async fn a_step_is_claimed_once_and_the_second_is_told_by_whom() {
        let ((database, _folder), silent) = (database().await, Reporter::silent());
        for expected in [Claimed::New, Claimed::Before(Box::new(execution()))] {
            let lease = database.take_lease(JOB, "one", now(), lease_end()).await.unwrap();
            let ledger = Ledger::new();
            let run = ledger.run(&database, lease, &silent);
            let claim = async {
                let claimed = ledger.claim(execution(), soon()).await;
                ledger.close();
                claimed
            };
            assert_eq!(tokio::join!(run, claim).1.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn who_lost_the_lease_neither_claims_nor_fails_the_round_of_the_new_owner() {
        let ((database, _folder), silent) = (database().await, Reporter::silent());
        let lost = database.take_lease(JOB, "one", 0, 1).await.unwrap();
        let new = database.take_lease(JOB, "two", now(), lease_end()).await.unwrap();
        database.put_round(&round(RoundStatus::Active), Some(&new)).await.unwrap();
        let ledger = Ledger::new();
        let run = ledger.run(&database, lost, &silent);
        let claim = async {
            ledger.write(Write::Fail(Box::new(round(RoundStatus::Failed))));
            let claimed = ledger.claim(execution(), soon()).await;
            ledger.settled().await;
            claimed
        };
        assert!(tokio::join!(run, claim).1.is_err());
        assert!(matches!(ledger.take_error(), Some(DatabaseError::LeaseLost { .. })));
        assert_eq!(database.executions("job_live_0").await.unwrap(), []);
        assert_eq!(database.unfinished_rounds(None).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_claim_that_is_not_stored_in_time_is_given_up_and_noted_so() {
        let ((database, _folder), silent) = (database().await, Reporter::silent());
        let lease = database.take_lease(JOB, "one", now(), lease_end()).await.unwrap();
        let ledger = Ledger::new();
        // Nobody writes yet, as when the database is away.
        let claimed = ledger.claim(execution(), Instant::now() + Duration::from_millis(10)).await;
        assert!(claimed.unwrap_err().contains("in time"));
        ledger.close();
        ledger.run(&database, lease, &silent).await;
        let rows = database.executions("job_live_0").await.unwrap();
        assert_eq!(rows.iter().map(|row| row.tx_status).collect::<Vec<_>>(), [TransactionStatus::Failed]);
    }
}
