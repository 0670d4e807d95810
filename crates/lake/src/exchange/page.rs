//! What the answers of exchanges have in common: JSON rows whose numbers, quoted or
//! not, are decimal text and are never read as binary floats.

use std::str::FromStr;

use assay_types::{Candle, Price, Qty};
use serde_json::value::RawValue;

/// Why a page is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageError {
    /// The exchange is busy or asks to slow down, or the body is cut off: try again.
    Again(String),
    /// The exchange refuses; asking again would not help.
    Refused(String),
    /// A row that breaks the interface's promise.
    Row(usize, String),
}

/// Where the fields of a row are, and what one unit of its time is.
pub(super) struct Columns {
    pub time: usize,
    pub open: usize,
    pub high: usize,
    pub low: usize,
    pub close: usize,
    pub volume: usize,
    pub unit_ms: i64,
}

/// Rows that are arrays.
pub(super) type Rows<'a> = Vec<Vec<&'a RawValue>>;

/// A body as JSON; a body that does not parse was cut off or is a proxy's page, and is
/// asked for again.
pub(super) fn json<'a, T: serde::Deserialize<'a>>(body: &'a [u8]) -> Result<T, PageError> {
    serde_json::from_slice(body).map_err(|error| {
        let start: String = String::from_utf8_lossy(body).chars().take(120).collect();
        PageError::Again(format!("the answer is not what was expected ({error}): {start}"))
    })
}

/// The text of a JSON string or number.
pub(super) fn text(raw: &RawValue) -> &str {
    let text = raw.get();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Reads a named field.
pub(super) fn field<T: FromStr>(row: usize, name: &str, text: &str) -> Result<T, PageError> {
    text.parse().map_err(|_| {
        let start: String = text.chars().take(40).collect();
        PageError::Row(row, format!("{name} `{start}` is not a number"))
    })
}

/// The open time of `count` units.
pub(super) fn time_ms(row: usize, count: i64, unit_ms: i64) -> Result<i64, PageError> {
    count.checked_mul(unit_ms).ok_or_else(|| PageError::Row(row, format!("time {count} is out of range")))
}

/// Candles of rows that are arrays.
pub(super) fn candles(rows: &Rows<'_>, columns: &Columns) -> Result<Vec<Candle>, PageError> {
    let candle = |(row, fields): (usize, &Vec<&RawValue>)| {
        let get = |index: usize, name: &str| {
            fields
                .get(index)
                .map(|raw| text(raw))
                .ok_or_else(|| PageError::Row(row, format!("{name} is missing: the row has {} fields", fields.len())))
        };
        let price = |index: usize, name: &str| field::<Price>(row, name, get(index, name)?);
        Ok(Candle {
            open_time_ms: time_ms(row, field(row, "time", get(columns.time, "time")?)?, columns.unit_ms)?,
            open: price(columns.open, "open")?,
            high: price(columns.high, "high")?,
            low: price(columns.low, "low")?,
            close: price(columns.close, "close")?,
            volume: field::<Qty>(row, "volume", get(columns.volume, "volume")?)?,
        })
    };
    rows.iter().enumerate().map(candle).collect()
}
