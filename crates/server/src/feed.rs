//! New events on their way to sockets: one reader of the database for all of them.
//!
//! A socket that falls behind misses nothing: it reads on from the database.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_jobs::JobError;
use assay_store::database::{Event, MAX_EVENTS};
use tokio::sync::{broadcast, watch};

use crate::parts::stopped;
use crate::state::ServerState;

/// Events that wait for a slow socket before it reads from the database again.
const WAITING_EVENTS: usize = 1_024;
/// How often events of other servers are looked for.
const POLL: Duration = Duration::from_millis(500);

/// New events, for sockets.
pub(crate) struct Feed {
    sender: broadcast::Sender<Arc<Event>>,
    /// The last event that was brought; `None` before the reader's first start.
    last: Mutex<Option<u64>>,
}

impl Feed {
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(WAITING_EVENTS), last: Mutex::new(None) }
    }

    fn last(&self) -> Option<u64> {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stand_at(&self, last: u64) -> u64 {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(last);
        last
    }

    fn bring(&self, event: Event) {
        self.stand_at(event.seq);
        // Nobody listens: fine.
        let _ = self.sender.send(Arc::new(event));
    }

    /// Events from now on.
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Event>> {
        self.sender.subscribe()
    }
}

/// Brings new events to the sockets until the server stops.
pub(crate) async fn run(state: ServerState, mut shutdown: watch::Receiver<bool>) -> Result<(), JobError> {
    // After a failure it goes on where it was.
    let mut last = match state.feed.last() {
        Some(last) => last,
        None => state.feed.stand_at(state.platform.last_event().await?),
    };
    loop {
        tokio::select! {
            () = state.events_appended.notified() => {}
            () = tokio::time::sleep(POLL) => {}
            () = stopped(&mut shutdown) => return Ok(()),
        }
        while state.platform.last_event().await? > last {
            let page = state.platform.events_after(last, MAX_EVENTS).await?;
            if page.events.is_empty() {
                break;
            }
            for event in page.events {
                last = event.seq;
                state.feed.bring(event);
            }
        }
    }
}
