//! Scheduled jobs at work: taken under a lease from the platform database, or from a server
//! over gRPC, each run by a process of its own.
//!
//! What a job does is no matter of this crate: a request goes to the process as it is, and what
//! the process says comes back.

#![allow(clippy::disallowed_methods, reason = "an edge: clock, processes, files, sockets")]

mod artefact;
mod candles;
mod child;
mod clock;
mod error;
mod line;
mod place;
mod proto;
pub mod protocol;
mod queue;
mod remote;
mod service;
mod worker;

pub use error::WorkerError;
pub use place::Place;
pub use proto::workers_server::WorkersServer;
pub use queue::{LEASE_MS, Queue};
pub use remote::Remote;
pub use service::{AboutJob, WorkerService};
pub use worker::{CANCEL_GRACE, CHILD_SILENCE, HEARTBEAT, Lane, Worker};
