//! The audit: from a signal file and the canonical candles alone to the equity hash.
//!
//! Everything that is wrong is named and then treated as HOLD (R4), so one forged line
//! cannot hide behind the rest of the file, nor spoil it.

use std::collections::HashSet;
use std::ops::Range;

use assay_sim::{Rules, Simulation};
use assay_types::time::{format_utc, parse_utc};
use assay_types::{Action, Candles, Hash, Money, Price, ReceivedSignal, Signal, SignalHeader, SignalMode, Target, verify};
use serde::Serialize;

use crate::error::EngineError;
use crate::signals::read_header;

/// A live signal that arrives later than this after its candle's close is stale.
pub const STALE_AFTER_MS: i64 = 5_000;

/// What is wrong with a line of a signal file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The line is not a signal.
    Unreadable,
    /// The signature does not match the line.
    Signature,
    /// `sig_hash` is not the hash of the four fields.
    SigHash,
    /// Another symbol than the dataset's.
    Symbol,
    /// Another model than the header's.
    Model,
    /// `price_ref` is not the canonical close.
    PriceRef,
    /// `ts` is not the close that belongs to the sequence number.
    Time,
    /// A number that was there already.
    Doubled,
    /// A number lower than one that came before.
    OutOfOrder,
    /// A number beyond the last candle.
    BeyondEnd,
    /// A live signal without a readable arrival time.
    ArrivalTime,
}

/// One wrong line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FaultyLine {
    /// Line number in the file, the header being line 1.
    pub line: usize,
    /// The sequence number that the line claims, when it can be read.
    pub seq: Option<u64>,
    /// What is wrong.
    pub fault: Fault,
    /// The same in words, with the values that differ.
    pub detail: String,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Audit {
    /// Hash of the replayed equity curve (R1).
    pub equity_hash: Hash,
    /// Equity at the last row.
    pub final_equity: Money,
    /// Signals that were followed.
    pub accepted: u64,
    /// Signals that came more than five seconds late and were treated as HOLD.
    pub stale: u64,
    /// Sequence numbers of the stale signals.
    pub stale_seqs: Vec<u64>,
    /// Candle closes without any line that claims them, treated as HOLD.
    pub missing: Vec<u64>,
    /// Wrong lines, each treated as HOLD.
    pub forged: Vec<FaultyLine>,
    /// The model that signed.
    pub model_id: String,
    /// The key that signed.
    pub public_key: String,
    /// First and last equity row, ISO-8601 UTC.
    pub period: [String; 2],
}

impl Audit {
    /// Whether every signal of the period was there, in order and unaltered.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.forged.is_empty() && self.missing.is_empty()
    }
}

/// Replays the signal file `text` on `candles` (the whole dataset or more than the
/// header's period). `pinned_key` is the creator's registered public key, if known.
///
/// # Errors
/// [`EngineError`] when the header does not hold, the candles are other ones, or the
/// rules in the header are impossible.
pub fn audit(text: &str, candles: &Candles, pinned_key: Option<&str>) -> Result<Audit, EngineError> {
    let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let (_, first) = lines.next().ok_or(EngineError::Empty)?;
    let header = read_header(first, pinned_key)?;
    let range = period(&header, candles)?;
    let mut ledger = Ledger { header: &header, candles, range: range.clone(), next: 0, slots: vec![None; range.len()] };
    let (mut forged, mut stale_seqs) = (Vec::new(), Vec::new());
    for (index, line) in lines {
        match ledger.line(line) {
            Ok(Arrival::InTime) => {}
            Ok(Arrival::Stale(seq)) => stale_seqs.push(seq),
            Err((seq, fault, detail)) => forged.push(FaultyLine { line: index + 1, seq, fault, detail }),
        }
    }
    let Ledger { slots, .. } = ledger;
    let claimed: HashSet<u64> = forged.iter().filter_map(|line| line.seq).collect();
    let replay = replay(&header, candles, range.clone(), &slots)?;
    // After the account is broke nothing is traded, so nothing can be missing.
    let decided = replay.decided.min(range.len());
    let missing = (0..decided as u64).filter(|&seq| slots[seq as usize].is_none() && !claimed.contains(&seq)).collect();
    Ok(Audit {
        equity_hash: replay.equity_hash,
        final_equity: replay.final_equity,
        accepted: slots.iter().filter(|slot| matches!(slot, Some(Slot::Follow(_)))).count() as u64,
        stale: stale_seqs.len() as u64,
        stale_seqs,
        missing,
        forged,
        model_id: header.model_id.clone(),
        public_key: header.public_key.clone(),
        period: [format_utc(candles.open_time_ms[range.start]), format_utc(replay.last_time_ms)],
    })
}

