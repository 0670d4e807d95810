//! What the sockets of exchanges have in common.

use assay_types::Candle;

use super::PageError;

/// How a socket tells that a candle is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClosedRule {
    /// The candle's last message says so and holds its final values.
    Flagged,
    /// It does not: a candle is closed when the exchange's time is past its end, and its final
    /// values are read over REST.
    ByTime,
}

/// How to join a socket.
#[derive(Debug, Clone)]
pub(crate) struct SocketRequest {
    /// The address; it may hold a token.
    pub url: String,
    /// What to send first.
    pub subscribe: Vec<String>,
    /// What to send to stay connected; `None` sends the protocol's own ping.
    pub ping: Option<String>,
    /// How often.
    pub ping_ms: u64,
    /// The name of what was subscribed to.
    pub topic: String,
}

/// What one message told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The exchange's time when it was sent.
    pub sent_ms: Option<i64>,
    /// The candles in it.
    pub told: Vec<Told>,
}

/// What was told of one candle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// It is closed and these are its final values.
    Closed(Candle),
    /// One that opens here is being formed, so those before are closed.
    Forming(i64),
}

/// A message as JSON.
pub(super) fn message<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T, PageError> {
    super::page::json(text.as_bytes())
}
