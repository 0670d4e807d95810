//! Requests to an exchange: paced, retried and bounded.

use std::ops::Range;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use assay_types::{Candle, Dataset, Market, Trade, time::format_utc};

use super::retry::{Headers, MAX_ASKED_MS, MAX_ATTEMPTS, asked_ms, backoff_ms};
use super::{PageError, PageRequest, TradesFrom, Venue, trades_page, trades_url};
use crate::LakeError;
use crate::clock::Clock;
use crate::import::order;
use crate::partitions::Record;

/// How long one request may take, in milliseconds.
pub const REQUEST_TIMEOUT_MS: u64 = 30_000;
/// The largest answer that is read.
const MAX_BODY_BYTES: usize = 16 << 20;

/// A venue, where it is, and when it may be asked next.
#[derive(Debug)]
pub struct ExchangeClient {
    venue: Venue,
    base_url: String,
    http: reqwest::Client,
    clock: Clock,
    /// The earliest time of the next request.
    free_at_ms: AtomicI64,
}

/// What one attempt came to.
enum Attempt {
    Body(Vec<u8>),
    /// Failed for now: why, and how long to wait.
    Wait(String, i64),
}

impl ExchangeClient {
    /// A client of the venue's public address.
    ///
    /// # Errors
    /// [`LakeError::Unsupported`] when the system gives no TLS.
    pub fn new(venue: Venue) -> Result<Self, LakeError> {
        Self::with(venue, venue.rules().base_url, Clock::System, REQUEST_TIMEOUT_MS)
    }

