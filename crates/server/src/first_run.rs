//! What a new home shows: the demo as a job, then its policy as a paper stream on replayed candles.

use std::time::Duration;

use assay_jobs::JobError;
use assay_store::database::{DatabaseError, JobFilter, JobStatus, NewJob, ScheduledJob};
use serde_json::Value;
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::live::{NewStreamRequest, SourceRequest, start_stream};
use crate::parts::stopped;
use crate::state::ServerState;

/// The control that remembers how far the first run is: the job's id, then [`OVER`].
const CONTROL: &str = "first_run";
const OVER: &str = "over";
const KIND: &str = "demo";
const POLL: Duration = Duration::from_millis(250);

/// Takes the first run from where it is to its end; does nothing on a home that was used before.
///
/// # Errors
/// [`JobError`] when the database is away; what was done is not done again.
pub async fn run(state: ServerState, mut shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    if !state.settings.demo {
        return Ok(());
    }
    loop {
        if advance(&state).await? {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stopped(&mut shutdown) => return Ok(()),
        }
    }
}

/// One step; whether the first run is over.
async fn advance(state: &ServerState) -> Result<bool, JobError> {
    // The owner is made just after the parts have started.
    let Some(owner) = state.platform.first_owner().await? else { return Ok(false) };
    let at = state.platform.control(CONTROL).await?;
    let Some(job_id) = at else {
        let next = match begin(state, &owner.user_id).await? {
            Some(job) => job.job_id,
            None => OVER.to_owned(),
        };
        state.platform.set_control(CONTROL, &next, now_ms()).await?;
        return Ok(next == OVER);
    };
    if job_id == OVER {
        return Ok(true);
    }
    let Some(job) = state.platform.job(&job_id).await? else { return end(state).await };
    match job.status {
        JobStatus::Queued | JobStatus::Running | JobStatus::Cancelling => Ok(false),
        JobStatus::Cancelled | JobStatus::Failed => end(state).await,
        JobStatus::Done => {
            stream(state, &job).await?;
            end(state).await
        }
    }
}

/// The demo's job, unless somebody has worked in this home.
async fn begin(state: &ServerState, owner: &str) -> Result<Option<ScheduledJob>, JobError> {
    // A kill may have come between queueing the job and remembering it.
    let jobs = state.platform.jobs(&JobFilter::default(), None, 2).await?;
    match jobs.as_slice() {
        [job] if job.kind == KIND => return Ok(Some(job.clone())),
        [] if state.settings.home.runs().list()?.is_empty() => {}
        _ => return Ok(None),
    }
    let request = serde_json::json!({ "kind": KIND }).to_string();
    let new = NewJob { kind: KIND.to_owned(), request, owner: owner.to_owned() };
    let job = state.platform.submit_job(&new, 1, now_ms()).await?;
    state.job_queued.notify_one();
    state.events_appended.notify_waiters();
    Ok(Some(job))
}

async fn stream(state: &ServerState, job: &ScheduledJob) -> Result<(), JobError> {
    let result = job.result.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let run_id = result.as_ref().and_then(|result| result["run_id"].as_str());
    let Some(run_id) = run_id else {
        tracing::warn!(job_id = job.job_id, "the demo named no run, so no stream begins");
        return Ok(());
    };
    let source = SourceRequest::Replay { from: None, to: None, pace_ms: None };
    let request =
        NewStreamRequest { run_id: run_id.to_owned(), owner: job.owner.clone(), source, limits: None, phrase: None };
    match start_stream(state, request).await {
        // A kill may have come between beginning the stream and remembering it.
        Ok(_) | Err(JobError::Database(DatabaseError::ModelTaken { .. })) => Ok(()),
        Err(error) => Err(error),
    }
}

async fn end(state: &ServerState) -> Result<bool, JobError> {
    state.platform.set_control(CONTROL, OVER, now_ms()).await?;
    state.events_appended.notify_waiters();
    Ok(true)
}
