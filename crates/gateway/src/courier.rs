//! Sends one destination its signals in order: from its cursor, one after the other, each until
//! it is confirmed.

use std::sync::Arc;
use std::time::Duration;

use assay_store::database::{
    Delivery, DeliveryOutcome, DeliveryReport, Destination, DestinationRight, Setback, StoredSignal,
};
use assay_types::Secret;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backoff::random;
use crate::clock::now_ms;
use crate::dispatch::{PRUNE_EVERY, Shared};
use crate::error::Refusal;
use crate::hub::{Notice, Published, Subscription};
use crate::message::Message;
use crate::recorder::Recorder;
use crate::senders::open_secret;

/// Signals that are sent before the cursor is stored: so many may come twice after a kill.
const PAGE: u32 = 32;
/// Between attempts to read a database that is away.
const DATABASE_RETRY: Duration = Duration::from_millis(500);
/// Between looks at a table of signals that lacks the next one and has a later one.
const HOLE_RETRY: Duration = Duration::from_secs(10);
/// How long what the database said of a destination's right to hear holds.
const RIGHT_FRESH: Duration = Duration::from_millis(500);
/// Between looks whether everything is stopped still.
const RESUME_POLL: Duration = Duration::from_millis(100);

/// The task of one destination.
pub(crate) struct Courier {
    shared: Arc<Shared>,
    recorder: Recorder,
    destination_id: String,
    signals: Subscription,
    wake: Arc<Notify>,
    stopped: watch::Receiver<bool>,
    shutdown: watch::Receiver<bool>,
    next_heartbeat: Instant,
    unpruned: u64,
}

/// Where a destination stands, between two reads of its row.
struct Place {
    destination: Destination,
    secret: Option<Secret>,
    /// What it may be sent, and when that was asked; `None` before.
    right: Option<(DestinationRight, Instant)>,
}

impl Place {
    /// Whether it belongs to whom the model's stream belongs: nobody else hears what is said on paper.
    fn hears_paper(&self) -> bool {
        matches!(self.right, Some((DestinationRight::Hears { hears_paper: true }, _)))
    }
}

/// How waiting ended.
#[derive(Debug, PartialEq, Eq)]
enum Waited {
    /// What was waited for is there.
    Done,
    /// The row may have changed.
    Woken,
    /// The process ends.
    Ending,
}

/// How a page of signals ended.
enum Ended {
    /// All are confirmed.
    Confirmed,
    /// One was not.
    Refused(Refusal),
    /// Everything is stopped, or the process ends.
    Held,
    /// The destination was paused or removed.
    Gone,
}

impl Courier {
    pub fn new(
        shared: Arc<Shared>,
        recorder: Recorder,
        destination: &Destination,
        wake: Arc<Notify>,
        stopped: watch::Receiver<bool>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        let signals = shared.hub.subscribe(&destination.model_id);
        let next_heartbeat = Instant::now() + shared.settings.heartbeat;
        let destination_id = destination.destination_id.clone();
        Self { shared, recorder, destination_id, signals, wake, stopped, shutdown, next_heartbeat, unpruned: 0 }
    }

    /// Sends until the destination is paused or removed, or the process ends.
    pub async fn run(mut self) {
        self.shared.prune(&self.destination_id).await;
        while let Some(destination) = self.read().await {
            match open_secret(&self.shared.vault, &destination) {
                Ok(secret) => self.serve(Place { destination, secret, right: None }).await,
                Err(error) => {
                    self.give_up(&destination, &Refusal::last(error.to_string())).await;
                }
            }
        }
    }

    /// Pauses the destination until its owner lets it go on; the row as it is now.
    async fn give_up(&mut self, destination: &Destination, refusal: &Refusal) -> Option<Destination> {
        let paused = self.report(destination, destination.next_seq, Vec::new(), Some(refusal)).await;
        if paused.is_none() {
            self.pause(DATABASE_RETRY).await;
        }
        paused
    }

    /// Asks again what may be sent: a model may have become private, a user may have been shut
    /// out since the destination was added. An error says how sending ends.
    async fn check_right(&mut self, place: &mut Place) -> Result<(), Ended> {
        if place.right.is_some_and(|(_, asked)| asked.elapsed() < RIGHT_FRESH) {
            return Ok(());
        }
        let asked = Instant::now();
        match self.shared.database.destination_right(&self.destination_id).await {
            Ok(None) => Err(Ended::Gone),
            Ok(Some(right)) => match right.refusal() {
                Some(reason) => Err(Ended::Refused(Refusal::last(reason))),
                None => {
                    place.right = Some((right, asked));
                    Ok(())
                }
            },
            Err(error) => {
                self.database_is_away(&error).await;
                Err(Ended::Held)
            }
        }
    }

