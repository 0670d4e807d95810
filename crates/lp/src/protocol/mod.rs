//! What validator and miners say to each other, without a socket: signed requests and
//! responses, sealed answers, and the foreign wire format of Bittensor's v10 axon.
//!
//! Time, keys and randomness are arguments; `docs/book/miners.md` is the text for people
//! who write a miner of their own.

pub mod auth;
pub mod axon_v10;
mod messages;
mod nonces;
pub mod seal;
pub mod ss58;

pub use messages::{
    CommitReply, MAX_ANSWER_BYTES, MAX_BODY_BYTES, Problem, QUERY_PATH, REVEAL_PATH, RevealReply, RevealRequest,
};
pub use nonces::{MAX_NONCES_PER_SENDER, MAX_SENDERS, NonceMemory};
