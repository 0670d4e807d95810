//! The engine on the recorded pool states, answers and events of `ASSAY_TEST_DATA`.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read files and fail where they stand")]

mod answers;
mod field;
#[path = "../oracle/mod.rs"]
mod oracle;
mod recorded;
mod replay;
mod sizing;
mod slipstream;
