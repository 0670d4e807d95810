//! What tests stand on: a fake exchange that speaks real HTTP on loopback, generated series,
//! a real PostgreSQL server, a real NATS server, a real chain node and proxies that spoil what
//! passes. Nothing here is part of the product.

#![allow(clippy::disallowed_methods, reason = "an edge: finds and runs servers")]

mod anvil;
mod faults;
mod loopback;
mod nats;
mod node_proxy;
pub mod postgres;
mod series;
mod server;
mod shapes;
mod socket;
mod tcp_proxy;

pub use anvil::Anvil;
pub use faults::{Fault, Schedule};
pub use nats::NatsServer;
pub use node_proxy::{Deed, NodeProxy};
pub use series::{generate_candles, generate_trades};
pub use server::{FakeExchange, Request, Series};
pub use socket::SocketFault;
pub use tcp_proxy::TcpProxy;
