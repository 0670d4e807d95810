//! What tests stand on: a fake exchange that speaks real HTTP on loopback, and
//! generated series. Nothing here is part of the product.

mod faults;
mod series;
mod server;
mod shapes;

pub use faults::{Fault, Schedule};
pub use series::{generate_candles, generate_trades};
pub use server::{FakeExchange, Request, Series};
