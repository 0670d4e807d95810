//! What can go wrong besides a miner's own faults.

/// Why this side cannot speak the protocol.
#[derive(Debug, thiserror::Error)]
pub enum MinerError {
    /// The system gives no HTTP client.
    #[error("no HTTP client on this machine: {0}")]
    Client(String),
    /// A registered miner cannot be reached by its entry.
    #[error("endpoint {endpoint}: {reason}")]
    Endpoint {
        /// The key or address as given.
        endpoint: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A wire that nobody speaks.
    #[error("`{0}` is no wire: use native or axon-v10")]
    Wire(String),
    /// The system gives no randomness.
    #[error("the system gives no randomness: {0}")]
    Randomness(String),
    /// The secret is no sr25519 key.
    #[error("the secret is not an sr25519 mini secret key of 32 bytes")]
    AxonKey,
    /// The server's socket fails.
    #[error("the listening socket failed: {0}")]
    Listen(#[source] std::io::Error),
}
