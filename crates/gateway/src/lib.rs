//! Signals on their way to consumers: a hub that wakes those who listen here, and dispatchers
//! that hand each signal to webhooks, NATS and Kafka in order, at least once, from a cursor.

#![allow(clippy::disallowed_methods, reason = "an edge: sends over the network and reads the clock")]

mod hub;

pub use hub::{HUB_CAPACITY, Hub, Notice, Published, Subscription};
