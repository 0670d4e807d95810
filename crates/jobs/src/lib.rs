//! Joins the parts into jobs that a command line, and later a service, runs.
//!
//! A job takes a request and a [`Workspace`], tells its progress, and gives back a
//! plain value that serialises. Nothing here prints.

#![allow(clippy::disallowed_methods, reason = "an edge: reads the clock and files")]

mod config_file;
mod error;
mod event_file;
mod feature_store;
pub mod jobs;
mod progress;
pub mod report;
pub mod request;
pub mod sample;
mod state_file;
mod table_file;
pub mod units;
mod workspace;

pub use assay_amm::PoolKind;
pub use assay_chain::Endpoint;
pub use assay_lake::{ImportOptions, TradeKind};
pub use assay_sim::{End, FoldWindow};
pub use assay_store::Home;
pub use assay_store::database::DatabaseLocation;
pub use assay_types::{Dataset, FillRule, Hash, Market, Money, Price, Qty, Timeframe};
pub use config_file::read_config;
pub use error::{ErrorKind, JobError};
pub use progress::{Advance, Progress, Silent};
pub use request::{JobDone, JobRequest};
pub use workspace::Workspace;

/// Times as users read and write them.
pub mod time_text {
    pub use crate::workspace::{period_text, user_time};
    pub use assay_types::time::format_utc;
}
