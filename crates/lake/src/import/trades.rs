//! Trade files.

use std::path::Path;

use assay_types::{Market, Price, Qty, TakerSide, Trade};
use bytes::Bytes;

use super::candles::SymbolCheck;
use super::cell::Cell;
use super::columns::select_trades;
use super::payload::read_payload;
use super::rows::{Placed, order};
use super::table::{decompress, read_file, read_table};
use super::{ImportOptions, ImportReport, Rejected};
use crate::LakeError;
use crate::partitions::check_time;

/// Reads a trade file: CSV, Feather, Parquet, or the JSON array of trades that ccxt
/// writes (with the exchange's own payload, whose decimals are exact), also
/// compressed with gzip. Trades come back in ascending id.
///
/// # Errors
/// [`LakeError`] naming the file, the row and the way out.
pub fn import_trades(
    path: &Path,
    market: &Market,
    options: ImportOptions,
) -> Result<(Vec<Trade>, ImportReport), LakeError> {
    parse_trades(&path.display().to_string(), read_file(path)?, market, options)
}

/// Reads the content of a trade file; `file` names it in errors.
///
/// # Errors
/// As [`import_trades`].
pub fn parse_trades(
    file: &str,
    bytes: Bytes,
    market: &Market,
    options: ImportOptions,
) -> Result<(Vec<Trade>, ImportReport), LakeError> {
    let mut placed: Vec<Placed<Trade>> = Vec::new();
    let mut rejected: Vec<Rejected> = Vec::new();
    let mut symbol = SymbolCheck::new(file, market);
    let bytes = decompress(file, bytes)?;
    let mut take = |line, trade: Result<Trade, String>| match trade
        .and_then(check)
        .and_then(|trade| check_time(trade.time_ms).map(|()| trade))
    {
        Ok(trade) => placed.push((line, trade)),
        Err(reason) => rejected.push(Rejected { line, reason }),
    };
    if bytes.trim_ascii_start().starts_with(b"[") {
        read_payload(file, &bytes, &mut |line, text, trade| {
            if let Some(text) = text {
                symbol.check(line, text)?;
            }
            take(line, trade);
            Ok(())
        })?;
    } else {
        let select = |found: &[String]| select_trades(file, options.ignore_unknown_columns, found);
        read_table(file, bytes, &select, &mut |line, cells| {
            if let Some(text) = cells.get(6).and_then(Cell::text) {
                symbol.check(line, text)?;
            }
            take(line, read_trade(cells));
            Ok(())
        })?;
    }
    let rows = (placed.len() + rejected.len()) as u64;
    if !rejected.is_empty() && !options.skip_rejected {
        return Err(LakeError::Rejected { file: file.to_owned(), rows, rejected });
    }
    if placed.is_empty() {
        return Err(LakeError::Format { file: file.to_owned(), detail: "the file holds no trades".to_owned() });
    }
    // Ids are below 2^63 (checked), so they order as signed numbers.
    let ordered = order(file, placed, |row| row.id as i64, |row| format!("trade {}", row.id), describe)?;
    let report = ImportReport {
        rows: ordered.rows.len() as u64,
        duplicates: ordered.duplicates,
        reordered: ordered.reordered,
        rejected,
        gaps: Vec::new(),
    };
    Ok((ordered.rows, report))
}

/// What every real trade satisfies.
pub(crate) fn check(trade: Trade) -> Result<Trade, String> {
    let Trade { id, price, quantity, .. } = trade;
    let limit = assay_types::MAX_PRICE;
    if price <= Price::ZERO || price.0 > limit {
        Err(format!("trade {id}: price {price} is not above zero and at most 1e15"))
    } else if quantity <= Qty::ZERO || quantity.0 > limit {
        Err(format!("trade {id}: quantity {quantity} is not above zero and at most 1e15"))
    } else if i64::try_from(id).is_err() {
        Err(format!("trade id {id} is above 2^63"))
    } else {
        Ok(trade)
    }
}

/// The values of a trade, for messages.
pub(crate) fn describe(trade: &Trade) -> String {
    let Trade { time_ms, price, quantity, taker, .. } = trade;
    let side = if *taker == TakerSide::Buy { "buy" } else { "sell" };
    format!("{} {side} {quantity} at {price}", assay_types::time::format_utc(*time_ms))
}

fn read_trade(cells: &[Cell<'_>]) -> Result<Trade, String> {
    let [id, time, price, quantity, maker, side, ..] = cells else {
        return Err("the row is shorter than the header; is the file cut off here?".to_owned());
    };
    let taker = match (maker, side) {
        (Cell::Null, side) => taker_of_side(side.text().unwrap_or_default())?,
        (maker, _) => taker_of_maker(*maker)?,
    };
    Ok(Trade {
        id: id.whole().map_err(|error| format!("id {error}"))?,
        time_ms: time.time_ms().map_err(|error| format!("time {error}"))?,
        price: price.scaled().map(Price).map_err(|error| format!("price {error}"))?,
        quantity: quantity.scaled().map(Qty).map_err(|error| format!("quantity {error}"))?,
        taker,
    })
}

fn taker_of_maker(cell: Cell<'_>) -> Result<TakerSide, String> {
    let buyer_is_maker = match cell {
        Cell::Truth(value) => Some(value),
        Cell::Int(value @ 0..=1) => Some(value == 1),
        Cell::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        },
        _ => None,
    };
    match buyer_is_maker {
        Some(true) => Ok(TakerSide::Sell),
        Some(false) => Ok(TakerSide::Buy),
        None => Err("buyer_maker is neither true nor false".to_owned()),
    }
}

/// The taker's side as `buy` or `sell`.
pub(super) fn taker_of_side(text: &str) -> Result<TakerSide, String> {
    match text.to_ascii_lowercase().as_str() {
        "buy" => Ok(TakerSide::Buy),
        "sell" => Ok(TakerSide::Sell),
        other => Err(format!("side `{}` is neither buy nor sell", super::cell::cut(other))),
    }
}
