//! Who is told of a stored signal at once. The table of signals is the truth: a listener that is
//! slower than the signals is told so and reads the rest there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Signals of one model that wait for its slowest listener; those before are read from the table.
pub const HUB_CAPACITY: usize = 16;

/// A signal that was stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The model.
    pub model_id: Arc<str>,
    /// Its number in the model's stream, from 0, without holes.
    pub seq: u64,
    /// `paper` or `live`.
    pub mode: Arc<str>,
    /// When the candle closed, in ms since 1970.
    pub closed_at: i64,
    /// The signal as JSON, byte for byte as stored.
    pub line: Arc<str>,
}

/// What a listener is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// The next signal that was published.
    Signal(Published),
    /// So many signals were published that the listener did not take in time.
    Missed(u64),
}

type Channels = HashMap<Arc<str>, broadcast::Sender<Published>>;

/// Tells the listeners in this process; clones share their listeners.
#[derive(Debug, Clone, Default)]
pub struct Hub {
    channels: Arc<Mutex<Channels>>,
}

impl Hub {
    /// A hub without listeners.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells the listeners of each model; never waits, for nobody. Call it after the signals
    /// were committed, in ascending order per model.
    pub fn publish(&self, signals: &[Published]) {
        let channels = self.lock();
        for signal in signals {
            if let Some(channel) = channels.get(&signal.model_id) {
                // Fails when the last listener is just leaving.
                let _ = channel.send(signal.clone());
            }
        }
    }

    /// Listens to the signals of a model that are published from now on.
    #[must_use]
    pub fn subscribe(&self, model_id: &str) -> Subscription {
        let mut channels = self.lock();
        let model_id = channels.get_key_value(model_id).map_or_else(|| Arc::from(model_id), |(known, _)| known.clone());
        let channel = channels.entry(model_id.clone()).or_insert_with(|| broadcast::channel(HUB_CAPACITY).0);
        Subscription { signals: Some(channel.subscribe()), model_id, hub: self.clone() }
    }

    /// How many listen, over all models.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.lock().values().map(broadcast::Sender::receiver_count).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Channels> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One listener's place; dropped, it listens no more.
#[derive(Debug)]
pub struct Subscription {
    signals: Option<broadcast::Receiver<Published>>,
    model_id: Arc<str>,
    hub: Hub,
}

impl Subscription {
    /// Waits for the next signal. May be given up at any point without losing one.
    pub async fn next(&mut self) -> Notice {
        let Some(signals) = &mut self.signals else { return std::future::pending().await };
        match signals.recv().await {
            Ok(signal) => Notice::Signal(signal),
            Err(RecvError::Lagged(missed)) => Notice::Missed(missed),
            // The hub, which this place keeps, holds the sender for as long.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let mut channels = self.hub.lock();
        drop(self.signals.take());
        if channels.get(&self.model_id).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&self.model_id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signal(model_id: &str, seq: u64) -> Published {
        Published { model_id: model_id.into(), seq, mode: "paper".into(), closed_at: 0, line: "{}".into() }
    }

    #[tokio::test]
    async fn listeners_hear_their_model_in_order() {
        let hub = Hub::new();
        hub.publish(&[signal("a", 0)]);
        let (mut first, mut second, mut other) = (hub.subscribe("a"), hub.subscribe("a"), hub.subscribe("b"));
        hub.publish(&[signal("a", 1), signal("b", 7), signal("a", 2)]);
        for listener in [&mut first, &mut second] {
            assert_eq!(listener.next().await, Notice::Signal(signal("a", 1)));
            assert_eq!(listener.next().await, Notice::Signal(signal("a", 2)));
        }
        assert_eq!(other.next().await, Notice::Signal(signal("b", 7)));
    }

    #[tokio::test]
    async fn who_lags_is_told_how_much_was_missed() {
        let hub = Hub::new();
        let mut slow = hub.subscribe("a");
        let published = HUB_CAPACITY as u64 + 5;
        for seq in 0..published {
            hub.publish(&[signal("a", seq)]);
        }
        assert_eq!(slow.next().await, Notice::Missed(5));
        assert_eq!(slow.next().await, Notice::Signal(signal("a", 5)));
    }

    #[test]
    fn who_leaves_costs_nothing() {
        let hub = Hub::new();
        let places: Vec<_> = (0..100).map(|model| hub.subscribe(&format!("model {model}"))).collect();
        let twice = hub.subscribe("model 0");
        assert_eq!(hub.listeners(), 101);
        drop(places);
        assert_eq!((hub.listeners(), hub.lock().len()), (1, 1));
        drop(twice);
        assert_eq!((hub.listeners(), hub.lock().len()), (0, 0));
    }
}
