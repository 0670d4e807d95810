//! Replay against live: where what was said differs from what a replay of the canonical
//! candles says, each difference with its cause.

use std::fmt::Display;

use assay_engine::{PolicyStrategy, STALE_AFTER_MS};
use assay_features::FeatureStream;
use assay_jobs::JobError;
use assay_lake::ALL_TIME;
use assay_sim::{PaperAccount, Rules};
use assay_store::database::{StoredSignal, Stream};
use assay_types::time::format_utc;
use assay_types::{Action, Candle, Candles, Hash, Money, Price, Signal};
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use utoipa::ToSchema;

use super::file::{Record, record};
use super::model::{Model, in_workspace};
use super::words::candle_text;
use crate::state::ServerState;

/// Differences that are listed; what comes after them is counted.
const MAX_DIFFERENCES: usize = 10_000;
/// The largest fee that is looked for, in parts per million: as large as rules may have it.
const MAX_FEE_PPM: u32 = 500_000;

/// Why live differs from the replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The candle came too late to be followed.
    LateCandle,
    /// The candle used is not the canonical one.
    Price,
    /// The paper account has not filled what was said.
    MissedFill,
    /// The paper account paid other costs at a fill.
    Fee,
    /// Another action, for none of these reasons: a limit, or another policy.
    Action,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Difference {
    /// Number of the signal.
    pub seq: u64,
    /// The close, ISO-8601 UTC.
    pub closed_at: String,
    /// Why.
    pub cause: Cause,
    /// What live said or had.
    pub live: String,
    /// What the replay says or has.
    pub replay: String,
}

/// A stream beside the replay of the same closes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Comparison {
    /// The stream.
    pub stream_id: String,
    /// Closes compared.
    pub closes: u64,
    /// The differences, in order; at most the first 10,000.
    pub differences: Vec<Difference>,
    /// How many there are.
    pub differences_total: u64,
    /// Equity of the paper account at the last close, in quote money.
    pub live_equity: String,
    /// Equity of a replay by itself at the last close, in quote money.
    pub replay_equity: String,
    /// Equity hash of the replay by itself.
    pub replay_equity_hash: String,
}

/// Compares a stream with the replay of its closes. The canonical candles are those of the
/// lake where it has them, else those that the feed stored.
///
/// # Errors
/// [`JobError::Input`] before the first signal; when something stored does not read.
pub(crate) async fn compare(
    state: &ServerState,
    stream: &Stream,
    place: OwnedSemaphorePermit,
) -> Result<Comparison, JobError> {
    let record = record(state, stream).await?;
    if record.candles.is_empty() {
        return Err(JobError::Input(format!("stream {} has said nothing yet", stream.stream_id)));
    }
    let stream_id = stream.stream_id.clone();
    let first_ms = record.candles.open_time_ms[0];
    let before = super::history::stored_candles(state, &stream.feed).await?;
    let (told, signals) = mpsc::channel(1);
    let mut pages = record.pages();
    let reading = async move {
        while let Some(page) = pages.next().await.transpose() {
            // Nobody listens any more after an error.
            if told.send(page).await.is_err() {
                return;
            }
        }
    };
    let comparing = in_workspace(&state.settings, move |workspace| {
        // The work goes on when its caller hangs up, and so does its place.
        let _place = place;
        let dataset = record.source.dataset();
        let lake = match workspace.lake.load(dataset, ALL_TIME) {
            Ok(candles) => candles,
            Err(assay_lake::LakeError::NoDataset { .. }) => Candles::new(dataset.market.clone(), dataset.timeframe),
            Err(error) => return Err(error.into()),
        };
        let mut history: Vec<Candle> = lake.iter().filter(|candle| candle.open_time_ms < first_ms).collect();
        let known_to = history.last().map_or(i64::MIN, |candle| candle.open_time_ms);
        let missing = |candle: &&Candle| candle.open_time_ms > known_to && candle.open_time_ms < first_ms;
        history.extend(before.iter().filter(missing));
        Pair::new(&record, &history)?.run(stream_id, &lake, signals)
    });
    let ((), compared) = tokio::join!(reading, comparing);
    compared
}

/// Signals as they are read.
type Signals = mpsc::Receiver<Result<Vec<StoredSignal>, JobError>>;

/// The live account and the replay's, side by side.
struct Pair<'a> {
    record: &'a Record,
    /// Decides at each close from the candles that live saw and the account that it had.
    beside: PolicyStrategy,
    /// Decides by itself, on the canonical candles and its own account.
    alone: PolicyStrategy,
    /// What was stored follows from it; after a difference it goes on from what was stored.
    live: PaperAccount,
    /// Whether an equity came that no cause explains, so that later ones follow from nothing.
    is_lost: bool,
    replay: PaperAccount,
    differences: Vec<Difference>,
    differences_total: u64,
}

impl<'a> Pair<'a> {
    fn new(record: &'a Record, history: &[Candle]) -> Result<Self, JobError> {
        let strategy = || -> Result<PolicyStrategy, JobError> {
            let Model { spec, dataset, policy, .. } = &record.model;
            let mut strategy = PolicyStrategy::new(FeatureStream::new(spec, dataset.timeframe)?, policy.clone())?;
            for candle in history {
                strategy.observe(candle)?;
            }
            Ok(strategy)
        };
        let account = || PaperAccount::new(&record.model.rules, record.model.dataset.timeframe);
        Ok(Self {
            record,
            beside: strategy()?,
            alone: strategy()?,
            live: account()?,
            is_lost: false,
            replay: account()?,
            differences: Vec::new(),
            differences_total: 0,
        })
    }

