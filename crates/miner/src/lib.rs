//! The miners' protocol over HTTP: the validator's questions and a miner's answers, both
//! signed, the answers sealed until the deadline.
//!
//! [`MinerClient`] is the validator's side, [`serve`] the miner's. What is signed and sealed
//! is defined in `assay_lp::protocol`; here are sockets, time limits and bounded memory.

#![allow(clippy::disallowed_methods, reason = "an edge: clock and network")]

mod axon;
mod client;
mod clock;
mod error;
mod server;

pub use axon::AxonKey;
pub use client::{Ask, Asked, Fault, MAX_ASKS, MinerClient, MinerEndpoint, Outcome, Reveal, Revealed, RevealedAnswer};
pub use clock::{Clock, system_clock};
pub use error::MinerError;
pub use server::{
    AxonServer, MAX_CONNECTIONS, MAX_CONNECTIONS_PER_ADDRESS, MAX_SEALED_PER_VALIDATOR, MAX_VALIDATORS, MinerServer,
    Strategy, Wire, serve,
};