/// The candles of the header's `[start, end)`, proven by their hash.
fn period(header: &SignalHeader, candles: &Candles) -> Result<Range<usize>, EngineError> {
    let time = |name: &str, text: &str| parse_utc(text).map_err(|error| EngineError::Range(format!("{name}: {error}")));
    let range = candles.range(time("start", &header.start)?, time("end", &header.end)?);
    if range.is_empty() {
        let (start, end) = (&header.start, &header.end);
        return Err(EngineError::Range(format!("no candle of this dataset opens between {start} and {end}")));
    }
    let found = candles.slice(range.clone()).data_hash();
    if found != header.data_hash {
        return Err(EngineError::DataHash { expected: header.data_hash, found });
    }
    Ok(range)
}

/// What is known about one candle close.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Follow(Action),
    Stale,
}

enum Arrival {
    InTime,
    Stale(u64),
}

type Refusal = (Option<u64>, Fault, String);

/// The signals read so far, one slot per candle close.
struct Ledger<'a> {
    header: &'a SignalHeader,
    candles: &'a Candles,
    range: Range<usize>,
    /// One more than the highest sequence number that was accepted.
    next: u64,
    slots: Vec<Option<Slot>>,
}

impl Ledger<'_> {
    fn line(&mut self, line: &str) -> Result<Arrival, Refusal> {
        let (signal, received_at) = parse(line)?;
        let seq = signal.seq;
        let refuse = |fault, detail: String| Err((Some(seq), fault, detail));
        if let Err(error) = verify(&signal, &signal.signature, &self.header.public_key) {
            return refuse(Fault::Signature, error.to_string());
        }
        if signal.sig_hash != signal.expected_sig_hash() {
            return refuse(Fault::SigHash, format!("sig_hash should be {}", signal.expected_sig_hash()));
        }
        if signal.model_id != self.header.model_id {
            return refuse(Fault::Model, format!("model {} is not the header's", signal.model_id));
        }
        if signal.symbol != self.candles.market.symbol {
            return refuse(Fault::Symbol, format!("{} is not {}", signal.symbol, self.candles.market.symbol));
        }
        let slot = match usize::try_from(seq) {
            Ok(slot) if slot < self.slots.len() => slot,
            _ => return refuse(Fault::BeyondEnd, format!("the period has {} closes", self.slots.len())),
        };
        if seq < self.next {
            return match self.slots[slot] {
                Some(_) => refuse(Fault::Doubled, format!("seq {seq} was there already; the first one counts")),
                None => refuse(Fault::OutOfOrder, format!("seq {seq} comes after seq {}", self.next - 1)),
            };
        }
        let index = self.range.start + slot;
        let close_ms = self.candles.close_time_ms(index);
        if signal.ts != format_utc(close_ms) {
            return refuse(Fault::Time, format!("ts {} should be {}", signal.ts, format_utc(close_ms)));
        }
        let close = self.candles.close[index];
        if signal.price_ref.parse::<Price>() != Ok(close) {
            return refuse(Fault::PriceRef, format!("price_ref {} is not the close {close}", signal.price_ref));
        }
        let in_time = match self.header.mode {
            SignalMode::Replay => true,
            SignalMode::Live => {
                let received = received_at.as_deref().and_then(|text| parse_utc(text).ok());
                let Some(received_ms) = received else {
                    return refuse(Fault::ArrivalTime, "a live signal needs a received_at time".to_owned());
                };
                received_ms - close_ms <= STALE_AFTER_MS
            }
        };
        self.next = seq + 1;
        self.slots[slot] = Some(if in_time { Slot::Follow(signal.action) } else { Slot::Stale });
        Ok(if in_time { Arrival::InTime } else { Arrival::Stale(seq) })
    }
}

fn parse(line: &str) -> Result<(Signal, Option<String>), Refusal> {
    if let Ok(received) = serde_json::from_str::<ReceivedSignal>(line) {
        return Ok((received.signal, Some(received.received_at)));
    }
    match serde_json::from_str::<Signal>(line) {
        Ok(signal) => Ok((signal, None)),
        Err(error) => Err((None, Fault::Unreadable, error.to_string())),
    }
}
