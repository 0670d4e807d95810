//! The signal file of a stream, ready for an audit.

use assay_engine::{Signer, to_line};
use assay_jobs::JobError;
use assay_store::database::{MAX_SIGNALS, PlatformDatabase, StoredSignal, Stream};
use assay_types::time::format_utc;
use assay_types::{Candles, ReceivedSignal, Signal, SignalHeader, SignalMode};
use futures::{Stream as Streamed, StreamExt as _};

use super::history::stored_candles;
use super::model::{Model, load_model};
use super::source::StoredSource;
use super::words::source_of;
use crate::state::ServerState;

/// The signals of a stream, page after page: a stream may have said more than fits in memory.
pub(super) struct Pages {
    platform: PlatformDatabase,
    model_id: String,
    stream_id: String,
    next: u64,
    end: u64,
}

impl Pages {
    /// The signals up to now.
    pub fn of(state: &ServerState, stream: &Stream) -> Self {
        Self {
            platform: state.platform.clone(),
            model_id: stream.model_id.clone(),
            stream_id: stream.stream_id.clone(),
            next: stream.first_seq,
            end: u64::MAX,
        }
    }

    /// The next page; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<Vec<StoredSignal>>, JobError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let mut page = self.platform.signals_from(&self.model_id, self.next, MAX_SIGNALS).await?;
        let (stream_id, end) = (&self.stream_id, self.end);
        // One stream speaks for a model at a time, and never again after a later one did.
        let own = page.iter().take_while(|signal| signal.seq < end && signal.stream_id == *stream_id).count();
        if own < MAX_SIGNALS as usize {
            self.end = self.next;
        }
        page.truncate(own);
        let Some(last) = page.last() else { return Ok(None) };
        self.next = last.seq + 1;
        self.end = self.end.max(self.next);
        Ok(Some(page))
    }
}

/// What a stream said it with: the model, the source, and the candle of each signal.
pub(super) struct Record {
    pub model: Model,
    pub source: StoredSource,
    /// One per signal.
    pub candles: Candles,
    stream: Stream,
    platform: PlatformDatabase,
}

/// Reads everything about a stream but its signals, of which there are as many as candles.
pub(super) async fn record(state: &ServerState, stream: &Stream) -> Result<Record, JobError> {
    let source = source_of(stream)?;
    let model = load_model(state, &stream.run_id).await?;
    let (mut pages, mut closes) = (Pages::of(state, stream), Vec::new());
    while let Some(page) = pages.next().await? {
        closes.extend(page.iter().map(|signal| signal.closed_at));
    }
    let dataset = source.dataset();
    let step_ms = dataset.timeframe.ms();
    let mut candles = Candles::new(dataset.market.clone(), dataset.timeframe);
    let expected = closes.len();
    let mut closes = closes.into_iter().peekable();
    for candle in stored_candles(state, &stream.feed).await? {
        if closes.next_if_eq(&(candle.open_time_ms + step_ms)).is_some() {
            candles.push(candle);
        }
    }
    if candles.len() != expected {
        let found = candles.len();
        return Err(JobError::Check(format!("{found} candles are stored for the {expected} signals of the stream")));
    }
    Ok(Record { model, source, candles, stream: stream.clone(), platform: state.platform.clone() })
}

impl Record {
    /// Its signals, one per candle.
    pub fn pages(&self) -> Pages {
        let Stream { model_id, stream_id, first_seq, .. } = self.stream.clone();
        let end = first_seq + self.candles.len() as u64;
        Pages { platform: self.platform.clone(), model_id, stream_id, next: first_seq, end }
    }

    /// The signed header of the stream so far.
    fn header(&self, stream: &Stream) -> SignalHeader {
        let rules = &self.model.rules;
        let last = self.candles.len() - 1;
        SignalHeader {
            public_key: String::new(),
            model_id: stream.model_id.clone(),
            config_hash: self.model.config_hash,
            cash: rules.cash,
            fee_ppm: rules.fee_ppm,
            slippage_ticks: rules.slippage_ticks,
            tick: rules.tick,
            step: rules.step,
            fill_rule: rules.fill_rule,
            start: format_utc(self.candles.open_time_ms[0]),
            end: format_utc(self.candles.close_time_ms(last)),
            data_hash: self.candles.data_hash(),
            mode: if self.source.is_replay() { SignalMode::Replay } else { SignalMode::Live },
            slippage_bps: rules.slippage_bps,
            borrow_bps_per_day: rules.borrow_bps_per_day,
            first_seq: stream.first_seq,
            signature: String::new(),
        }
    }
}

/// A signal file: its lines are read as they are taken.
pub struct SignalFile {
    header: String,
    pages: Pages,
    is_replay: bool,
}

/// The signal file of a stream up to now: the header, then one line per close. Signals of an
/// exchange's candles are wrapped with the time at which they were stored here.
///
/// # Errors
/// [`JobError::Input`] before the first signal; when something stored does not read.
pub async fn signal_file(state: &ServerState, stream: &Stream) -> Result<SignalFile, JobError> {
    let record = record(state, stream).await?;
    if record.candles.is_empty() {
        return Err(JobError::Input(format!("stream {} has said nothing yet", stream.stream_id)));
    }
    let home = state.settings.home.clone();
    let (is_replay, pages) = (record.source.is_replay(), record.pages());
    let signing = tokio::task::spawn_blocking(move || {
        let header = record.header(&record.stream);
        let key = home.signing_key()?;
        Ok::<_, JobError>(to_line(Signer::new(header, &record.candles.market.symbol, &key).header()))
    });
    let header = signing.await.map_err(|error| JobError::Failed(format!("a thread ended early: {error}")))??;
    Ok(SignalFile { header, pages, is_replay })
}

impl SignalFile {
    /// The file in pieces of whole lines.
    pub fn pieces(self) -> impl Streamed<Item = Result<String, JobError>> + Send {
        let Self { header, pages, is_replay } = self;
        let lines = futures::stream::try_unfold(pages, move |mut pages| async move {
            let Some(page) = pages.next().await? else { return Ok(None) };
            let mut text = String::new();
            for stored in page {
                text.push_str(&line(stored, is_replay)?);
                text.push('\n');
            }
            Ok(Some((text, pages)))
        });
        futures::stream::once(std::future::ready(Ok(header + "\n"))).chain(lines)
    }
}

fn line(stored: StoredSignal, is_replay: bool) -> Result<String, JobError> {
    if is_replay {
        return Ok(stored.signal);
    }
    let signal: Signal = serde_json::from_str(&stored.signal)
        .map_err(|error| JobError::Check(format!("signal {} is damaged: {error}", stored.seq)))?;
    Ok(to_line(&ReceivedSignal { signal, received_at: format_utc(stored.stored_at) }))
}
