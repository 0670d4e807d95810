//! Where a stream's candles come from.

use std::time::Duration;

use assay_jobs::JobError;
use assay_lake::{Clock, ClosedCandle, LiveFeed, Origin, Venue};
use assay_types::time::{format_utc, parse_utc};
use assay_types::{Candles, Dataset};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::Model;
use crate::clock::now_ms;

/// The longest pace of a replay: a day.
const MAX_PACE_MS: u64 = 86_400_000;

/// Where the candles of a new stream come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum SourceRequest {
    /// Candles of the lake, one after the other: marked as replayed in every signal file.
    Replay {
        /// Open time of the first candle, ISO-8601 UTC; the first of the run's test split by default.
        #[serde(default)]
        from: Option<String>,
        /// Open time just after the last candle, ISO-8601 UTC; the end of the run's test split by default.
        #[serde(default)]
        to: Option<String>,
        /// Milliseconds between two closes, 1000 by default.
        #[serde(default)]
        #[schema(maximum = 86_400_000)]
        pace_ms: Option<u64>,
    },
    /// Candles of an exchange as they close.
    Exchange {
        /// `binance`, `bybit`, `coinbase-advanced` or `kucoin`.
        venue: String,
    },
}

/// A source as a stream keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum StoredSource {
    /// Candles of the lake.
    Replay { dataset: Dataset, from_ms: i64, to_ms: i64, pace_ms: u64 },
    /// Candles of an exchange.
    Exchange { dataset: Dataset, venue: String },
}

impl StoredSource {
    /// What `request` means for a stream of `model`, and the feed it shares with others.
    pub(super) fn of(request: &SourceRequest, model: &Model, stream_id: &str) -> Result<(Self, String), JobError> {
        let dataset = model.dataset.clone();
        match request {
            SourceRequest::Replay { from, to, pace_ms } => {
                let time = |name: &str, text: &Option<String>, default: i64| match text {
                    Some(text) => parse_utc(text).map_err(|error| JobError::Input(format!("{name}: {error}"))),
                    None => Ok(default),
                };
                let (from_ms, to_ms) = (time("from", from, model.test_ms.0)?, time("to", to, model.test_ms.1)?);
                let pace_ms = pace_ms.unwrap_or(1_000);
                if from_ms >= to_ms {
                    let (from, to) = (format_utc(from_ms), format_utc(to_ms));
                    return Err(JobError::Input(format!("the period from {from} to {to} is empty: end it later")));
                }
                if pace_ms > MAX_PACE_MS {
                    return Err(JobError::Input(format!("pace_ms is {pace_ms}; give at most {MAX_PACE_MS}")));
                }
                Ok((Self::Replay { dataset, from_ms, to_ms, pace_ms }, format!("replay/{stream_id}")))
            }
            SourceRequest::Exchange { venue } => {
                let known: Venue = venue.parse()?;
                if known.exchange() != dataset.market.exchange {
                    let exchange = &dataset.market.exchange;
                    return Err(JobError::Input(format!(
                        "the model was trained on {dataset}: {known} has no candles of {exchange}; replay it, or train \
                         on a dataset of {known}"
                    )));
                }
                let feed = format!("{known}/{dataset}");
                Ok((Self::Exchange { dataset, venue: known.name().to_owned() }, feed))
            }
        }
    }

    pub(crate) fn dataset(&self) -> &Dataset {
        match self {
            Self::Replay { dataset, .. } | Self::Exchange { dataset, .. } => dataset,
        }
    }

    pub(crate) const fn is_replay(&self) -> bool {
        matches!(self, Self::Replay { .. })
    }
}

/// A source at work.
pub(super) enum Source {
    Replay { candles: Box<Candles>, next: usize, pace: Duration, is_first: bool },
    Exchange(LiveFeed),
}

impl Source {
    /// The next closed candle; `None` at the end of the recorded ones.
    pub async fn next(&mut self) -> Option<Result<ClosedCandle, JobError>> {
        match self {
            Self::Replay { candles, next, pace, is_first } => {
                if *next >= candles.len() {
                    return None;
                }
                if !std::mem::take(is_first) {
                    tokio::time::sleep(*pace).await;
                }
                let candle = candles.get(*next);
                *next += 1;
                Some(Ok(ClosedCandle { candle, received_at_ms: now_ms(), origin: Origin::Backfill }))
            }
            Self::Exchange(feed) => feed.next().await.map(|candle| candle.map_err(JobError::from)),
        }
    }

    /// The time by the clock that tells what is late: the exchange's, as far as it is known.
    pub fn now_ms(&self, clock: &Clock) -> i64 {
        match self {
            Self::Replay { .. } => now_ms(),
            Self::Exchange(feed) => clock.now_ms() + feed.health().skew_ms(),
        }
    }

    /// Tells how the feed fares.
    pub fn measure(&self, feed_name: &str) {
        if let Self::Exchange(feed) = self {
            let health = feed.health();
            let gauge =
                |name: &'static str, value: f64| metrics::gauge!(name, "feed" => feed_name.to_owned()).set(value);
            gauge("assay_feed_gaps", health.gaps() as f64);
            gauge("assay_feed_filled", health.filled() as f64);
            gauge("assay_feed_connects", health.connects() as f64);
            gauge("assay_feed_malformed", health.malformed() as f64);
            gauge("assay_feed_skew_ms", health.skew_ms() as f64);
        }
    }
}
