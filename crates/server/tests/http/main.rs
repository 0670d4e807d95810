//! A real server on loopback, asked with real requests.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, and read files, clocks and the environment"
)]

mod bodies;
mod credentials;
mod events;
mod faults;
mod listening;
mod metrics;
#[cfg(feature = "otel")]
mod otel;
mod pages;
mod repeats;
mod sessions;
mod support;
mod wallets;
mod workers;
