//! What streams keep as text in the database.

use assay_engine::Limits;
use assay_jobs::JobError;
use assay_store::database::{FeedCandle, Stream};
use assay_types::{Candle, Price};

use super::source::StoredSource;

/// The limits of a stored stream.
pub(crate) fn limits_of(stream: &Stream) -> Result<Limits, JobError> {
    read("limits", stream, &stream.limits)
}

/// The source of a stored stream.
pub(crate) fn source_of(stream: &Stream) -> Result<StoredSource, JobError> {
    read("source", stream, &stream.source)
}

fn read<T: serde::de::DeserializeOwned>(what: &str, stream: &Stream, text: &str) -> Result<T, JobError> {
    serde_json::from_str(text)
        .map_err(|error| JobError::Check(format!("the {what} of stream {} cannot be read: {error}", stream.stream_id)))
}

/// A candle as text: open, high, low, close and volume.
pub(super) fn candle_text(candle: &Candle) -> String {
    let Candle { open, high, low, close, volume, .. } = candle;
    format!("{open},{high},{low},{close},{volume}")
}

/// The candle of such a text.
pub(super) fn candle_of(row: &FeedCandle) -> Result<Candle, JobError> {
    let damaged = || JobError::Check(format!("the stored candle `{}` cannot be read", row.candle));
    let parts: Vec<&str> = row.candle.split(',').collect();
    let [open, high, low, close, volume] = parts[..] else { return Err(damaged()) };
    let price = |text: &str| text.parse::<Price>().map_err(|_| damaged());
    Ok(Candle {
        open_time_ms: row.open_time,
        open: price(open)?,
        high: price(high)?,
        low: price(low)?,
        close: price(close)?,
        volume: volume.parse().map_err(|_| damaged())?,
    })
}
