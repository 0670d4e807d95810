//! What tests stand on: a fake exchange that speaks real HTTP on loopback, generated series,
//! a real PostgreSQL server, a real chain node and a proxy that spoils its answers. Nothing
//! here is part of the product.

#![allow(clippy::disallowed_methods, reason = "an edge: finds and runs servers")]

mod anvil;
mod faults;
mod loopback;
mod node_proxy;
pub mod postgres;
mod series;
mod server;
mod shapes;
mod socket;

pub use anvil::Anvil;
pub use faults::{Fault, Schedule};
pub use node_proxy::{Deed, NodeProxy};
pub use series::{generate_candles, generate_trades};
pub use server::{FakeExchange, Request, Series};
pub use socket::SocketFault;
