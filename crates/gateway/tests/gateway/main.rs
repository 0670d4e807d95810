//! Signals on their way to real receivers: HTTP, a real NATS server, a broker that speaks Kafka.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, and read the clock and the environment"
)]

mod examples;
mod faults;
mod kafka;
mod kill;
mod nats;
mod receiver;
mod rights;
mod stop;
mod support;
mod webhook;
