//! Rounds on a small pool whose every event the tests make themselves.

#![allow(clippy::unwrap_used, reason = "tests")]

mod answers;
mod clock;
mod engine;
mod environment;
mod ranking;
mod reputation;
mod table;
