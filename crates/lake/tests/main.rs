//! The lake from outside: files, the folder store, the fake exchange, an S3 server.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read files and fail by panicking")]

mod fetch;
mod import;
mod live;
mod resample;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod trades;
