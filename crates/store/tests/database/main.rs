//! The two databases, each test on SQLite and on a real PostgreSQL.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "tests may panic, and read files and the environment"
)]

mod access;
mod both;
mod deliveries;
mod events;
mod faults;
mod jobs;
mod leases;
mod models;
mod one_server;
mod rights;
mod rounds;
mod samples;
mod scheduled;
mod streams;
