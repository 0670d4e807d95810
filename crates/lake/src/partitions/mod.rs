//! Rows as Parquet partitions: how a candle or a trade is written, read and merged.
//!
//! A partition holds the rows of one UTC month (candles) or day (trades) and is named
//! by its content, so a partition file is never changed once it is written.

mod candle;
mod merge;
mod parquet;
mod trade;

pub use merge::OnConflict;
pub(crate) use merge::merge;

use bytes::Bytes;

use crate::LakeError;

/// What the lake keeps: candles and trades.
pub(crate) trait Record: Copy + PartialEq + Send + Sync + 'static {
    /// What orders and identifies a row.
    fn key(&self) -> i64;
    /// When it happened, milliseconds since 1970 UTC.
    fn time_ms(&self) -> i64;
    /// The key in words.
    fn key_text(&self) -> String;
    /// The values in words.
    fn describe(&self) -> String;
    /// The partition it belongs to, such as `2024-01`.
    fn partition(&self) -> String;
    /// The instants `[from, to)` of a partition; `None` for a text that names none.
    fn partition_range(partition: &str) -> Option<(i64, i64)>;
    /// Rows as a Parquet file; equal rows give equal bytes.
    fn encode(rows: &[Self]) -> Bytes;
    /// The rows of a Parquet file.
    fn decode(object: &str, bytes: Bytes) -> Result<Vec<Self>, LakeError>;
}

/// The first instant past the last partition name: the year 9999.
const END_OF_TIME_MS: i64 = 253_370_764_800_000;

/// Whether a row's time has a partition.
pub(crate) fn check_time(time_ms: i64) -> Result<(), String> {
    if (0..END_OF_TIME_MS).contains(&time_ms) {
        Ok(())
    } else {
        Err(format!("time {time_ms} ms is not between 1970 and 9998"))
    }
}

/// Rows into runs of one partition each; `rows` are in ascending key.
pub(crate) fn split<R: Record>(rows: &[R]) -> Vec<(String, &[R])> {
    let mut runs: Vec<(String, &[R])> = Vec::new();
    let mut start = 0;
    while start < rows.len() {
        let name = rows[start].partition();
        // Asking the range once is cheaper than naming the partition of each row.
        let (from, to) = R::partition_range(&name).expect("a record names an existing partition");
        let inside = |row: &R| (from..to).contains(&row.time_ms());
        let length = rows[start..].iter().position(|row| !inside(row)).unwrap_or(rows.len() - start);
        runs.push((name, &rows[start..start + length]));
        start += length;
    }
    runs
}
