//! The lake from outside: files, the folder store, the fake exchange, an S3 server.

mod fetch;
mod import;
mod resample;
#[cfg(feature = "s3")]
mod s3;
mod store;
mod trades;
