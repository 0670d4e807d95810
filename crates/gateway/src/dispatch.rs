//! Keeps one courier per active destination, so that none waits for another.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use assay_store::database::{
    DatabaseError, Delivery, DeliveryOutcome, Destination, KEPT_DELIVERIES, MAX_DESTINATIONS, PlatformDatabase,
};
use assay_store::{Stop, Vault};
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::clock::now_ms;
use crate::courier::Courier;
use crate::error::GatewayError;
use crate::hub::Hub;
use crate::message::Message;
use crate::recorder::Recorder;
use crate::senders::{Senders, open_secret};
use crate::settings::GatewaySettings;

/// How often the stop mark is looked for while something is on its way; it is looked for before
/// each send besides.
const STOP_POLL: Duration = Duration::from_millis(50);
/// How long sends under way may take after a shutdown was asked for.
const GRACE: Duration = Duration::from_secs(5);

/// What couriers share.
pub(crate) struct Shared {
    pub database: PlatformDatabase,
    pub vault: Vault,
    pub stop: Stop,
    pub hub: Hub,
    pub settings: GatewaySettings,
    pub senders: Senders,
    changed: Notify,
}

/// Sends stored signals to their destinations; clones share everything.
#[derive(Clone)]
pub struct Dispatcher {
    shared: Arc<Shared>,
}

/// What came of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tested {
    /// Why the destination did not take the message; `None` when it did.
    pub failure: Option<String>,
    /// From sending to the answer, in ms.
    pub latency_ms: i64,
}

/// A courier at work.
struct Post {
    wake: Arc<Notify>,
    task: AbortHandle,
}

impl Dispatcher {
    /// A dispatcher that does nothing yet.
    ///
    /// # Errors
    /// [`GatewayError::Http`] when the webhook client cannot be made.
    pub fn new(
        database: PlatformDatabase,
        vault: Vault,
        stop: Stop,
        hub: Hub,
        settings: GatewaySettings,
    ) -> Result<Self, GatewayError> {
        let senders = Senders::new(&settings)?;
        let changed = Notify::new();
        Ok(Self { shared: Arc::new(Shared { database, vault, stop, hub, settings, senders, changed }) })
    }

    /// Tells it that destinations were added, changed or removed.
    pub fn destinations_changed(&self) {
        self.shared.changed.notify_one();
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &GatewaySettings {
        &self.shared.settings
    }

    /// Sends a destination a message to try it, once, and logs what came of it.
    ///
    /// # Errors
    /// [`GatewayError::Stopped`], or when the database or the vault fails; a destination that
    /// does not take the message is no error.
    pub async fn test(&self, destination: &Destination) -> Result<Tested, GatewayError> {
        let shared = &self.shared;
        if shared.stop.is_stopped() {
            return Err(GatewayError::Stopped);
        }
        let secret = open_secret(&shared.vault, destination)?;
        let began = now_ms();
        let message = Message::test(&destination.model_id, &destination.destination_id, began);
        let sent = shared.senders.send(destination, secret.as_ref(), &message, began).await;
        let at = now_ms();
        let tested = Tested { failure: sent.err().map(|refusal| refusal.reason), latency_ms: (at - began).max(0) };
        let delivery = Delivery {
            seq: None,
            attempt: 1,
            outcome: DeliveryOutcome::Test,
            detail: tested.failure.clone(),
            latency_ms: Some(tested.latency_ms),
            at,
        };
        shared.database.log_test_delivery(&destination.destination_id, &destination.model_id, &delivery).await?;
        Ok(tested)
    }

    /// Sends until `shutdown` is true. A database that is away is waited for.
    pub async fn run(&self, mut shutdown: watch::Receiver<bool>) {
        let recorder = Recorder::start(self.shared.database.clone());
        let (stop_sender, stopped) = watch::channel(self.shared.stop.is_stopped());
        let mut tasks = JoinSet::new();
        let watcher = tasks.spawn(watch_stop(Arc::clone(&self.shared), stop_sender));
        let mut posts: HashMap<String, Post> = HashMap::new();
        let mut poll = interval(self.shared.settings.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*shutdown.borrow() {
            let is_changed = tokio::select! {
                _ = shutdown.changed() => break,
                () = self.shared.changed.notified() => true,
                _ = poll.tick() => false,
            };
            match self.wanted().await {
                Ok(wanted) => {
                    posts.retain(|_, post| !post.task.is_finished());
                    let start = |destination: &Destination| {
                        let wake = Arc::new(Notify::new());
                        let courier = Courier::new(
                            Arc::clone(&self.shared),
                            recorder.clone(),
                            destination,
                            Arc::clone(&wake),
                            stopped.clone(),
                            shutdown.clone(),
                        );
                        (wake, courier)
                    };
                    for destination in &wanted {
                        if !posts.contains_key(&destination.destination_id) {
                            let (wake, courier) = start(destination);
                            let task = tasks.spawn(courier.run());
                            posts.insert(destination.destination_id.clone(), Post { wake, task });
                        }
                    }
                    self.wake(&posts, &wanted, is_changed).await;
                }
                Err(error) => tracing::warn!(%error, "destinations cannot be read; they are read again soon"),
            }
            while tasks.try_join_next().is_some() {}
        }
        watcher.abort();
        let _ = timeout(GRACE, async { while tasks.join_next().await.is_some() {} }).await;
        tasks.shutdown().await;
    }

    async fn wanted(&self) -> Result<Vec<Destination>, DatabaseError> {
        let mut wanted: Vec<Destination> = Vec::new();
        loop {
            let after = wanted.last().map_or(0, |destination| destination.number);
            let page = self.shared.database.active_destinations(after).await?;
            let is_last = page.len() < MAX_DESTINATIONS as usize;
            wanted.extend(page);
            if is_last {
                return Ok(wanted);
            }
        }
    }

    /// Wakes the couriers whose destination changed, ended, or waits for signals of another process.
    async fn wake(&self, posts: &HashMap<String, Post>, wanted: &[Destination], is_changed: bool) {
        let wanted: HashSet<&str> = wanted.iter().map(|destination| destination.destination_id.as_str()).collect();
        for (id, post) in posts {
            if is_changed || !wanted.contains(id.as_str()) {
                post.wake.notify_one();
            }
        }
        match self.shared.database.destinations_behind(now_ms()).await {
            Ok(behind) => {
                for post in behind.iter().filter_map(|id| posts.get(id)) {
                    post.wake.notify_one();
                }
            }
            Err(error) => tracing::warn!(%error, "what waits to be sent cannot be read; it is read again soon"),
        }
    }
}

/// Tells couriers of the stop while a send is under way, and ends what brokers' clients would still
/// send of it.
async fn watch_stop(shared: Arc<Shared>, sender: watch::Sender<bool>) {
    let mut poll = interval(STOP_POLL);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        poll.tick().await;
        let is_stopped = shared.stop.is_stopped();
        let is_news = sender.send_if_modified(|known| std::mem::replace(known, is_stopped) != is_stopped);
        if is_news && is_stopped {
            shared.senders.end();
        }
    }
}

/// Attempts of one destination between two looks at the length of its log.
pub(crate) const PRUNE_EVERY: u64 = 1_000;

impl Shared {
    /// Forgets the oldest attempts.
    pub async fn prune(&self, destination_id: &str) {
        if let Err(error) = self.database.prune_deliveries(destination_id, KEPT_DELIVERIES).await {
            tracing::warn!(%error, destination_id, "the log of deliveries was not pruned");
        }
    }
}
