//! The client and the follower against a real node with real Uniswap V3 contracts.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests fail by panicking")]

mod faults;
mod follow;
mod pool;
mod reorganisation;
mod setting;
mod speed;
