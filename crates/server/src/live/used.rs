//! What earlier streams of a model used up of its limits, read from what they said: a new
//! stream is no way around a loss of the day or the changes of the hour.

use std::collections::HashMap;

use assay_engine::{UsedLimits, day_of_close};
use assay_jobs::JobError;
use assay_store::database::{MAX_SIGNALS, StoredSignal, Stream};
use assay_types::time::DAY_MS;
use assay_types::{Money, Signal, Target};

use super::words::source_of;
use crate::state::ServerState;

const HOUR_MS: i64 = 3_600_000;

/// What the model had used up when `stream` began; `None` for its first stream. What was said of
/// recorded candles uses up nothing of an exchange's day.
pub(super) async fn used_limits(state: &ServerState, stream: &Stream) -> Result<Option<UsedLimits>, JobError> {
    let mut earlier = Earlier { state, stream, is_replay: source_of(stream)?.is_replay(), alike: HashMap::new() };
    let mut before_seq = stream.first_seq;
    let last_close_ms = loop {
        let Some(seq) = before_seq.checked_sub(1) else { return Ok(None) };
        let Some(last) = state.platform.signals_from(&stream.model_id, seq, 1).await?.pop() else { return Ok(None) };
        match earlier.first_seq_if_other(&last).await? {
            None => break last.closed_at,
            Some(first_seq) => before_seq = first_seq.min(seq),
        }
    };
    let day_start_ms = day_of_close(last_close_ms) * DAY_MS;
    let signals = earlier.signals(day_start_ms.min(last_close_ms - HOUR_MS), last_close_ms).await?;
    let of_day = signals.partition_point(|signal| signal.closed_at <= day_start_ms);
    // The close before, for the equity that the day began with.
    let before = match of_day.checked_sub(1) {
        Some(index) => signals.get(index).cloned(),
        None => match signals.first().and_then(|signal| signal.seq.checked_sub(1)) {
            Some(seq) => state.platform.signals_from(&stream.model_id, seq, 1).await?.pop(),
            None => None,
        },
    };
    let lost = lost(before.as_ref(), &signals[of_day..])?;
    Ok(Some(UsedLimits { last_close_ms, lost, changes: changes(&signals, last_close_ms)? }))
}

/// The earlier streams of a model.
struct Earlier<'a> {
    state: &'a ServerState,
    stream: &'a Stream,
    is_replay: bool,
    /// Where each begins that is of the other kind: recorded candles beside an exchange's.
    alike: HashMap<String, Option<u64>>,
}

impl Earlier<'_> {
    /// The first number of the stream that said `signal`, when it is of the other kind.
    async fn first_seq_if_other(&mut self, signal: &StoredSignal) -> Result<Option<u64>, JobError> {
        if let Some(known) = self.alike.get(&signal.stream_id) {
            return Ok(*known);
        }
        let found = self.state.platform.stream(&signal.stream_id).await?;
        let other = match found {
            Some(found) if source_of(&found)?.is_replay() != self.is_replay => Some(found.first_seq),
            _ => None,
        };
        self.alike.insert(signal.stream_id.clone(), other);
        Ok(other)
    }

    /// What those of the same kind said at the closes after `from_ms`, up to `to_ms`.
    async fn signals(&mut self, from_ms: i64, to_ms: i64) -> Result<Vec<StoredSignal>, JobError> {
        let closed = from_ms.saturating_add(1)..to_ms.saturating_add(1);
        let (mut signals, mut from): (Vec<StoredSignal>, u64) = (Vec::new(), 0);
        loop {
            let page =
                self.state.platform.signals_between(&self.stream.model_id, closed.clone(), from, MAX_SIGNALS).await?;
            let is_last = page.len() < MAX_SIGNALS as usize;
            from = page.last().map_or(from, |signal| signal.seq + 1);
            for signal in page.into_iter().filter(|signal| signal.seq < self.stream.first_seq) {
                if self.first_seq_if_other(&signal).await?.is_none() {
                    signals.push(signal);
                }
            }
            if is_last {
                return Ok(signals);
            }
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
