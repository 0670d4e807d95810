//! Signals on their way to consumers: a hub that wakes those who listen here, and dispatchers
//! that hand each signal to webhooks, NATS and Kafka in order, at least once, from a cursor.

#![allow(clippy::disallowed_methods, reason = "an edge: sends over the network and reads the clock")]

mod address;
mod apart;
mod backoff;
mod clock;
mod courier;
mod dispatch;
mod error;
mod hub;
mod kafka;
mod message;
mod nats;
mod recorder;
mod senders;
mod settings;
mod subject;
mod webhook;

pub use address::is_public;
pub use backoff::Backoff;
pub use dispatch::{Dispatcher, Tested};
pub use error::{GatewayError, Refusal};
pub use hub::{HUB_CAPACITY, Hub, Notice, Published, Subscription};
pub use message::{Event, Message};
pub use nats::NATS_STREAM;
pub use senders::seal_secret;
pub use settings::GatewaySettings;
pub use subject::{HEARTBEATS, SIGNALS, heartbeats_of, signals_of};
pub use webhook::{MAX_URL_BYTES, signature, webhook_url};
