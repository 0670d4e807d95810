//! Chains over Ethereum JSON-RPC: block headers and logs, followed from block to block
//! through retries, refused ranges and reorganisations.
//!
//! [`RpcClient`] asks a node, [`LogFollower`] turns what it answers into steps that a
//! database can apply one by one, [`probe_pool`] says what contract lives at an address.
//! Nothing here signs, sends transactions or decodes events.

#![allow(clippy::disallowed_methods, reason = "an edge: talks to nodes")]

mod calls;
mod client;
mod endpoint;
mod error;
mod follower;
mod hexadecimal;
mod pool;
mod refusal;
mod reply;

pub use calls::{Header, MAX_ADDRESSES};
pub use client::{
    CONNECT_TIMEOUT, Call, ClientOptions, FIRST_BACKOFF, MAX_ATTEMPTS, MAX_BACKOFF, MAX_BATCH, MAX_RESPONSE_BYTES,
    REQUEST_TIMEOUT, RpcClient,
};
pub use endpoint::Endpoint;
pub use error::ChainError;
pub use follower::{
    BlockRef, Extension, FIRST_RANGE_BLOCKS, FollowOptions, HeaderMode, LogFollower, MAX_HEADER_BLOCKS,
    MAX_RANGE_BLOCKS, POLL_INTERVAL, Progress, REMEMBERED_BLOCKS, Step,
};
pub use hexadecimal::{parse_address, show_address, show_hash};
pub use pool::{PoolFacts, creation_block, probe_pool};

/// An address of a contract or account.
pub type Address = [u8; 20];
/// The hash of a block or transaction.
pub type Hash = [u8; 32];