    fn run(mut self, stream_id: String, lake: &Candles, mut signals: Signals) -> Result<Comparison, JobError> {
        let candles = &self.record.candles;
        let step_ms = candles.timeframe.ms();
        let mut rows = vec![(candles.open_time_ms[0], self.record.model.rules.cash)];
        let (mut closes, mut live_equity) = (0, String::new());
        while let Some(page) = signals.blocking_recv() {
            for stored in page? {
                let seen = candles.get(closes);
                let place = lake.open_time_ms.binary_search(&seen.open_time_ms);
                let canonical = place.map_or(seen, |place| lake.get(place));
                self.compare_close(&stored, &seen, &canonical)?;
                rows.push((canonical.open_time_ms + step_ms, self.step_alone(&canonical)?));
                closes += 1;
                live_equity = stored.equity;
            }
        }
        Ok(Comparison {
            stream_id,
            closes: closes as u64,
            differences: self.differences,
            differences_total: self.differences_total,
            live_equity,
            replay_equity: self.replay.equity().to_string(),
            replay_equity_hash: equity_hash(rows).to_string(),
        })
    }

    /// Lists how a close differs: in its candle, in its equity, in what was said.
    fn compare_close(&mut self, stored: &StoredSignal, seen: &Candle, canonical: &Candle) -> Result<(), JobError> {
        let signal: Signal = serde_json::from_str(&stored.signal)
            .map_err(|error| JobError::Check(format!("signal {} is damaged: {error}", stored.seq)))?;
        if signal.price_ref.parse::<Price>() != Ok(canonical.close) {
            self.differ(stored, Cause::Price, &signal.price_ref, &canonical.close);
        } else if seen != canonical {
            self.differ(stored, Cause::Price, &candle_text(seen), &candle_text(canonical));
        }
        let before = self.live.clone();
        let equity = self.live.close(seen)?;
        let had = stored.equity.parse::<Money>();
        if had != Ok(equity) && !self.is_lost {
            let cause = self.explain(&before, seen, had.ok())?;
            self.differ(stored, cause, &stored.equity, &equity);
        }
        let wanted = self.beside.decide(seen, self.live.inputs()).map(|decision| decision.target);
        let wanted = wanted.map_or(Action::Hold, Action::from);
        if wanted != signal.action {
            let is_late = stored.stored_at.max(stored.received_at) - stored.closed_at > STALE_AFTER_MS;
            let is_held = signal.action == Action::Hold && !self.record.source.is_replay() && is_late;
            let cause = if is_held { Cause::LateCandle } else { Cause::Action };
            self.differ(stored, cause, &signal.action, &wanted);
        }
        signal.action.target().into_iter().for_each(|target| self.live.decide(target));
        Ok(())
    }

    fn differ(&mut self, stored: &StoredSignal, cause: Cause, live: &dyn Display, replay: &dyn Display) {
        self.differences_total += 1;
        if self.differences.len() < MAX_DIFFERENCES {
            self.differences.push(Difference {
                seq: stored.seq,
                closed_at: format_utc(stored.closed_at),
                cause,
                live: live.to_string(),
                replay: replay.to_string(),
            });
        }
    }

    fn step_alone(&mut self, candle: &Candle) -> Result<Money, JobError> {
        let equity = self.replay.close(candle)?;
        let decided = self.alone.decide(candle, self.replay.inputs());
        if let (Ok(decision), false) = (decided, self.replay.is_broke()) {
            self.replay.decide(decision.target);
        }
        Ok(equity)
    }

    /// Why the equity that was stored is not the one that follows from `before`. The live
    /// account goes on from what was stored, so that one cause makes one difference.
    fn explain(&mut self, before: &PaperAccount, seen: &Candle, stored: Option<Money>) -> Result<Cause, JobError> {
        let mut unfilled = before.clone();
        unfilled.decide(before.account().target());
        if Some(unfilled.close(seen)?) == stored {
            self.live = unfilled;
            return Ok(Cause::MissedFill);
        }
        match self.with_other_fee(before, seen, stored)? {
            Some(paid) => self.live = paid,
            None => self.is_lost = true,
        }
        Ok(Cause::Fee)
    }

    /// The account after this close, had its last fill paid another fee that explains the stored
    /// equity; `None` when none does. More fee leaves less, so the fee is found by halving.
    fn with_other_fee(
        &self,
        before: &PaperAccount,
        seen: &Candle,
        stored: Option<Money>,
    ) -> Result<Option<PaperAccount>, JobError> {
        let Some(stored) = stored else { return Ok(None) };
        let rules = &self.record.model.rules;
        let paid = |fee_ppm: u32| -> Result<PaperAccount, JobError> {
            let rules = Rules { fee_ppm, ..rules.clone() };
            let mut account = PaperAccount::resume(&rules, self.record.candles.timeframe, before.state())?;
            account.close(seen)?;
            Ok(account)
        };
        let (mut low, mut high) = (0, MAX_FEE_PPM);
        while low < high {
            let middle = low.midpoint(high);
            if paid(middle)?.equity() <= stored { high = middle } else { low = middle + 1 }
        }
        let found = paid(low)?;
        if found.equity() != stored {
            return Ok(None);
        }
        Ok(Some(PaperAccount::resume(rules, self.record.candles.timeframe, found.state())?))
    }
}

fn equity_hash(rows: Vec<(i64, Money)>) -> Hash {
    assay_sim::equity_hash(rows.into_iter())
}
