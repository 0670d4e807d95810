//! The exact AMM engine: pool states, quotes and swaps equal to the deployed contracts
//! to the wei.
//!
//! One file per pool kind in `kind/`; a pool is one variant of the closed [`Pool`].
//! Every amount is an unsigned 256-bit integer in the smallest unit of its token and
//! every rounding is the contract's. A quote takes the state, the block's timestamp and
//! the fee context ([`Context`]) and nothing else: what a kind needs and its state lacks
//! is an error, never a default. Nothing here reads files, clocks or nodes.

#![allow(clippy::needless_range_loop, reason = "loops over the two tokens index several arrays at once")]

pub mod concentrated;
mod context;
mod error;
pub mod event;
pub mod integer;
pub mod kind;
pub mod replay;
pub mod snapshot;
pub mod trade;

pub use context::{Context, Fee, MarginalPrice, Quote, check_pair};
pub use error::AmmError;
pub use kind::{Pool, PoolKind, Proof, UnknownKind};
pub use ruint::aliases::{U256, U512};
