//! What can go wrong between us and a node.

use std::ops::RangeInclusive;

/// Why a node could not be asked or its answer not be used. The node is named without the
/// parts of its address that may hold a key.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// No address of a node.
    #[error("the RPC address is not usable: {detail}; give it as http://HOST:PORT or https://HOST/PATH")]
    Endpoint {
        /// What is wrong with it.
        detail: String,
    },
    /// No answer, or none but "later", as often as was tried.
    #[error(
        "{node}: {method} failed {attempts} times, the last time with: {detail}; check the node and run the same command again"
    )]
    Unreachable {
        /// The node.
        node: String,
        /// What was asked.
        method: &'static str,
        /// How often.
        attempts: u32,
        /// The last failure.
        detail: String,
    },
    /// The node says no, and would again.
    #[error("{node} refuses {method}: {detail} (code {code})")]
    Refused {
        /// The node.
        node: String,
        /// What was asked.
        method: &'static str,
        /// The JSON-RPC code, or the HTTP status.
        code: i64,
        /// The node's words.
        detail: String,
    },
    /// The node does not answer for so many blocks or logs at once: ask for fewer.
    #[error("{node} refuses the logs of blocks {} to {}: {detail}", .range.start(), .range.end())]
    RangeRefused {
        /// The node.
        node: String,
        /// The blocks.
        range: RangeInclusive<u64>,
        /// The node's words.
        detail: String,
    },
    /// An answer that no node may give.
    #[error("{node}: the answer to {method} is not usable: {detail}")]
    Malformed {
        /// The node.
        node: String,
        /// What was asked.
        method: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// Headers and logs that never fitted together.
    #[error("{node}: blocks {} to {} changed in each of {attempts} readings, the last time so: {detail}; follow with more confirmations, or ask one node instead of several behind one address", .range.start(), .range.end())]
    Unsteady {
        /// The node.
        node: String,
        /// The blocks.
        range: RangeInclusive<u64>,
        /// How often they were read.
        attempts: u32,
        /// What did not fit.
        detail: String,
    },
    /// A reorganisation below the oldest remembered block.
    #[error(
        "{node}: the chain no longer holds block {oldest}, the oldest of the {known} blocks remembered: the reorganisation is deeper than this, or this is another chain; index again from a block before it"
    )]
    DeepReorganisation {
        /// The node.
        node: String,
        /// Number of the oldest remembered block.
        oldest: u64,
        /// How many blocks were remembered.
        known: usize,
    },
    /// A request that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// A contract that is no pool we know.
    #[error("{address} is no pool that can be indexed: {detail}")]
    NotAPool {
        /// The contract.
        address: String,
        /// What gave it away.
        detail: String,
    },
}

impl ChainError {
    /// Whether the same request may succeed later without anything being changed here.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unsteady { .. })
    }
}
