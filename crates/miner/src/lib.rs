//! The miners' protocol over HTTP: the validator's questions and a miner's answers, both
//! signed, the answers sealed until the deadline.

#![allow(clippy::disallowed_methods, reason = "an edge: clock and network")]
