//! The stop: a file here, a row for servers on other machines, each made from the other.

use std::time::Duration;

use assay_jobs::JobError;
use assay_store::StopMark;
use assay_types::time::format_utc;
use tokio::sync::watch;

use crate::clock::now_ms;
use crate::parts::stopped;
use crate::state::ServerState;

/// How often the row is looked at.
const POLL: Duration = Duration::from_millis(250);
/// The row's name.
const CONTROL: &str = "stop";

/// Stops everything that sends, here at once and on other machines within half a second.
///
/// # Errors
/// [`JobError::Store`] when the file cannot be written; then nothing is stopped here.
pub async fn stop_sending(state: &ServerState, by: &str, reason: &str) -> Result<StopMark, JobError> {
    let mark = StopMark { at: format_utc(now_ms()), by: by.to_owned(), reason: reason.to_owned() };
    state.live.stop.set(&mark)?;
    let mark = state.live.stop.mark().unwrap_or(mark);
    // The file stops this machine even when the database is away; the poll carries it there.
    if let Err(error) = put(state, Some(&mark)).await {
        tracing::warn!(%error, "the stop is not in the database yet");
    }
    state.events_appended.notify_waiters();
    Ok(mark)
}

/// Lets sending go on, here and on other machines; whether it was stopped.
///
/// # Errors
/// [`JobError`] when the database or the file cannot be written; everything stays stopped then.
pub async fn resume_sending(state: &ServerState) -> Result<bool, JobError> {
    // The row first: a server that dies between the two is still stopped.
    put(state, None).await?;
    let was_stopped = state.live.stop.clear()?;
    // The file may have been carried to the row between the two.
    put(state, None).await?;
    state.events_appended.notify_waiters();
    Ok(was_stopped)
}

async fn put(state: &ServerState, mark: Option<&StopMark>) -> Result<(), JobError> {
    let value = serde_json::to_string(&mark).expect("plain data");
    Ok(state.platform.set_control(CONTROL, &value, now_ms()).await?)
}

/// Carries the mark between the file and the row until `shutdown`.
pub(super) async fn carry(state: &ServerState, mut shutdown: watch::Receiver<bool>) {
    let mut synced: Option<StopMark> = None;
    while !*shutdown.borrow() {
        if let Err(error) = carry_once(state, &mut synced).await {
            tracing::warn!(%error, "the stop mark cannot be carried to the database");
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = stopped(&mut shutdown) => {}
        }
    }
}

async fn carry_once(state: &ServerState, synced: &mut Option<StopMark>) -> Result<(), JobError> {
    let value = state.platform.control(CONTROL).await?;
    let row: Option<StopMark> = value.and_then(|text| serde_json::from_str(&text).ok()).flatten();
    match (row, state.live.stop.mark()) {
        (Some(row), None) => {
            state.live.stop.set(&row)?;
            *synced = Some(row);
        }
        (Some(row), Some(_)) => *synced = Some(row),
        // Resumed elsewhere what was stopped elsewhere, or what was carried there from here.
        (None, Some(file)) if synced.as_ref() == Some(&file) => {
            state.live.stop.clear()?;
            *synced = None;
        }
        (None, Some(file)) => {
            put(state, Some(&file)).await?;
            *synced = Some(file);
        }
        (None, None) => *synced = None,
    }
    Ok(())
}
