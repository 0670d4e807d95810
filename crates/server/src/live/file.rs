//! The signal file of a stream, ready for an audit.

use assay_engine::{Signer, to_line};
use assay_jobs::JobError;
use assay_store::database::{MAX_SIGNALS, StoredSignal, Stream};
use assay_types::time::format_utc;
use assay_types::{Candles, ReceivedSignal, Signal, SignalHeader, SignalMode};

use super::history::stored_candles;
use super::model::{Model, load_model};
use super::source::StoredSource;
use super::words::source_of;
use crate::state::ServerState;

/// Every signal of a stream.
pub(super) async fn all_signals(state: &ServerState, stream: &Stream) -> Result<Vec<StoredSignal>, JobError> {
    let mut signals: Vec<StoredSignal> = Vec::new();
    loop {
        let from = signals.last().map_or(stream.first_seq, |last| last.seq + 1);
        let page = state.platform.signals_from(&stream.model_id, from, MAX_SIGNALS).await?;
        let is_last = page.len() < MAX_SIGNALS as usize;
        signals.extend(page.into_iter().filter(|signal| signal.stream_id == stream.stream_id));
        if is_last {
            return Ok(signals);
        }
    }
}

/// What a stream said, with the model that said it and the candles that it said it at.
pub(super) struct Record {
    pub model: Model,
    pub source: StoredSource,
    pub signals: Vec<StoredSignal>,
    /// One per signal.
    pub candles: Candles,
}

/// Reads everything about a stream.
pub(super) async fn record(state: &ServerState, stream: &Stream) -> Result<Record, JobError> {
    let source = source_of(stream)?;
    let model = load_model(state, &stream.run_id).await?;
    let signals = all_signals(state, stream).await?;
    let dataset = source.dataset();
    let step_ms = dataset.timeframe.ms();
    let mut candles = Candles::new(dataset.market.clone(), dataset.timeframe);
    let stored = stored_candles(state, &stream.feed).await?;
    let mut closes = signals.iter().peekable();
    for candle in stored {
        if closes.next_if(|signal| signal.closed_at == candle.open_time_ms + step_ms).is_some() {
            candles.push(candle);
        }
    }
    if candles.len() != signals.len() {
        let (found, expected) = (candles.len(), signals.len());
        return Err(JobError::Check(format!("{found} candles are stored for the {expected} signals of the stream")));
    }
    Ok(Record { model, source, signals, candles })
}

impl Record {
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

/// The signal file of a stream up to now: the header, then one line per close. Signals of an
/// exchange's candles are wrapped with the time at which they were stored here.
///
/// # Errors
/// [`JobError::Input`] before the first signal; when something stored does not read.
pub async fn signal_file(state: &ServerState, stream: &Stream) -> Result<String, JobError> {
    let record = record(state, stream).await?;
    if record.signals.is_empty() {
        return Err(JobError::Input(format!("stream {} has said nothing yet", stream.stream_id)));
    }
    let home = state.settings.home.clone();
    let key = tokio::task::spawn_blocking(move || home.signing_key());
    let key = key.await.map_err(|error| JobError::Failed(format!("a thread ended early: {error}")))??;
    let symbol = &record.candles.market.symbol;
    let mut text = to_line(Signer::new(record.header(stream), symbol, &key).header());
    for stored in &record.signals {
        text.push('\n');
        if record.source.is_replay() {
            text.push_str(&stored.signal);
        } else {
            let signal: Signal = serde_json::from_str(&stored.signal)
                .map_err(|error| JobError::Check(format!("signal {} is damaged: {error}", stored.seq)))?;
            text.push_str(&to_line(&ReceivedSignal { signal, received_at: format_utc(stored.stored_at) }));
        }
    }
    text.push('\n');
    Ok(text)
}
