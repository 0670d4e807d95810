//! Chains over Ethereum JSON-RPC: block headers and logs, followed from block to block
//! through retries, refused ranges and reorganisations.

#![allow(clippy::disallowed_methods, reason = "an edge: talks to nodes")]