    /// A client of another address (a proxy, a test), clock and time limit.
    ///
    /// # Errors
    /// As [`ExchangeClient::new`].
    pub fn with(venue: Venue, base_url: &str, clock: Clock, timeout_ms: u64) -> Result<Self, LakeError> {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_millis(timeout_ms))
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| LakeError::Unsupported(format!("no HTTP client on this machine: {error}")))?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { venue, base_url, http, clock, free_at_ms: AtomicI64::new(i64::MIN) })
    }

    /// The venue.
    #[must_use]
    pub fn venue(&self) -> Venue {
        self.venue
    }

    /// The clock that decides which candles are closed.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// How far this machine's clock is ahead of the venue's, in milliseconds; the venue tells
    /// whole seconds. `None` when its answer has no date.
    ///
    /// # Errors
    /// [`LakeError::Request`] when the venue is not reached.
    pub async fn clock_ahead_ms(&self) -> Result<Option<i64>, LakeError> {
        let url = &self.base_url;
        let asked_ms = self.clock.now_ms();
        let answer = self.http.get(url).send().await;
        let answer = answer.map_err(|error| LakeError::Request {
            url: url.clone(),
            detail: error.without_url().to_string(),
            attempts: 1,
        })?;
        let date = answer.headers().get(reqwest::header::DATE).and_then(|date| date.to_str().ok());
        let told = date.and_then(|date| jiff::fmt::rfc2822::parse(date.trim()).ok());
        let midway_ms = (asked_ms + self.clock.now_ms()) / 2;
        // A whole second stands for the middle of that second.
        Ok(told.map(|told| midway_ms - told.timestamp().as_millisecond() - 500))
    }

    /// The REST address.
    pub(crate) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Closed candles of `window` (at most a page), ascending, each open time once;
    /// rows outside the window and the open candle are left out.
    pub(crate) async fn candles(&self, dataset: &Dataset, window: Range<i64>) -> Result<Vec<Candle>, LakeError> {
        self.candles_closed_by(dataset, window, self.clock.now_ms()).await
    }

    /// The same with the time that decides which candles are closed.
    pub(crate) async fn candles_closed_by(
        &self,
        dataset: &Dataset,
        window: Range<i64>,
        now_ms: i64,
    ) -> Result<Vec<Candle>, LakeError> {
        let timeframe = dataset.timeframe;
        let request = PageRequest {
            base_url: &self.base_url,
            market: &dataset.market,
            timeframe,
            interval: self.venue.interval(timeframe)?,
            window: window.clone(),
        };
        let url = self.venue.url(&request)?;
        let page = self
            .get(&url, |body| {
                let page = self.venue.page(body)?;
                match page.iter().enumerate().find_map(|(row, candle)| Some((row, candle.check(timeframe).err()?))) {
                    Some((row, error)) => Err(PageError::Row(row, error.to_string())),
                    None => Ok(page),
                }
            })
            .await?;
        let closed = |row: &Candle| window.contains(&row.open_time_ms) && row.open_time_ms + timeframe.ms() <= now_ms;
        let placed = page.into_iter().zip(1_u64..).map(|(row, line)| (line, row)).filter(|(_, row)| closed(row));
        Ok(order(&url, placed.collect(), Candle::key, Candle::key_text, Candle::describe)?.rows)
    }

    /// A page of aggregate trades, ascending, each id once.
    pub(crate) async fn trades(&self, market: &Market, from: TradesFrom) -> Result<(String, Vec<Trade>), LakeError> {
        if self.venue != Venue::Binance {
            return Err(LakeError::Unsupported(format!("trades are fetched from binance only, not {}", self.venue)));
        }
        let url = trades_url(&self.base_url, market, from)?;
        let page = self.get(&url, trades_page).await?;
        let placed = page.into_iter().zip(1_u64..).map(|(row, line)| (line, row)).collect();
        let rows = order(&url, placed, Trade::key, Trade::key_text, Trade::describe)?.rows;
        Ok((url, rows))
    }

    /// Gets and reads an address, again and again within the limits.
    async fn get<T>(&self, url: &str, read: impl Fn(&[u8]) -> Result<T, PageError>) -> Result<T, LakeError> {
        self.ask(reqwest::Method::GET, url, read).await
    }

    /// Posts nothing to an address and reads the answer, again and again within the limits.
    pub(super) async fn post<T>(
        &self,
        url: &str,
        read: impl Fn(&[u8]) -> Result<T, PageError>,
    ) -> Result<T, LakeError> {
        self.ask(reqwest::Method::POST, url, read).await
    }

    async fn ask<T>(
        &self,
        method: reqwest::Method,
        url: &str,
        read: impl Fn(&[u8]) -> Result<T, PageError>,
    ) -> Result<T, LakeError> {
        let mut last = String::new();
        for attempt in 0..MAX_ATTEMPTS {
            let wait_ms = match self.attempt(&method, url, attempt).await? {
                Attempt::Body(body) => match read(&body) {
                    Ok(value) => return Ok(value),
                    Err(PageError::Again(detail)) => {
                        last = detail;
                        backoff_ms(attempt)
                    }
                    Err(PageError::Refused(detail)) => return Err(LakeError::Refused { url: url.to_owned(), detail }),
                    Err(PageError::Row(row, detail)) => {
                        let place = format!("row {}", row + 1);
                        return Err(LakeError::Malformed { url: url.to_owned(), place, detail });
                    }
                },
                Attempt::Wait(detail, wait_ms) => {
                    last = detail;
                    wait_ms
                }
            };
            if attempt + 1 < MAX_ATTEMPTS {
                self.clock.sleep_ms(wait_ms).await;
            }
        }
        Err(LakeError::Request { url: url.to_owned(), detail: last, attempts: MAX_ATTEMPTS })
    }

    async fn attempt(&self, method: &reqwest::Method, url: &str, attempt: u32) -> Result<Attempt, LakeError> {
        self.clock.sleep_ms(self.free_at_ms.load(Ordering::Relaxed).saturating_sub(self.clock.now_ms())).await;
        let result = self.exchange(method, url).await;
        let now_ms = self.clock.now_ms();
        let (status, headers, body) = match result {
            Ok(answer) => answer,
            Err(detail) => {
                self.free_at_ms.store(now_ms + self.venue.rules().pace_ms, Ordering::Relaxed);
                return Ok(Attempt::Wait(detail, backoff_ms(attempt)));
            }
        };
        let pause_ms = self.venue.pause_ms(&headers, now_ms).clamp(self.venue.rules().pace_ms, MAX_ASKED_MS);
        self.free_at_ms.store(now_ms + pause_ms, Ordering::Relaxed);
        let told =
            || format!("status {status}: {}", String::from_utf8_lossy(&body).chars().take(200).collect::<String>());
        match status {
            200..=299 => Ok(Attempt::Body(body)),
            418 | 429 | 500..=599 => {
                let wait_ms = asked_ms(status, &headers, attempt, now_ms);
                if wait_ms > MAX_ASKED_MS {
                    let until = format_utc(now_ms + wait_ms);
                    let detail = format!("{}; it asks to wait until {until}: run the same command again then", told());
                    return Err(LakeError::Refused { url: url.to_owned(), detail });
                }
                Ok(Attempt::Wait(told(), wait_ms))
            }
            _ => Err(LakeError::Refused { url: url.to_owned(), detail: told() }),
        }
    }

    /// Sends one request: status, headers and the whole body, or what failed.
    async fn exchange(&self, method: &reqwest::Method, url: &str) -> Result<(u16, Headers, Vec<u8>), String> {
        let mut response = self.http.request(method.clone(), url).send().await.map_err(|error| causes(&error))?;
        let status = response.status().as_u16();
        let pairs = response.headers().iter();
        let headers = Headers(
            pairs
                .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap_or_default().to_owned()))
                .collect(),
        );
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| causes(&error))? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY_BYTES {
                return Err(format!("the answer is longer than {MAX_BODY_BYTES} bytes"));
            }
        }
        Ok((status, headers, body))
    }
}

/// An error with its causes: the outermost one alone says only "error sending request".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}
