//! Strategies at work: candles come in, a policy decides, signed signals go out, and an
//! audit reaches the same equity from the signals alone.
//!
//! The replay driver and the audit are here; both use the one ledger step of `sim` and
//! the one inference of `model`.

#![allow(clippy::disallowed_methods, reason = "an edge: drivers follow clocks and sources")]

mod audit;
mod error;
mod order;
mod signals;
mod strategy;

pub use audit::{Audit, Fault, FaultyLine, STALE_AFTER_MS, audit};
pub use error::EngineError;
pub use signals::{Signer, read_header, to_line};
pub use strategy::PolicyStrategy;
