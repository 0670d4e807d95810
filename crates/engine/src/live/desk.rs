//! The desk: every stream of one series of candles. At each close the features are computed
//! once per feature set; then each policy decides, its gate approves, its paper account
//! follows, and the signal is signed, on all cores.

use std::num::NonZeroUsize;

use assay_features::{FeatureSpec, FeatureStream, StreamState};
use assay_model::Policy;
use assay_sim::{PaperAccount, PaperState, Rules};
use assay_types::{Action, Candle, Dataset, Money, SigningKey};
use serde::{Deserialize, Serialize};

use super::gate::{Approved, Breach, GateState, UsedLimits};
use super::limits::Limits;
use crate::error::EngineError;
use crate::signals::{Statement, to_line};
use crate::strategy::decide_at;

/// Fewer streams than this are not worth another thread.
const STREAMS_PER_THREAD: usize = 32;

/// Whether a candle came while what is said at it can still be followed (R4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// In time, or recorded: the policy decides.
    InTime,
    /// Too late: every stream holds, as whoever hears it does.
    Late,
}

/// A stream to put on a desk.
pub struct Member {
    /// Its id.
    pub stream_id: String,
    /// The model that speaks.
    pub model_id: String,
    /// The model.
    pub policy: Policy,
    /// The columns it reads.
    pub spec: FeatureSpec,
    /// What its paper account pays.
    pub rules: Rules,
    /// When it is halted.
    pub limits: Limits,
    /// Number of its next signal.
    pub next_seq: u64,
    /// Where its account stands; `None` for a new one.
    pub state: Option<MemberState>,
    /// The first close that it speaks at, in ms since 1970: a stream says nothing of what
    /// closed before it began.
    pub from_close_ms: i64,
}

/// The account and the gate of a stream at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberState {
    account: PaperState,
    gate: GateState,
}

/// What a stream said at a close.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// The stream.
    pub stream_id: String,
    /// The model.
    pub model_id: String,
    /// Number of the signal.
    pub seq: u64,
    /// What it asks for.
    pub action: Action,
    /// The signed line.
    pub line: String,
    /// Equity of the paper account at this close.
    pub equity: Money,
    /// What halts the stream here; it has flattened and is off the desk.
    pub breach: Option<Breach>,
}

/// A stream at work.
struct Seat {
    stream_id: String,
    model_id: String,
    policy: Policy,
    /// Place of its feature stream.
    features: usize,
    account: PaperAccount,
    gate: GateState,
    limits: Limits,
    closing: Option<String>,
    next_seq: u64,
    from_close_ms: i64,
}

/// Every stream of one series of candles.
pub struct Desk {
    dataset: Dataset,
    key: SigningKey,
    threads: usize,
    features: Vec<FeatureStream>,
    seats: Vec<Seat>,
    last_ms: Option<i64>,
}

impl Desk {
    /// A desk without streams that signs with `key` on up to `threads` threads.
    #[must_use]
    pub fn new(dataset: Dataset, key: SigningKey, threads: NonZeroUsize) -> Self {
        Self { dataset, key, threads: threads.get(), features: Vec::new(), seats: Vec::new(), last_ms: None }
    }

    /// The series.
    #[must_use]
    pub const fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// Open time of the last candle taken, milliseconds; `None` before the first.
    #[must_use]
    pub const fn last_open_ms(&self) -> Option<i64> {
        self.last_ms
    }

    /// Whether the feature set is computed here already.
    #[must_use]
    pub fn computes(&self, spec: &FeatureSpec) -> bool {
        self.features.iter().any(|stream| stream.spec() == spec)
    }

    /// Adds a feature stream that has taken the same candles as the desk.
    ///
    /// # Errors
    /// [`EngineError::Desk`] when it stands at another candle than the desk.
    pub fn add_features(&mut self, stream: FeatureStream) -> Result<(), EngineError> {
        if self.computes(stream.spec()) {
            return Ok(());
        }
        let stands = stream.last_open_time_ms();
        if !self.features.is_empty() && stands != self.last_ms {
            let detail = format!("a feature stream stands at {stands:?}, the desk at {:?}", self.last_ms);
            return Err(EngineError::Desk(detail));
        }
        self.last_ms = self.last_ms.max(stands);
        self.features.push(stream);
        Ok(())
    }

