//! Candle files.

use std::path::Path;

use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe, time::format_utc};
use bytes::Bytes;

use super::cell::Cell;
use super::columns::select_candles;
use super::rows::{Placed, order};
use super::table::{read_file, read_table};
use super::{ImportOptions, ImportReport, Rejected};
use crate::LakeError;
use crate::partitions::check_time;

/// Reads a candle file: CSV, Feather or Parquet, also compressed with gzip.
///
/// # Errors
/// [`LakeError`] naming the file, the row and the way out.
pub fn import_candles(
    path: &Path,
    market: &Market,
    timeframe: Timeframe,
    options: ImportOptions,
) -> Result<(Candles, ImportReport), LakeError> {
    parse_candles(&path.display().to_string(), read_file(path)?, market, timeframe, options)
}

/// Reads the content of a candle file; `file` names it in errors.
///
/// # Errors
/// As [`import_candles`].
pub fn parse_candles(
    file: &str,
    bytes: Bytes,
    market: &Market,
    timeframe: Timeframe,
    options: ImportOptions,
) -> Result<(Candles, ImportReport), LakeError> {
    let mut placed: Vec<Placed<Candle>> = Vec::new();
    let mut rejected: Vec<Rejected> = Vec::new();
    let mut symbol = SymbolCheck::new(file, market);
    let select = |found: &[String]| select_candles(file, market, options.ignore_unknown_columns, found);
    read_table(file, bytes, &select, &mut |line, cells| {
        if let Some(text) = cells.get(6).and_then(Cell::text) {
            symbol.check(line, text)?;
        }
        let candle = read_candle(cells)
            .and_then(|candle| candle.check(timeframe).map(|()| candle).map_err(|error| error.to_string()))
            .and_then(|candle| check_time(candle.open_time_ms).map(|()| candle));
        match candle {
            Ok(candle) => placed.push((line, candle)),
            Err(reason) => rejected.push(Rejected { line, reason }),
        }
        Ok(())
    })?;
    let rows = (placed.len() + rejected.len()) as u64;
    if !rejected.is_empty() && !options.skip_rejected {
        return Err(LakeError::Rejected { file: file.to_owned(), rows, rejected });
    }
    if placed.is_empty() {
        return Err(LakeError::Format { file: file.to_owned(), detail: "the file holds no candles".to_owned() });
    }
    let ordered = order(file, placed, |row| row.open_time_ms, |row| format_utc(row.open_time_ms), describe)?;
    let mut candles = Candles::new(market.clone(), timeframe);
    ordered.rows.into_iter().for_each(|candle| candles.push(candle));
    check_spacing(file, &candles)?;
    let report = ImportReport {
        rows: candles.len() as u64,
        duplicates: ordered.duplicates,
        reordered: ordered.reordered,
        rejected,
        gaps: candles.gaps(),
    };
    Ok((candles, report))
}

fn read_candle(cells: &[Cell<'_>]) -> Result<Candle, String> {
    let [time, open, high, low, close, volume, ..] = cells else {
        return Err("the row is shorter than the header; is the file cut off here?".to_owned());
    };
    let price = |name: &str, cell: &Cell<'_>| cell.scaled().map(Price).map_err(|error| format!("{name} {error}"));
    Ok(Candle {
        open_time_ms: time.time_ms().map_err(|error| format!("time {error}"))?,
        open: price("open", open)?,
        high: price("high", high)?,
        low: price("low", low)?,
        close: price("close", close)?,
        volume: volume.scaled().map(Qty).map_err(|error| format!("volume {error}"))?,
    })
}

/// The values of a candle, for messages.
pub(crate) fn describe(candle: &Candle) -> String {
    let Candle { open, high, low, close, volume, .. } = candle;
    format!("open {open} high {high} low {low} close {close} volume {volume}")
}

/// Minute data passed off as hours is refused row by row; hourly data passed off as
/// minutes would look like gaps, so it is refused here.
fn check_spacing(file: &str, candles: &Candles) -> Result<(), LakeError> {
    let closest_ms = candles.open_time_ms.windows(2).map(|pair| pair[1] - pair[0]).min();
    match closest_ms {
        Some(closest_ms) if candles.len() > 2 && closest_ms > candles.timeframe.ms() => {
            Err(LakeError::Spacing { file: file.to_owned(), timeframe: candles.timeframe, closest_ms })
        }
        _ => Ok(()),
    }
}

/// Compares a symbol column with the market asked for, whatever separators it uses.
pub(super) struct SymbolCheck<'a> {
    file: &'a str,
    expected: &'a str,
    plain: String,
    last_seen: String,
}

impl<'a> SymbolCheck<'a> {
    pub(super) fn new(file: &'a str, market: &'a Market) -> Self {
        let plain = market.symbol.splitn(3, '-').take(2).collect();
        Self { file, expected: &market.symbol, plain, last_seen: String::new() }
    }

    pub(super) fn check(&mut self, line: u64, text: &str) -> Result<(), LakeError> {
        if text == self.last_seen {
            return Ok(());
        }
        let found: String = text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_uppercase();
        if !found.replace("XBT", "BTC").starts_with(&self.plain) {
            return Err(LakeError::Symbol {
                file: self.file.to_owned(),
                line,
                found: super::cell::cut(text),
                expected: self.expected.to_owned(),
            });
        }
        text.clone_into(&mut self.last_seen);
        Ok(())
    }
}