    fn is_ending(&self) -> bool {
        *self.shutdown.borrow() || self.shutdown.has_changed().is_err()
    }

    /// The row, once the database gives it; `None` to end.
    async fn read(&mut self) -> Option<Destination> {
        loop {
            if self.is_ending() {
                return None;
            }
            match self.shared.database.destination(&self.destination_id).await {
                Ok(found) => return found.filter(|destination| destination.is_active),
                Err(error) => self.database_is_away(&error).await,
            }
        }
    }

    async fn database_is_away(&mut self, error: &assay_store::database::DatabaseError) {
        tracing::warn!(%error, destination = self.destination_id, "a destination waits for the database");
        self.pause(DATABASE_RETRY).await;
    }

    async fn pause(&mut self, wait: Duration) {
        tokio::select! {
            _ = self.shutdown.changed() => {}
            () = sleep(wait) => {}
        }
    }

    /// Sends from one read of the row to the next.
    async fn serve(&mut self, mut place: Place) {
        while !self.is_ending() {
            if self.wait_to_retry(place.destination.retry_at).await != Waited::Done
                || self.wait_to_resume().await != Waited::Done
            {
                return;
            }
            let (model_id, from) = (place.destination.model_id.clone(), place.destination.next_seq);
            let page = match self.shared.database.signals_from(&model_id, from, PAGE).await {
                Ok(page) => page.iter().map(published).collect(),
                Err(error) => {
                    self.database_is_away(&error).await;
                    return;
                }
            };
            if !self.send_all(&mut place, page).await {
                return;
            }
        }
    }

    /// Sends a page, or waits for a signal where it is empty; whether to look for more.
    async fn send_all(&mut self, place: &mut Place, mut page: Vec<Published>) -> bool {
        while page.is_empty() {
            tokio::select! {
                notice = self.signals.next() => match notice {
                    Notice::Signal(signal) if signal.seq == place.destination.next_seq => page.push(signal),
                    Notice::Signal(signal) if signal.seq < place.destination.next_seq => {}
                    Notice::Signal(_) | Notice::Missed(_) => return true,
                },
                () = self.wake.notified() => return false,
                _ = self.shutdown.changed() => return false,
                () = sleep_until(self.next_heartbeat) => self.heartbeat(place).await,
            }
        }
        self.send_page(place, &page).await
    }

    async fn send_page(&mut self, place: &mut Place, page: &[Published]) -> bool {
        let mut confirmed = Vec::with_capacity(page.len());
        let mut next_seq = place.destination.next_seq;
        let mut ended = Ended::Confirmed;
        for signal in page {
            // A hole is not jumped over: its signal may come yet.
            if signal.seq != next_seq {
                break;
            }
            if let Err(end) = self.check_right(place).await {
                ended = end;
                break;
            }
            if &*signal.mode != "live" && !place.hears_paper() {
                next_seq += 1;
                continue;
            }
            let attempt = if confirmed.is_empty() { place.destination.failures + 1 } else { 1 };
            match self.send(place, &Message::signal(signal)).await {
                Ended::Confirmed => {
                    next_seq += 1;
                    let at = now_ms();
                    confirmed.push(delivery(signal, attempt, None, at));
                }
                Ended::Refused(refusal) => {
                    confirmed.push(delivery(signal, attempt, Some(refusal.reason.clone()), now_ms()));
                    ended = Ended::Refused(refusal);
                    break;
                }
                other @ (Ended::Held | Ended::Gone) => {
                    ended = other;
                    break;
                }
            }
        }
        let is_refused = matches!(ended, Ended::Refused(_));
        if confirmed.is_empty() && next_seq == place.destination.next_seq && !is_refused {
            if matches!(ended, Ended::Confirmed) {
                tracing::error!(destination = self.destination_id, next_seq, "the table of signals has a hole");
                self.pause(HOLE_RETRY).await;
            }
            return matches!(ended, Ended::Held);
        }
        let refusal = if let Ended::Refused(refusal) = &ended { Some(refusal) } else { None };
        let Some(changed) = self.report(&place.destination, next_seq, confirmed, refusal).await else {
            // What cannot be noted is sent again, but not as fast as the network takes it.
            self.pause(DATABASE_RETRY).await;
            return false;
        };
        place.destination = changed;
        place.destination.is_active && !matches!(ended, Ended::Gone)
    }