    /// Puts a stream on the desk; it speaks from the next close on. Its feature set must
    /// have been added.
    ///
    /// # Errors
    /// [`EngineError::Columns`] when the policy reads other columns, [`EngineError::Desk`]
    /// when its features are not computed or it sits here already, and
    /// [`EngineError::Simulation`] when rules or state do not hold.
    pub fn add(&mut self, member: Member) -> Result<(), EngineError> {
        if member.spec.columns != member.policy.columns() {
            return Err(EngineError::Columns);
        }
        let features = self.features.iter().position(|stream| *stream.spec() == member.spec);
        let features = features.ok_or_else(|| EngineError::Desk("its features are not computed here".to_owned()))?;
        if self.seats.iter().any(|seat| seat.model_id == member.model_id) {
            return Err(EngineError::Desk(format!("model {} speaks here already", member.model_id)));
        }
        let timeframe = self.dataset.timeframe;
        let (account, gate) = match member.state {
            Some(state) => (PaperAccount::resume(&member.rules, timeframe, state.account)?, state.gate),
            None => (PaperAccount::new(&member.rules, timeframe)?, GateState::default()),
        };
        self.seats.push(Seat {
            stream_id: member.stream_id,
            model_id: member.model_id,
            policy: member.policy,
            features,
            account,
            gate,
            limits: member.limits,
            closing: None,
            next_seq: member.next_seq,
            from_close_ms: member.from_close_ms,
        });
        Ok(())
    }

    /// Takes a stream off the desk; whether it sat there.
    pub fn remove(&mut self, stream_id: &str) -> bool {
        let before = self.seats.len();
        self.seats.retain(|seat| seat.stream_id != stream_id);
        self.seats.len() < before
    }

    /// Ids of the streams.
    pub fn stream_ids(&self) -> impl Iterator<Item = &str> {
        self.seats.iter().map(|seat| seat.stream_id.as_str())
    }

    /// Number of streams.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// Whether there is no stream.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Replaces the limits of a stream; whether may is checked by [`Limits::changed_to`].
    pub fn set_limits(&mut self, stream_id: &str, limits: &Limits) {
        for seat in self.seats.iter_mut().filter(|seat| seat.stream_id == stream_id) {
            limits.clone_into(&mut seat.limits);
        }
    }

    /// Has a stream open nothing more, close its position at the next close that is in time, and
    /// leave the desk then; `None` takes that back.
    pub fn set_closing(&mut self, stream_id: &str, closing: Option<&str>) {
        for seat in self.seats.iter_mut().filter(|seat| seat.stream_id == stream_id) {
            seat.closing = closing.map(str::to_owned);
        }
    }

    /// Takes a candle of the history: features alone, nothing is said.
    ///
    /// # Errors
    /// [`EngineError::Features`] when the candle comes out of order.
    pub fn observe(&mut self, candle: &Candle) -> Result<(), EngineError> {
        self.check_order(candle)?;
        for stream in &mut self.features {
            stream.update(candle)?;
        }
        self.last_ms = Some(candle.open_time_ms);
        Ok(())
    }

