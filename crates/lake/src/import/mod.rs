//! Files into exact, ordered rows: CSV, Feather (Arrow IPC) and Parquet of any of the
//! shapes that venues and tools write.
//!
//! Nothing is repaired silently: a row that no market can print, two rows that
//! contradict each other and a column whose meaning is unknown are errors that name
//! the place and the way out.

mod arrow;
mod candles;
mod cell;
mod columns;
mod delimited;
mod lengths;
mod payload;
mod rows;
mod table;
mod trades;

pub(crate) use arrow::guarded;
pub(crate) use candles::describe as describe_candle;
pub use candles::{import_candles, parse_candles};
pub(crate) use payload::Payload;
pub(crate) use rows::order;
pub(crate) use trades::{check as check_trade, describe as describe_trade};
pub use trades::{import_trades, parse_trades};

use assay_types::Gap;
use serde::Serialize;

/// What an import may tolerate; the default tolerates nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// Leave out rows that no market can print, and list them in the report.
    pub skip_rejected: bool,
    /// Leave out columns whose meaning is not known.
    pub ignore_unknown_columns: bool,
}

/// A row that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rejected {
    /// Its place: the line of a text file, or the row of a table, from 1.
    pub line: u64,
    /// Why.
    pub reason: String,
}

/// What an import met.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportReport {
    /// Rows kept.
    pub rows: u64,
    /// Rows left out because an identical one is kept.
    pub duplicates: u64,
    /// Rows that break the file's own direction (ascending, or descending as some
    /// venues write).
    pub reordered: u64,
    /// Rows left out because no market can print them, in file order.
    pub rejected: Vec<Rejected>,
    /// Holes between neighbouring candles; empty for trades.
    pub gaps: Vec<Gap>,
}
