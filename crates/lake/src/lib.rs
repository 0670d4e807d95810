//! The data lake: candles and trades from files and exchanges, kept exactly.
//!
//! An edge of the product: it reads files, talks to exchanges and object stores, and
//! hands the pure half ordered, checked columns. What it leaves out: indicators,
//! strategies, and any opinion about the numbers.
#![allow(clippy::disallowed_methods, reason = "an edge: reads files, the clock and the network")]

mod blocking;
mod check;
mod clock;
mod error;
mod exchange;
mod fetch;
mod import;
mod lake;
mod live;
mod lock;
mod manifest;
mod partitions;
mod place;
mod repair;
mod resample;
#[cfg(feature = "s3")]
mod s3;
mod storage;

pub use blocking::BlockingLake;
pub use check::{Problem, ProblemKind};
pub use clock::Clock;
pub use error::LakeError;
pub use exchange::{ExchangeClient, REQUEST_TIMEOUT_MS, Venue};
pub use fetch::{FetchReport, PAGES_PER_STORE, Progress};
pub use import::{ImportOptions, ImportReport, Rejected, import_candles, import_trades, parse_candles, parse_trades};
pub use lake::{ALL_TIME, Coverage, Lake, TradeCoverage};
pub use live::{ClosedCandle, FeedHealth, LiveFeed, LiveSettings, Origin};
pub use manifest::{Manifest, Partition};
pub use partitions::OnConflict;
pub use place::{TradeKind, TradeSet};
pub use repair::{LeftProblem, RepairReport};
pub use resample::{resample_candles, resample_trades};
#[cfg(feature = "s3")]
pub use s3::S3Config;
pub use storage::StoreReport;
