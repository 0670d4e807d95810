//! The look-ahead check: a feature that changes when later candles are taken away
//! has seen the future.

use assay_types::Candles;
use assay_types::time::format_utc;

use crate::table::FeatureTable;

/// A value that depends on candles after its own.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("column `{column}` at row {row} (candle {time}) is {full} with all candles but {truncated} with only \
         the first {cut}: it looks ahead", time = format_utc(*.open_time_ms))]
pub struct Leak {
    /// The column.
    pub column: String,
    /// Index of the candle.
    pub row: usize,
    /// Open time of the candle, milliseconds since 1970 UTC.
    pub open_time_ms: i64,
    /// How many candles were kept.
    pub cut: usize,
    /// The value with all candles.
    pub full: f64,
    /// The value with the first `cut` candles.
    pub truncated: f64,
}

/// Cuts for [`check`]: `count` of them, evenly spread over `candles` and moved by a
/// few so that they do not all fall on a round number, each leaving a candle away.
#[must_use]
pub fn cuts(candles: usize, count: usize) -> Vec<usize> {
    let spread = (1..=count).map(|step| (candles * step / (count + 1) + step).min(candles.saturating_sub(1)));
    let mut cuts: Vec<usize> = spread.filter(|&cut| cut > 0).collect();
    cuts.dedup();
    cuts
}

/// Builds features from the first candles alone, for every cut, and compares each bit
/// with the table of all candles. `build` is any maker of features.
///
/// # Errors
/// The first [`Leak`], by cut, then row, then column.
///
/// # Panics
/// When a cut is above the number of candles, or `build` gives other columns or
/// another number of rows for fewer candles.
pub fn check(candles: &Candles, build: impl Fn(&Candles) -> FeatureTable, cuts: &[usize]) -> Result<(), Leak> {
    let full = build(candles);
    for &cut in cuts {
        let truncated = build(&candles.slice(0..cut));
        assert_eq!(truncated.names(), full.names(), "the columns do not depend on the candles");
        assert_eq!(truncated.len(), cut, "one row per candle");
        let leaks = truncated.columns().iter().zip(full.columns()).enumerate().filter_map(|(column, (short, long))| {
            let row = short.iter().zip(long).position(|(a, b)| !same(*a, *b))?;
            Some((row, column))
        });
        if let Some((row, column)) = leaks.min() {
            return Err(Leak {
                column: full.names()[column].clone(),
                row,
                open_time_ms: candles.open_time_ms[row],
                cut,
                full: full.columns()[column][row],
                truncated: truncated.columns()[column][row],
            });
        }
    }
    Ok(())
}

/// Whether two values are the same bits, or both not a number.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
}