    /// Takes a closed candle; what each stream says at it, in the order of the desk.
    ///
    /// # Errors
    /// [`EngineError::Features`] when the candle comes out of order: the desk is then as it
    /// was.
    pub fn close(&mut self, candle: &Candle, timing: Timing) -> Result<Vec<Said>, EngineError> {
        self.observe(candle)?;
        let at = Close {
            candle,
            close_ms: candle.open_time_ms + self.dataset.timeframe.ms(),
            symbol: &self.dataset.market.symbol,
            timing,
            rows: self.features.iter().map(FeatureStream::row).collect(),
            key: &self.key,
        };
        let threads = self.threads.min(self.seats.len().div_ceil(STREAMS_PER_THREAD)).max(1);
        let share = self.seats.len().div_ceil(threads).max(1);
        let said = std::thread::scope(|scope| {
            let mut chunks = self.seats.chunks_mut(share);
            let own = chunks.next();
            let at = &at;
            let others: Vec<_> = chunks
                .map(|chunk| {
                    scope.spawn(move || chunk.iter_mut().filter_map(|seat| seat.speak(at)).collect::<Vec<_>>())
                })
                .collect();
            let mut said: Vec<Said> = own.into_iter().flatten().filter_map(|seat| seat.speak(at)).collect();
            for other in others {
                match other.join() {
                    Ok(part) => said.extend(part),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            said
        });
        for halted in said.iter().filter(|said| said.breach.is_some()) {
            self.remove(&halted.stream_id);
        }
        Ok(said)
    }

    fn check_order(&self, candle: &Candle) -> Result<(), EngineError> {
        match self.last_ms.filter(|last_ms| candle.open_time_ms <= *last_ms) {
            Some(last_ms) => {
                Err(assay_features::FeatureError::OutOfOrder { last_ms, next_ms: candle.open_time_ms }.into())
            }
            None => Ok(()),
        }
    }

    /// Where each stream's account stands.
    pub fn states(&self) -> impl Iterator<Item = (&str, MemberState)> {
        self.seats.iter().map(|seat| (seat.stream_id.as_str(), seat.state()))
    }

    /// Where the features stand.
    ///
    /// # Errors
    /// [`EngineError::Features`] never, once the specifications were checked.
    pub fn feature_states(&self) -> Result<Vec<StreamState>, EngineError> {
        Ok(self.features.iter().map(FeatureStream::state).collect::<Result<_, _>>()?)
    }
}

impl MemberState {
    /// The state of a new stream of a model that had others, which used up some of its limits.
    ///
    /// # Errors
    /// [`EngineError::Simulation`] when the rules do not hold.
    pub fn following(rules: &Rules, dataset: &Dataset, used: &UsedLimits) -> Result<Self, EngineError> {
        let account = PaperAccount::new(rules, dataset.timeframe)?.state();
        Ok(Self { account, gate: GateState::following(used) })
    }

    /// The state after a close at which `action` was said, from the state before it: what a
    /// restart does with the closes since its checkpoint.
    ///
    /// # Errors
    /// [`EngineError::Simulation`] when rules or state do not hold.
    pub fn after(
        state: Option<Self>,
        rules: &Rules,
        dataset: &Dataset,
        candle: &Candle,
        action: Action,
    ) -> Result<Self, EngineError> {
        let timeframe = dataset.timeframe;
        let (mut account, mut gate) = match state {
            Some(state) => (PaperAccount::resume(rules, timeframe, state.account)?, state.gate),
            None => (PaperAccount::new(rules, timeframe)?, GateState::default()),
        };
        follow(&mut account, &mut gate, candle, candle.open_time_ms + timeframe.ms())?;
        gate.note(candle.open_time_ms + timeframe.ms(), account.account().target(), action);
        action.target().into_iter().for_each(|target| account.decide(target));
        Ok(Self { account: account.state(), gate })
    }

    /// Equity at the last close.
    #[must_use]
    pub const fn equity(&self) -> Money {
        self.account.equity()
    }
}

fn follow(account: &mut PaperAccount, gate: &mut GateState, candle: &Candle, close_ms: i64) -> Result<(), EngineError> {
    let equity = account.close(candle)?;
    gate.mark(close_ms, equity);
    Ok(())
}

/// What is the same for all streams at a close.
struct Close<'a> {
    candle: &'a Candle,
    close_ms: i64,
    symbol: &'a str,
    timing: Timing,
    rows: Vec<&'a [f64]>,
    key: &'a SigningKey,
}

impl Seat {
    fn state(&self) -> MemberState {
        MemberState { account: self.account.state(), gate: self.gate.clone() }
    }

    fn speak(&mut self, at: &Close<'_>) -> Option<Said> {
        if at.close_ms < self.from_close_ms {
            return None;
        }
        let decided = self.decide(at);
        let (approved, breach) = match decided {
            Ok(approved) => (approved, None),
            Err(breach) => (Approved::FLAT, Some(breach)),
        };
        let action = approved.action();
        self.gate.note(at.close_ms, self.account.account().target(), action);
        action.target().into_iter().for_each(|target| self.account.decide(target));
        let statement = Statement {
            close_ms: at.close_ms,
            price: at.candle.close,
            symbol: at.symbol,
            model_id: &self.model_id,
            seq: self.next_seq,
            action,
        };
        let line = to_line(&statement.signed(at.key));
        self.next_seq += 1;
        Some(Said {
            stream_id: self.stream_id.clone(),
            model_id: self.model_id.clone(),
            seq: statement.seq,
            action,
            line,
            equity: self.account.equity(),
            breach,
        })
    }

    fn decide(&mut self, at: &Close<'_>) -> Result<Approved, Breach> {
        follow(&mut self.account, &mut self.gate, at.candle, at.close_ms)
            .map_err(|error| Breach::Account(error.to_string()))?;
        // Late, nobody would follow what closes a position: it waits for the next close.
        if at.timing == Timing::Late {
            return Ok(Approved::HOLD);
        }
        if let Some(reason) = &self.closing {
            return Err(Breach::Flattened(reason.clone()));
        }
        let wanted = match decide_at(&self.policy, at.rows[self.features], at.candle, self.account.inputs()) {
            Ok(decision) => Some(decision.target),
            Err(_not_warm) => None,
        };
        let target = self.account.account().target();
        // What is held is checked too: a loss halts also while the policy says nothing.
        let approved = self.gate.approve(&self.limits, &self.account, wanted.unwrap_or(target))?;
        Ok(if wanted.is_some() { approved } else { Approved::HOLD })
    }
}