    /// Sends one message, unless everything is stopped, and no longer than that.
    async fn send(&mut self, place: &Place, message: &Message) -> Ended {
        if self.is_ending() || self.shared.stop.is_stopped() {
            return Ended::Held;
        }
        let shared = Arc::clone(&self.shared);
        let sending = shared.senders.send(&place.destination, place.secret.as_ref(), message, now_ms());
        tokio::select! {
            biased;
            _ = self.stopped.wait_for(|is_stopped| *is_stopped) => Ended::Held,
            sent = sending => sent.map_or_else(Ended::Refused, |()| Ended::Confirmed),
        }
    }

    async fn heartbeat(&mut self, place: &mut Place) {
        self.next_heartbeat = Instant::now() + self.shared.settings.heartbeat;
        if !place.destination.heartbeats {
            return;
        }
        match self.check_right(place).await {
            Ok(()) => {}
            Err(Ended::Refused(refusal)) => {
                if let Some(paused) = self.give_up(&place.destination, &refusal).await {
                    place.destination = paused;
                }
                return;
            }
            Err(_) => return,
        }
        let message = Message::heartbeat(&place.destination.model_id, place.destination.next_seq, now_ms());
        if let Ended::Refused(refusal) = self.send(place, &message).await {
            tracing::debug!(destination = self.destination_id, reason = refusal.reason, "a heartbeat was not taken");
        }
    }

    /// Stores what was done; the row as it is now, `None` when the report was not taken.
    async fn report(
        &mut self,
        before: &Destination,
        next_seq: u64,
        deliveries: Vec<Delivery>,
        refusal: Option<&Refusal>,
    ) -> Option<Destination> {
        let now = now_ms();
        let has_moved = next_seq > before.next_seq;
        let setback = refusal.map(|refusal| {
            let failures = if has_moved { 1 } else { before.failures + 1 };
            let wait =
                self.shared.settings.backoff.wait(failures, random()).max(refusal.retry_after.unwrap_or_default());
            let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
            let (error, is_paused) = (refusal.reason.clone(), refusal.is_final);
            Setback { failures, error, retry_at: now.saturating_add(wait), is_paused }
        });
        let after = Destination {
            next_seq,
            failures: setback.as_ref().map_or(0, |setback| setback.failures),
            retry_at: setback.as_ref().map_or(0, |setback| setback.retry_at),
            last_error: setback.as_ref().map(|setback| setback.error.clone()),
            is_active: !setback.as_ref().is_some_and(|setback| setback.is_paused),
            ..before.clone()
        };
        self.unpruned += deliveries.len() as u64;
        let report = DeliveryReport {
            destination_id: before.destination_id.clone(),
            model_id: before.model_id.clone(),
            from_seq: before.next_seq,
            next_seq,
            deliveries,
            setback,
            was_failing: before.failures > 0,
        };
        let is_taken = self.recorder.record(report).await;
        if self.unpruned >= PRUNE_EVERY {
            self.unpruned = 0;
            self.shared.prune(&self.destination_id).await;
        }
        is_taken.then_some(after)
    }

    async fn wait_to_retry(&mut self, retry_at: i64) -> Waited {
        loop {
            let Ok(wait) = u64::try_from(retry_at.saturating_sub(now_ms())) else { return Waited::Done };
            if wait == 0 {
                return Waited::Done;
            }
            tokio::select! {
                // The wall clock may jump: never sleep past what it says now.
                () = sleep(Duration::from_millis(wait.min(60_000))) => {}
                () = self.wake.notified() => return Waited::Woken,
                _ = self.shutdown.changed() => return Waited::Ending,
            }
        }
    }

    async fn wait_to_resume(&mut self) -> Waited {
        let mut waited = Waited::Done;
        while self.shared.stop.is_stopped() || *self.stopped.borrow() {
            tokio::select! {
                () = sleep(RESUME_POLL) => waited = Waited::Woken,
                _ = self.shutdown.changed() => return Waited::Ending,
            }
        }
        waited
    }
}

fn published(row: &StoredSignal) -> Published {
    Published {
        model_id: row.model_id.as_str().into(),
        seq: row.seq,
        mode: row.mode.name().into(),
        closed_at: row.closed_at,
        line: row.signal.as_str().into(),
    }
}

fn delivery(signal: &Published, attempt: u64, failure: Option<String>, at: i64) -> Delivery {
    let outcome = if failure.is_none() { DeliveryOutcome::Delivered } else { DeliveryOutcome::Failed };
    let latency_ms = failure.is_none().then(|| (at - signal.closed_at).max(0));
    Delivery { seq: Some(signal.seq), attempt, outcome, detail: failure, latency_ms, at }
}
