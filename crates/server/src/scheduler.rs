//! Scheduled jobs at work on the server's own machine.

use std::sync::Arc;
use std::time::Duration;

use assay_jobs::{JobError, JobRequest};
use assay_worker::{Lane, Place, Queue, Worker};
use tokio::sync::watch;

use crate::catalogue;
use crate::clock::now_ms;
use crate::state::ServerState;

/// Long jobs at work at once where nothing else is said; [`SHORT_SLOTS`] short ones run beside them.
pub const LONG_SLOTS: usize = 2;
/// Short jobs at work at once.
pub const SHORT_SLOTS: usize = 2;
/// Time between two looks for jobs whose workers vanished.
const UPKEEP: Duration = Duration::from_secs(2);

/// Takes jobs and runs them until `shutdown` turns true, and gives jobs back whose workers,
/// wherever they are, have vanished.
///
/// # Errors
/// [`JobError`] when the home or the database cannot be read at the start.
pub async fn run(state: ServerState, shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    catalogue::update(&state, catalogue::Which::All).await?;
    let worker = worker(&state)?;
    let wake = worker.wake.clone();
    let upkeep = async {
        loop {
            tokio::select! {
                () = state.job_queued.notified() => { wake.send_replace(()); }
                () = tokio::time::sleep(UPKEEP) => {
                    upkeep(&state).await;
                }
            }
        }
    };
    tokio::select! {
        () = worker.run(shutdown) => {}
        () = upkeep => {}
        () = catalogue::follow(&state) => {}
    }
    Ok(())
}

async fn upkeep(state: &ServerState) {
    match state.platform.requeue_expired_jobs(now_ms()).await {
        Ok(0) => {}
        Ok(_) => {
            state.job_queued.notify_one();
            state.events_appended.notify_waiters();
        }
        Err(error) => tracing::warn!(%error, "jobs of vanished workers cannot be given back"),
    }
}

/// The server's own worker.
fn worker(state: &ServerState) -> Result<Worker, JobError> {
    let program = std::env::current_exe()
        .map_err(|error| JobError::Failed(format!("the path of this program is not known: {error}")))?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let place = Place {
        program,
        home: state.settings.home.path().to_owned(),
        lake: state.settings.lake.clone(),
        threads: (cores / state.settings.job_slots.max(1)).max(1),
    };
    let (queue, told) = (Queue::Local(state.platform.clone()), state.clone());
    Ok(Worker {
        name: format!("server-{}", std::process::id()),
        queue,
        place,
        lanes: lanes(state.settings.job_slots),
        wake: watch::Sender::new(()),
        on_change: Arc::new(move || told.events_appended.notify_waiters()),
    })
}

/// The places of a worker that shares its server's home.
#[must_use]
pub fn lanes(long_slots: usize) -> Vec<Lane> {
    let (long, short) = JobRequest::KINDS.into_iter().partition(|kind| JobRequest::LONG_KINDS.contains(kind));
    vec![Lane { kinds: long, slots: long_slots }, Lane { kinds: short, slots: SHORT_SLOTS }]
}
