//! A log as a node reports it.

use ruint::aliases::U256;

use super::Place;

/// A log as a node reports it, not decoded yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawLog {
    /// Where in the chain.
    pub place: Place,
    /// Hash of its block.
    pub block_hash: [u8; 32],
    /// Hash of its transaction.
    pub tx_hash: [u8; 32],
    /// The contract that logged it.
    pub address: [u8; 20],
    /// Topics, the event's signature first.
    pub topics: Vec<U256>,
    /// Data without the topics.
    pub data: Vec<u8>,
}
