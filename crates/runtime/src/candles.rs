//! Candles as lines of comma-separated decimal numbers.

use std::str::FromStr;

use assay_types::Candle;

use crate::error::RuntimeError;

/// The candle in line `number`; `None` for an empty line and for a head.
pub fn read(line: &str, number: u64) -> Result<Option<Candle>, RuntimeError> {
    let line = line.trim();
    if line.is_empty() || (number == 1 && line.starts_with("open_time")) {
        return Ok(None);
    }
    let cells: Vec<&str> = line.split(',').map(str::trim).collect();
    let [time, open, high, low, close, volume] = cells[..] else {
        return Err(RuntimeError::Candle { line: number, detail: format!("it has {} cells", cells.len()) });
    };
    Ok(Some(Candle {
        open_time_ms: parse(time, number)?,
        open: parse(open, number)?,
        high: parse(high, number)?,
        low: parse(low, number)?,
        close: parse(close, number)?,
        volume: parse(volume, number)?,
    }))
}

fn parse<T: FromStr>(text: &str, line: u64) -> Result<T, RuntimeError> {
    text.parse().map_err(|_| RuntimeError::Candle { line, detail: format!("`{text}` is no number") })
}
