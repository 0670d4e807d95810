//! Files of events: CSV with a header, or one JSON object per line.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, Read};

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::fields::{self, Row};
use super::{EventError, Located, Place, raw_log};

/// The shapes of event files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventFormat {
    /// CSV with a header: decoded events, or raw logs when there are `topics` and `data`.
    Csv,
    /// One JSON object per line, with the same names.
    JsonLines,
}

/// Longest line that is read, in bytes.
const MAX_LINE: u64 = 1 << 20;

/// Refuses to read on when a line is too long, so that a file without line ends does not
/// fill the memory.
struct ShortLines<R> {
    input: R,
    since_end: u64,
}

impl<R: Read> Read for ShortLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.input.read(buffer)?;
        let bytes = &buffer[..read];
        self.since_end = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => (read - end - 1) as u64,
            None => self.since_end + read as u64,
        };
        if self.since_end > MAX_LINE {
            return Err(std::io::Error::other(format!("a line is longer than {MAX_LINE} bytes")));
        }
        Ok(read)
    }
}

/// The events of a file in its order; an error ends it.
pub type Events<'a> = Box<dyn Iterator<Item = Result<Located, EventError>> + 'a>;

struct Record<'a> {
    columns: &'a csv::StringRecord,
    record: &'a csv::StringRecord,
}

impl Row for Record<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        // A header is a handful of names: comparing them beats hashing one.
        let column = self.columns.iter().position(|column| column == name)?;
        self.record.get(column).filter(|text| !text.is_empty())
    }
}

/// Reads CSV.
///
/// # Errors
/// A header that cannot be read or lacks the columns of events and of raw logs.
pub fn read_csv<'a>(input: impl Read + 'a) -> Result<Events<'a>, EventError> {
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(ShortLines { input, since_end: 0 });
    let header = reader.headers().map_err(|error| EventError { line: 1, reason: error.to_string() })?;
    let columns: csv::StringRecord = header.iter().map(str::trim).collect();
    let mut names = HashSet::new();
    if let Some(twice) = columns.iter().find(|name| !names.insert(*name)) {
        return Err(EventError { line: 1, reason: format!("the column {twice} is there twice") });
    }
    let raw = names.contains("topics") && names.contains("data");
    if !raw && !names.contains("kind") {
        let reason = "no column kind (decoded events) and no topics and data (raw logs)".into();
        return Err(EventError { line: 1, reason });
    }
    let mut record = csv::StringRecord::new();
    let mut ended = false;
    Ok(Box::new(std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let line = reader.position().line();
        let event = match reader.read_record(&mut record) {
            Ok(false) => return None,
            Ok(true) => locate(&Record { columns: &columns, record: &record }, line, raw),
            Err(error) => Err(EventError { line, reason: error.to_string() }),
        };
        ended = event.is_err();
        Some(event)
    })))
}

fn locate(row: &impl Row, line: u64, raw: bool) -> Result<Located, EventError> {
    let read = || -> Result<(Place, super::Event), String> {
        let event = if raw { raw_log::event(row)? } else { fields::event(row)? };
        Ok((fields::place(row)?, event))
    };
    let (place, event) = read().map_err(|reason| EventError { line, reason })?;
    Ok(Located { place, line, event })
}

/// The fields of a line, their values as written.
struct Object<'a>(HashMap<&'a str, &'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;
        impl<'de> Visitor<'de> for Fields {
            type Value = HashMap<&'de str, &'de RawValue>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of the event's fields")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = HashMap::new();
                while let Some((name, value)) = map.next_entry::<&str, &RawValue>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom(format!("the field {name} is there twice")));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Fields).map(Self)
    }
}

impl Row for Object<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        let text = self.0.get(name)?.get();
        let text = text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text);
        Some(text).filter(|text| !text.is_empty() && *text != "null")
    }
}

/// Reads JSON lines. Numbers are read digit by digit, so that those above 2^53 stay exact;
/// one with a fraction or an exponent is refused.
pub fn read_json_lines<'a>(input: impl BufRead + 'a) -> Events<'a> {
    let mut input = input;
    let (mut line, mut ended) = (0, false);
    let mut text = String::new();
    Box::new(std::iter::from_fn(move || {
        while !ended {
            line += 1;
            text.clear();
            let read = Read::by_ref(&mut input).take(MAX_LINE).read_line(&mut text);
            let event = match read {
                Ok(0) => return None,
                Ok(_) if text.len() as u64 == MAX_LINE => {
                    Err(EventError { line, reason: format!("longer than {MAX_LINE} bytes") })
                }
                Ok(_) if text.trim().is_empty() => continue,
                Ok(_) => json_event(&text, line),
                Err(error) => Err(EventError { line, reason: error.to_string() }),
            };
            ended = event.is_err();
            return Some(event);
        }
        None
    }))
}

fn json_event(text: &str, line: u64) -> Result<Located, EventError> {
    let object: Object = serde_json::from_str(text).map_err(|error| EventError { line, reason: error.to_string() })?;
    let raw = object.get("topics").is_some() && object.get("data").is_some();
    locate(&object, line, raw)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_twice_is_refused() {
        let line =
            r#"{"block": 1, "tx_index": 1, "log_index": 1, "kind": "initialize", "sqrt_price_x96": 5, "block": 2}"#;
        let error = read_json_lines(line.as_bytes()).next().unwrap().unwrap_err();
        assert!(error.reason.contains("block is there twice"), "{error}");
    }

    #[test]
    fn a_line_without_end_is_refused_in_time() {
        let header = "block,tx_index,log_index,kind,tick_lower,tick_upper,liquidity,amount0,amount1\n";
        let endless = header.as_bytes().chain(std::io::repeat(b'7'));
        let error = read_csv(endless).unwrap().next().unwrap().unwrap_err();
        assert!(error.reason.contains("longer than 1048576 bytes"), "{error}");
        let many = std::iter::repeat_n("1,2,3,mint,-10,10,5,1,1\n", 60_000).collect::<String>();
        let long = header.as_bytes().chain(many.as_bytes());
        assert_eq!(read_csv(long).unwrap().filter(Result::is_ok).count(), 60_000);
    }
}
