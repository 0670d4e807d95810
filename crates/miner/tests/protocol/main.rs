//! The protocol over real sockets on loopback: honest and hostile miners and validators.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests of an edge")]

mod axon;
mod hostile;
mod python;
mod refusals;
mod responses;
mod rogue;
mod rounds;
mod support;
