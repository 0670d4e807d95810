//! Local state under one home folder: runs, content-addressed objects, trials, keys,
//! and the locks that keep two processes from writing the same thing.
//!
//! Every write is atomic (a temporary file, flushed, then renamed), so a killed
//! process leaves either the old file or the new one, never a torn one.
//!
//! And the databases beside the home folder: [`database`].

#![allow(clippy::disallowed_methods, reason = "an edge: keeps state in files")]

pub mod database;
mod error;
mod files;
mod home;
mod keys;
mod lock;
mod objects;
mod runs;
mod stop;
mod trials;
mod vault;

pub use error::StoreError;
pub use files::{append_line, read, read_to_string, write_atomic};
pub use home::Home;
pub use keys::{check_key, load_or_create_signing_key};
pub use lock::Lock;
pub use objects::Objects;
pub use runs::{RunFolder, RunSummary, Runs};
pub use stop::{Cleared, ResumeRequest, Stop, StopMark};
pub use trials::{Trial, Trials};
pub use vault::Vault;
