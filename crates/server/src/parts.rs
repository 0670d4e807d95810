//! What runs beside the requests for as long as the server does.

use std::time::Duration;

use assay_jobs::JobError;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::access::KEPT_MS;
use crate::clock::now_ms;
use crate::state::ServerState;
use crate::{delivery, feed, first_run, holding, live, observe, scheduler};

/// Wait before a part that failed starts again, doubled with each failure in a row.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How often what has ended is removed, and metrics are tidied.
const TIDY_EVERY: Duration = Duration::from_secs(60);

/// Waits until the server stops.
pub(crate) async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    // The sender lives in the state, which outlives its receivers.
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Starts every part.
pub(crate) fn start(state: &ServerState, shutdown: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut parts = JoinSet::new();
    parts.spawn(keep("delivery", state.clone(), shutdown.clone(), delivery::run));
    parts.spawn(keep("feed", state.clone(), shutdown.clone(), feed::run));
    parts.spawn(keep("first run", state.clone(), shutdown.clone(), first_run::run));
    parts.spawn(keep("lease", state.clone(), shutdown.clone(), holding::hold));
    parts.spawn(keep("live", state.clone(), shutdown.clone(), live::run));
    parts.spawn(keep("scheduler", state.clone(), shutdown.clone(), scheduler::run));
    parts.spawn(keep("tidy", state.clone(), shutdown.clone(), tidy));
    parts
}

/// Runs a part until the server stops; one that fails is started again.
async fn keep<F, R>(name: &'static str, state: ServerState, mut shutdown: watch::Receiver<bool>, run: F)
where
    F: Fn(ServerState, watch::Receiver<bool>) -> R + Send,
    R: Future<Output = Result<(), JobError>> + Send + 'static,
{
    let mut wait = FIRST_WAIT;
    while !*shutdown.borrow() {
        let started = tokio::time::Instant::now();
        // A task of its own, so that a panic ends the part alone.
        let outcome = tokio::spawn(run(state.clone(), shutdown.clone())).await;
        match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => tracing::warn!(part = name, %error, "a part failed and starts again"),
            Err(error) => tracing::error!(part = name, %error, "a part panicked and starts again"),
        }
        metrics::counter!("assay_part_restarts_total", "part" => name).increment(1);
        if started.elapsed() > LONGEST_WAIT {
            wait = FIRST_WAIT;
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stopped(&mut shutdown) => return,
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Removes what has ended: sessions, nonces, kept replies, old events.
async fn tidy(state: ServerState, mut shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    loop {
        let now = now_ms();
        state.platform.prune_access(now, now - KEPT_MS).await?;
        state.platform.prune_events().await?;
        observe::start_metrics();
        tokio::select! {
            () = tokio::time::sleep(TIDY_EVERY) => {}
            () = stopped(&mut shutdown) => return Ok(()),
        }
    }
}
