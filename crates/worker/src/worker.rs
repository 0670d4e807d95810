//! Takes jobs and keeps their leases while their processes work.

use std::sync::Arc;
use std::time::Duration;

use assay_store::database::{JobEnding, WorkerLease};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::child::{Process, Wish};
use crate::error::WorkerError;
use crate::place::Place;
use crate::queue::{LEASE_MS, Leased, Queue};

/// Time between heartbeats.
pub const HEARTBEAT: Duration = Duration::from_secs(1);
/// Time between a heartbeat and one that brings news.
const NEWS: Duration = Duration::from_millis(400);
/// How long a process may take to end on request before it is killed. With one heartbeat
/// before it, a cancelled job ends within 5 s.
pub const CANCEL_GRACE: Duration = Duration::from_millis(3_500);
/// How long a process may say nothing before it is killed; it tells every second that it lives.
pub const CHILD_SILENCE: Duration = Duration::from_secs(30);
/// Time between two looks at an empty queue.
const POLL: Duration = Duration::from_secs(1);
/// The same while the queue is out of reach.
const RETRY: Duration = Duration::from_secs(2);
/// How often the end of a job is reported again when the queue is out of reach.
const FINISH_RETRY: Duration = Duration::from_millis(500);

/// How long a job waits whose data could not be fetched, in ms.
const PREPARE_AGAIN_MS: i64 = 2_000;

/// Places for jobs of some kinds, so that long jobs leave room for short ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// The kinds.
    pub kinds: Vec<&'static str>,
    /// How many at once.
    pub slots: usize,
}

/// A worker.
#[derive(Clone)]
pub struct Worker {
    /// Its name in leases.
    pub name: String,
    /// Where jobs come from.
    pub queue: Queue,
    /// Where they run.
    pub place: Place,
    /// Which, and how many at once.
    pub lanes: Vec<Lane>,
    /// Tells that a job may be waiting.
    pub wake: watch::Sender<()>,
    /// Called after a job changed.
    pub on_change: Arc<dyn Fn() + Send + Sync>,
}

impl Worker {
    /// Takes and runs jobs until `shutdown` turns true; jobs at work are then told to keep what
    /// they have, and given back.
    pub async fn run(&self, shutdown: watch::Receiver<bool>) {
        let mut lanes = JoinSet::new();
        for lane in &self.lanes {
            lanes.spawn(self.clone().serve(lane.clone(), shutdown.clone()));
        }
        lanes.join_all().await;
    }

