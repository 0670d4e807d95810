//! What is sent: a signal byte for byte as stored, or a heartbeat or test, which says so.

use std::sync::Arc;

use assay_types::time::format_utc;
use serde_json::json;

use crate::hub::Published;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A signal.
    Signal,
    /// All is well and nothing was said.
    Heartbeat,
    /// The owner tries the destination.
    Test,
}

impl Event {
    /// The word in the header `Assay-Event`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signal => "signal",
            Self::Heartbeat => "heartbeat",
            Self::Test => "test",
        }
    }
}

/// A message to a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it is.
    pub event: Event,
    /// The model.
    pub model_id: Arc<str>,
    /// The number of the signal; `None` for other messages.
    pub seq: Option<u64>,
    /// `paper` or `live`; `None` for other messages than signals.
    pub mode: Option<Arc<str>>,
    /// The JSON.
    pub body: Arc<str>,
}

impl Message {
    pub(crate) fn signal(signal: &Published) -> Self {
        Self {
            event: Event::Signal,
            model_id: signal.model_id.clone(),
            seq: Some(signal.seq),
            mode: Some(signal.mode.clone()),
            body: signal.line.clone(),
        }
    }

    /// That the sender is well, and which signal comes next.
    #[must_use]
    pub fn heartbeat(model_id: &str, next_seq: u64, now_ms: i64) -> Self {
        let body = json!({ "type": "heartbeat", "model_id": model_id, "at": format_utc(now_ms), "next_seq": next_seq });
        Self::other(Event::Heartbeat, model_id, &body)
    }

    /// A message to try a destination with.
    #[must_use]
    pub fn test(model_id: &str, destination_id: &str, now_ms: i64) -> Self {
        let body = json!({
            "type": "test", "model_id": model_id, "destination_id": destination_id, "at": format_utc(now_ms),
        });
        Self::other(Event::Test, model_id, &body)
    }

    fn other(event: Event, model_id: &str, body: &serde_json::Value) -> Self {
        Self { event, model_id: model_id.into(), seq: None, mode: None, body: body.to_string().into() }
    }

    /// The headers that every kind of destination gets.
    pub(crate) fn headers(&self) -> Vec<(&'static str, String)> {
        let mut headers =
            vec![("Assay-Event", self.event.name().to_owned()), ("Assay-Model", self.model_id.to_string())];
        headers.extend(self.seq.map(|seq| ("Assay-Seq", seq.to_string())));
        headers.extend(self.mode.as_ref().map(|mode| ("Assay-Mode", mode.to_string())));
        headers
    }
}
