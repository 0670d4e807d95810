//! What the crate promises, tested through its public door.

#![allow(clippy::unwrap_used, reason = "a test helper that fails fails its test")]

mod answers;
mod degenerate;
mod lookahead;
mod made;
mod streaming;
mod talib;
mod training_only;
