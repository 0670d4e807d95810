//! What earlier streams of a model used up of its limits, read from what they said: a new
//! stream is no way around a loss of the day or the changes of the hour.

use std::collections::HashMap;

use assay_engine::{UsedLimits, day_of_close};
use assay_jobs::JobError;
use assay_store::database::{MAX_SIGNALS, StoredSignal, Stream};
use assay_types::time::DAY_MS;
use assay_types::{Money, Signal, Target};

use crate::state::ServerState;

const HOUR_MS: i64 = 3_600_000;

/// What the model had used up when `stream` began; `None` for its first stream.
pub(super) async fn used_limits(state: &ServerState, stream: &Stream) -> Result<Option<UsedLimits>, JobError> {
    let Some(last_seq) = stream.first_seq.checked_sub(1) else { return Ok(None) };
    let last = state.platform.signals_from(&stream.model_id, last_seq, 1).await?;
    let Some(last_close_ms) = last.first().map(|signal| signal.closed_at) else { return Ok(None) };
    let day_start_ms = day_of_close(last_close_ms) * DAY_MS;
    let signals = signals_of_day(state, stream, day_start_ms, last_close_ms).await?;
    // The close before, for the equity that the day began with.
    let before_seq = signals.first().and_then(|signal| signal.seq.checked_sub(1));
    let before = match before_seq {
        Some(seq) => state.platform.signals_from(&stream.model_id, seq, 1).await?.pop(),
        None => None,
    };
    Ok(Some(UsedLimits {
        last_close_ms,
        lost: lost(before.as_ref(), &signals)?,
        changes: changes(&signals, last_close_ms)?,
    }))
}

/// What the model said on the UTC day; an hour that crosses midnight loses what was before.
async fn signals_of_day(
    state: &ServerState,
    stream: &Stream,
    day_start_ms: i64,
    last_close_ms: i64,
) -> Result<Vec<StoredSignal>, JobError> {
    let closed = day_start_ms.saturating_add(1)..last_close_ms.saturating_add(1);
    let mut signals: Vec<StoredSignal> = Vec::new();
    loop {
        let from = signals.last().map_or(0, |signal| signal.seq + 1);
        let page = state.platform.signals_between(&stream.model_id, closed.clone(), from, MAX_SIGNALS).await?;
        let is_last = page.len() < MAX_SIGNALS as usize;
        signals.extend(page.into_iter().filter(|signal| signal.seq < stream.first_seq));
        if is_last {
            return Ok(signals);
        }
    }
}

/// The losses of the day, each stream's from its own account; gains of one pay for losses of
/// another.
fn lost(before: Option<&StoredSignal>, signals: &[StoredSignal]) -> Result<Money, JobError> {
    let mut accounts: HashMap<&str, (Money, Money)> = HashMap::new();
    for signal in before.into_iter().chain(signals) {
        let equity = money(signal)?;
        accounts.entry(&signal.stream_id).or_insert((equity, equity)).1 = equity;
    }
    let lost = accounts.values().map(|(first, last)| first.0.saturating_sub(last.0));
    Ok(Money(lost.fold(0, i128::saturating_add)))
}

fn money(signal: &StoredSignal) -> Result<Money, JobError> {
    signal.equity.parse().map_err(|_| damaged(signal, "equity"))
}

fn damaged(signal: &StoredSignal, what: &str) -> JobError {
    JobError::Check(format!("the {what} of signal {} of {} is damaged", signal.seq, signal.model_id))
}

/// Closes within an hour of the last one at which a target changed; a first word counts as one.
fn changes(signals: &[StoredSignal], last_close_ms: i64) -> Result<Vec<i64>, JobError> {
    let mut targets: HashMap<&str, Target> = HashMap::new();
    let mut changes = Vec::new();
    for stored in signals {
        let signal: Signal = serde_json::from_str(&stored.signal).map_err(|_| damaged(stored, "text"))?;
        let Some(target) = signal.action.target() else { continue };
        let is_change = targets.insert(&stored.stream_id, target) != Some(target);
        if is_change && stored.closed_at > last_close_ms - HOUR_MS {
            changes.push(stored.closed_at);
        }
    }
    Ok(changes)
}