    async fn serve(self, lane: Lane, mut shutdown: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(lane.slots));
        let mut jobs = JoinSet::new();
        let mut wake = self.wake.subscribe();
        loop {
            while jobs.try_join_next().is_some() {}
            let permit = tokio::select! {
                permit = slots.clone().acquire_owned() => permit,
                () = turned(&mut shutdown, |stop| *stop) => break,
            };
            let Ok(permit) = permit else { break };
            if *shutdown.borrow() {
                break;
            }
            let pause = match self.queue.lease(&self.name, &lane.kinds).await {
                Ok(Some(leased)) => {
                    (self.on_change)();
                    let (worker, shutdown) = (self.clone(), shutdown.clone());
                    jobs.spawn(async move {
                        worker.attend(leased, shutdown).await;
                        drop(permit);
                    });
                    continue;
                }
                Ok(None) => POLL,
                Err(error) => {
                    tracing::warn!(%error, "no job can be taken");
                    RETRY
                }
            };
            drop(permit);
            tokio::select! {
                _ = wake.changed() => {}
                () = tokio::time::sleep(pause) => {}
                () = turned(&mut shutdown, |stop| *stop) => break,
            }
        }
        jobs.join_all().await;
    }

    /// One attempt at a job, from its lease to its end.
    async fn attend(&self, leased: Leased, shutdown: watch::Receiver<bool>) {
        let job_id = leased.lease.job_id.clone();
        tracing::info!(job_id, kind = leased.kind, attempt = leased.attempts, "a job begins");
        let (progress, told) = watch::channel(None);
        let (wish, wishes) = watch::channel(Wish::GoOn);
        // A lost lease drops the work, and that kills its process.
        tokio::select! {
            ended = self.work(&leased, &progress, wishes) => match ended {
                Ok(ending) => tracing::info!(job_id, ending = name(&ending), "a job ends"),
                Err(error) => tracing::error!(job_id, %error, "the end of a job cannot be reported"),
            },
            () = self.hold(leased.lease.clone(), told, &wish, shutdown) => {
                tracing::warn!(job_id, "the lease on a job is lost");
            }
        }
        (self.on_change)();
        self.wake.send_replace(());
    }

    async fn work(
        &self,
        leased: &Leased,
        progress: &watch::Sender<Option<String>>,
        wishes: watch::Receiver<Wish>,
    ) -> Result<JobEnding, WorkerError> {
        let place = match self.queue.prepare(&self.place, leased).await {
            Ok(place) => place,
            Err(error) if error.is_retryable() => {
                tracing::warn!(%error, "a job cannot be prepared now");
                let later = JobEnding::Later { after_ms: PREPARE_AGAIN_MS };
                return self.finish(&self.place, &leased.lease, later).await;
            }
            Err(error) => {
                let ending = JobEnding::Failed { code: "prepare".to_owned(), message: error.to_string() };
                return self.finish(&self.place, &leased.lease, ending).await;
            }
        };
        let ending = match Process::start(&place, &leased.request).await {
            Ok(process) => process.listen(progress, wishes).await,
            Err(error) => {
                tracing::error!(%error, "a job cannot be started");
                JobEnding::Interrupted
            }
        };
        self.finish(&place, &leased.lease, ending).await
    }

    /// Reports the end until the queue has taken it, or refuses; the lease is held meanwhile.
    async fn finish(&self, place: &Place, lease: &WorkerLease, ending: JobEnding) -> Result<JobEnding, WorkerError> {
        loop {
            match self.queue.finish(place, lease, &ending).await {
                Ok(()) => return Ok(ending),
                Err(error) if !error.is_retryable() => return Err(error),
                Err(error) => tracing::warn!(job_id = lease.job_id, %error, "the end of a job is reported again"),
            }
            tokio::time::sleep(FINISH_RETRY).await;
        }
    }

    /// Sends heartbeats until the lease is lost.
    async fn hold(
        &self,
        mut lease: WorkerLease,
        mut told: watch::Receiver<Option<String>>,
        wish: &watch::Sender<Wish>,
        mut shutdown: watch::Receiver<bool>,
    ) {
        let lasts = Duration::from_millis(LEASE_MS.unsigned_abs());
        let (mut sent, mut held) = (Instant::now(), Instant::now());
        let mut is_leaving = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(sent + HEARTBEAT) => {}
                () = changed(&mut told, sent + NEWS) => {}
                () = turned(&mut shutdown, |stop| *stop), if !is_leaving => {
                    is_leaving = true;
                    if *wish.borrow() == Wish::GoOn {
                        wish.send_replace(Wish::Leave);
                    }
                }
            }
            sent = Instant::now();
            let progress = told.borrow_and_update().clone();
            let has_news = progress.is_some();
            let beat = self.queue.heartbeat(&mut lease, progress.as_deref());
            match tokio::time::timeout(lasts, beat).await {
                Ok(Ok(is_cancelling)) => {
                    held = sent;
                    if has_news {
                        (self.on_change)();
                    }
                    if is_cancelling {
                        wish.send_replace(Wish::Cancel);
                    }
                }
                Ok(Err(error)) if error.is_lease_lost() => return,
                Ok(Err(error)) => tracing::warn!(job_id = lease.job_id, %error, "a heartbeat is not taken"),
                Err(_) => tracing::warn!(job_id = lease.job_id, "a heartbeat is not answered"),
            }
            // Another worker may have it by now.
            if held.elapsed() > lasts {
                return;
            }
        }
    }
}

/// Waits for a value that fits; forever when nobody can send one.
pub(crate) async fn turned<T>(values: &mut watch::Receiver<T>, fits: impl FnMut(&T) -> bool) {
    if values.wait_for(fits).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Waits for a new value, and then until `earliest`.
async fn changed<T>(values: &mut watch::Receiver<T>, earliest: Instant) {
    if values.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep_until(earliest).await;
}

/// The ending in a word, for the log.
const fn name(ending: &JobEnding) -> &'static str {
    match ending {
        JobEnding::Done(_) => "done",
        JobEnding::Failed { .. } => "failed",
        JobEnding::Cancelled => "cancelled",
        JobEnding::Interrupted => "interrupted",
        JobEnding::Later { .. } => "later",
    }
}
