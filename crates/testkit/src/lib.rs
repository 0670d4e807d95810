//! What tests stand on: a fake exchange that speaks real HTTP on loopback, generated
//! series, a real chain node and a proxy that spoils its answers. Nothing here is part of
//! the product.

#![allow(clippy::disallowed_methods, reason = "test kit: reads the folder that ASSAY_NODE_TOOLS names")]

mod anvil;
mod faults;
mod loopback;
mod node_proxy;
mod series;
mod server;
mod shapes;

pub use anvil::Anvil;
pub use faults::{Fault, Schedule};
pub use node_proxy::{Deed, NodeProxy};
pub use series::{generate_candles, generate_trades};
pub use server::{FakeExchange, Request, Series};
