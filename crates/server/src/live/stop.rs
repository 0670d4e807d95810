//! The stop: a file here, a row for servers on other machines, each made from the other.
//!
//! Each stop has an id. A resume names the stop that it ends, in the row and in the file alike, so
//! that a stop which came after it stands in whatever order the two are carried.

use std::time::Duration;

use assay_jobs::JobError;
use assay_store::database::{Resumed, Stream};
use assay_store::{Cleared, StopMark};
use assay_types::time::format_utc;
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::parts::stopped;
use crate::state::ServerState;

/// How often the row is looked at.
const POLL: Duration = Duration::from_millis(500);

/// What came of a resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResumeOutcome {
    /// Sending goes on.
    Resumed,
    /// Nothing was stopped.
    NotStopped,
    /// It was stopped anew, which stands.
    Newer(StopMark),
}

/// Stops everything that sends, here at once and on other machines within half a second.
///
/// # Errors
/// [`JobError::Store`] when the file cannot be written; then nothing is stopped here.
pub async fn stop_sending(state: &ServerState, by: &str, reason: &str) -> Result<StopMark, JobError> {
    let mark = state.live.stop.set(&StopMark::new(format_utc(now_ms()), by.to_owned(), reason.to_owned()))?;
    // The file stops this machine even when the database is away; the poll carries it there.
    if let Err(error) = state.platform.carry_stop(&mark, now_ms()).await {
        tracing::warn!(%error, "the stop is not in the database yet");
    }
    state.events_appended.notify_waiters();
    Ok(mark)
}

/// Has running streams open nothing more, close their positions at their next close and halt: the
/// stream `stream_id`, or all; those that do.
///
/// # Errors
/// [`JobError::Conflict`] while sending is stopped, when nothing can be said; [`JobError::Database`].
pub async fn flatten(
    state: &ServerState,
    stream_id: Option<&str>,
    by: &str,
    reason: &str,
) -> Result<Vec<Stream>, JobError> {
    if state.live.stop.is_stopped() {
        let detail = "sending is stopped, so nothing can be said: resume first, then flatten";
        return Err(JobError::Conflict(detail.to_owned()));
    }
    let streams = state.platform.close_streams(stream_id, &closing_reason(by, reason), now_ms()).await?;
    state.live.changed.notify_one();
    state.events_appended.notify_waiters();
    Ok(streams)
}

/// Why streams close, in words.
#[must_use]
pub fn closing_reason(by: &str, reason: &str) -> String {
    let by = format!("asked by {by}");
    if reason.trim().is_empty() { by } else { format!("{by}: {reason}") }
}

/// Ends the stop `id`, or whichever there is, here and on other machines.
///
/// # Errors
/// [`JobError`] when the database or the file cannot be written; everything stays stopped then.
pub async fn resume_sending(
    state: &ServerState,
    by: &str,
    reason: &str,
    id: Option<&str>,
) -> Result<ResumeOutcome, JobError> {
    let mut synced = state.live.synced.lock().await;
    reconcile(state, &mut synced).await?;
    let Some(seen) = state.live.stop.mark() else { return Ok(ResumeOutcome::NotStopped) };
    if id.is_some_and(|id| id != seen.id) {
        return Ok(ResumeOutcome::Newer(seen));
    }
    let resumed =
        Resumed { id: seen.id.clone(), at: format_utc(now_ms()), by: by.to_owned(), reason: reason.to_owned() };
    // The row first: what it does not take is still stopped here.
    let control = state.platform.resume_stop(&resumed, now_ms()).await?;
    let outcome = match control.mark {
        Some(newer) => ResumeOutcome::Newer(newer),
        None => match state.live.stop.clear(&seen)? {
            Cleared::Resumed | Cleared::Absent => ResumeOutcome::Resumed,
            Cleared::Newer(mark) => ResumeOutcome::Newer(mark),
        },
    };
    reconcile(state, &mut synced).await?;
    state.events_appended.notify_waiters();
    tracing::info!(by, reason, stop = seen.id, ?outcome, "a resume");
    Ok(outcome)
}

/// Carries the mark between the file and the row, and takes up resumes that were asked for in the
/// home folder, until `shutdown`.
pub(super) async fn carry(state: &ServerState, mut shutdown: watch::Receiver<bool>) {
    while !*shutdown.borrow() {
        if let Err(error) = carry_once(state).await {
            tracing::warn!(%error, "the stop mark cannot be carried to the database");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stopped(&mut shutdown) => {}
        }
    }
}

pub(crate) async fn carry_once(state: &ServerState) -> Result<(), JobError> {
    reconcile(state, &mut *state.live.synced.lock().await).await?;
    if !state.live.stop.is_resume_requested() {
        return Ok(());
    }
    match state.live.stop.resume_request() {
        Some(request) => _ = resume_sending(state, &request.by, &request.reason, Some(&request.id)).await?,
        None => tracing::warn!("the file `resume` in the home folder is none of ours: use `assay resume`"),
    }
    Ok(state.live.stop.forget_resume_request()?)
}

/// Makes file and row alike. `synced` is the mark that both held last.
async fn reconcile(state: &ServerState, synced: &mut Option<StopMark>) -> Result<(), JobError> {
    let (control, stop) = (state.platform.stop_control().await?, &state.live.stop);
    let file = stop.mark();
    let both = match (&control.mark, &file) {
        (Some(row), Some(file)) if row == file => Some(file.clone()),
        (Some(row), None) => stop.replace(None, row)?.then(|| row.clone()),
        // One stop in other words: a file made by hand may be read before its words are in it.
        (Some(row), Some(file)) if row.id == file.id && row.reason.len() < file.reason.len() => {
            state.platform.carry_stop(file, now_ms()).await?.mark
        }
        // The file is what it was, the row is not: it was stopped anew elsewhere.
        (Some(row), Some(file))
            if row.id == file.id || control.has_resumed(&file.id) || synced.as_ref() == Some(file) =>
        {
            stop.replace(Some(file), row)?.then(|| row.clone())
        }
        // Resumed elsewhere, also when other stops came and went since.
        (None, Some(file))
            if control.has_resumed(&file.id) || (synced.as_ref() == Some(file) && control.resumed.is_some()) =>
        {
            stop.clear(file)?;
            None
        }
        (_, Some(file)) => state.platform.carry_stop(file, now_ms()).await?.mark.filter(|row| row == file),
        (None, None) => None,
    };
    // The other one may have changed since it was looked at; then the next look tells.
    *synced = both.or_else(|| synced.take().filter(|mark| Some(mark) == file.as_ref()));
    Ok(())
}
