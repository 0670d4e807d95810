//! Comma, semicolon or tab separated text: banner lines before the header are
//! skipped, and a file without a header is read when it has Binance's twelve columns.

use super::cell::{Cell, cut};
use super::table::{Select, Selection, TakeRow};
use crate::LakeError;

/// How many lines may come before the header.
const MAX_BANNER_LINES: usize = 10;

/// The columns of Binance's published candle files, which carry no header.
const BINANCE_COLUMNS: [&str; 12] = [
    "open_time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "close_time",
    "quote_volume",
    "trades",
    "taker_base_volume",
    "taker_quote_volume",
    "ignore",
];

/// Reads every row of a text.
pub(super) fn read(file: &str, bytes: &[u8], select: Select<'_>, row: TakeRow<'_>) -> Result<(), LakeError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|error| LakeError::Format {
        file: file.to_owned(),
        detail: format!("is neither UTF-8 text, Feather (Arrow IPC) nor Parquet (byte {})", error.valid_up_to()),
    })?;
    let header = find_header(file, text, select)?;
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(header.delimiter)
        .from_reader(&text.as_bytes()[header.bytes..]);
    let mut record = csv::StringRecord::new();
    loop {
        let more = reader.read_record(&mut record).map_err(|error| LakeError::Format {
            file: file.to_owned(),
            detail: format!("is not readable as CSV ({error})"),
        })?;
        if !more {
            return Ok(());
        }
        let line = header.lines + record.position().map_or(1, csv::Position::line);
        let mut cells = Vec::with_capacity(header.selection.len());
        // A line with fewer fields was cut off, and its last field may have lost digits:
        // no cell of it is to be trusted.
        if record.len() >= header.columns {
            cells.extend(header.selection.iter().map(|column| match column {
                Some(index) => record.get(*index).map_or(Cell::Null, Cell::Text),
                None => Cell::Null,
            }));
        }
        row(line, &cells)?;
    }
}

struct Header {
    selection: Selection,
    columns: usize,
    delimiter: u8,
    /// Lines up to and including the header.
    lines: u64,
    /// Bytes up to and including the header.
    bytes: usize,
}

fn find_header(file: &str, text: &str, select: Select<'_>) -> Result<Header, LakeError> {
    let mut bytes = 0;
    let mut refusal: Option<(usize, LakeError)> = None;
    for (index, line) in text.split_inclusive('\n').take(MAX_BANNER_LINES + 1).enumerate() {
        bytes += line.len();
        let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|byte| {
            // On a tie the comma, which comes first, must win.
            (line.bytes().filter(|other| other == byte).count(), u8::MAX - byte)
        });
        let delimiter = delimiter.expect("three candidates");
        let names: Vec<String> =
            line.trim_end().split(char::from(delimiter)).map(|name| cut(name.trim().trim_matches('"'))).collect();
        if index == 0 && names.len() == BINANCE_COLUMNS.len() && names.iter().all(|name| name.parse::<f64>().is_ok()) {
            let selection = select(&BINANCE_COLUMNS.map(str::to_owned))?;
            return Ok(Header { selection, columns: BINANCE_COLUMNS.len(), delimiter, lines: 0, bytes: 0 });
        }
        match select(&names) {
            Ok(selection) => {
                return Ok(Header { selection, columns: names.len(), delimiter, lines: index as u64 + 1, bytes });
            }
            // The line with the most fields is the likeliest header, the first of equals.
            Err(error @ LakeError::Columns { .. }) => {
                if refusal.as_ref().is_none_or(|(fields, _)| names.len() > *fields) {
                    refusal = Some((names.len(), error));
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(refusal.map_or_else(
        || LakeError::Format { file: file.to_owned(), detail: "the file is empty".to_owned() },
        |(_, error)| error,
    ))
}
