//! Strategies at work: candles come in, a policy decides, signed signals go out, and an
//! audit reaches the same equity from the signals alone.
//!
//! The replay driver, the live desk and the audit are here; all use the one ledger step of
//! `sim` and the one inference of `model`.

#![allow(clippy::disallowed_methods, reason = "an edge: drivers follow clocks and sources")]

mod audit;
mod error;
mod live;
mod order;
mod policy_file;
mod signals;
mod strategy;

pub use audit::{Audit, Fault, FaultyLine, STALE_AFTER_MS, audit};
pub use error::EngineError;
pub use live::{
    Breach, Desk, Limits, Loosened, Member, MemberState, Said, Timing, UsedLimits, day_of_close, loosen_phrase,
    publish_phrase,
};
pub use policy_file::PolicyFile;
pub use signals::{Signer, Statement, read_header, to_line};
pub use strategy::PolicyStrategy;
