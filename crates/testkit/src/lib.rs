//! What tests stand on: a fake exchange that speaks real HTTP on loopback, generated series,
//! and a real PostgreSQL server. Nothing here is part of the product.

#![allow(clippy::disallowed_methods, reason = "an edge: finds and runs a server")]

mod faults;
pub mod postgres;
mod series;
mod server;
mod shapes;

pub use faults::{Fault, Schedule};
pub use series::{generate_candles, generate_trades};
pub use server::{FakeExchange, Request, Series};
