//! Streams from candle to listener, on real databases, a real run and the fake exchange.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail by panicking")]

mod bounds;
mod burst;
mod comparison;
mod control;
mod exchange;
mod flatten;
mod kill;
mod limits;
mod pauses;
mod replay;
mod support;
