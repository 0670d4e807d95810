//! The audit: from a signal file and the canonical candles alone to the equity hash.
//!
//! Everything that is wrong is named and then treated as HOLD (R4), so one forged line
//! cannot hide behind the rest of the file, nor spoil it.

use std::collections::HashSet;
use std::ops::Range;

use assay_sim::{Backtest, Rules, backtest};
use assay_types::time::{format_utc, parse_utc};
use assay_types::{
    Action, Candles, Hash, Money, Price, ReceivedSignal, Signal, SignalHeader, SignalMode, Target, verify,
};
use serde::Serialize;

use crate::error::EngineError;
use crate::order::longest_ascending;
use crate::signals::{read_header, to_line};

/// A live signal that arrives later than this after its candle's close is stale.
pub const STALE_AFTER_MS: i64 = 5_000;
/// How far a receiver's clock may be behind: an arrival earlier than this before the
/// close is impossible, since the close was not known yet.
pub const CLOCK_TOLERANCE_MS: i64 = 2_000;

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
    /// A number before the first candle or beyond the last.
    BeyondEnd,
    /// A live signal without a readable arrival time, or one before its close.
    ArrivalTime,
    /// The same content in other bytes than the signer writes.
    NotCanonical,
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
    if header.first_seq.checked_add(range.len() as u64).is_none() {
        return Err(EngineError::Range(format!("first_seq {} leaves no numbers", header.first_seq)));
    }
    let checker = Checker { header: &header, candles, range: range.clone() };
    let (mut forged, mut valid) = (Vec::new(), Vec::new());
    for (index, line) in lines {
        match checker.line(line) {
            Ok((seq, slot)) => valid.push(Valid { line: index + 1, seq, slot }),
            Err((seq, fault, detail)) => forged.push(FaultyLine { line: index + 1, seq, fault, detail }),
        }
    }
    let mut slots = vec![None; range.len()];
    let mut stale_seqs = Vec::new();
    let in_order = longest_ascending(&valid.iter().map(|valid| valid.seq).collect::<Vec<_>>());
    for (valid, kept) in valid.iter().zip(&in_order) {
        if *kept {
            slots[checker.slot(valid.seq)] = Some(valid.slot);
            if matches!(valid.slot, Slot::Stale) {
                stale_seqs.push(valid.seq);
            }
        }
    }
    for (valid, kept) in valid.iter().zip(&in_order) {
        if !kept {
            let (seq, line) = (Some(valid.seq), valid.line);
            let (fault, detail) = if slots[checker.slot(valid.seq)].is_some() {
                (Fault::Doubled, format!("seq {} is there already", valid.seq))
            } else {
                (Fault::OutOfOrder, format!("seq {} is not where it belongs", valid.seq))
            };
            forged.push(FaultyLine { line, seq, fault, detail });
        }
    }
    forged.sort_by_key(|line| line.line);
    let claimed: HashSet<u64> = forged.iter().filter_map(|line| line.seq).collect();
    let replay = replay(&header, candles, range.clone(), &slots)?;
    // After the account is broke nothing is decided, so nothing can be missing there.
    let closes = replay.equity.len() as u64;
    let numbers = header.first_seq..header.first_seq + closes;
    let missing = numbers.filter(|seq| slots[checker.slot(*seq)].is_none() && !claimed.contains(seq)).collect();
    Ok(Audit {
        equity_hash: replay.equity_hash(),
        final_equity: replay.last_equity(),
        accepted: slots.iter().filter(|slot| matches!(slot, Some(Slot::Follow(_)))).count() as u64,
        stale: stale_seqs.len() as u64,
        stale_seqs,
        missing,
        forged,
        model_id: header.model_id.clone(),
        public_key: header.public_key.clone(),
        period: [format_utc(candles.open_time_ms[range.start]), format_utc(replay.time_ms[replay.time_ms.len() - 1])],
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

/// The followed signals through the one ledger step; anything else holds the target.
fn replay(
    header: &SignalHeader,
    candles: &Candles,
    range: Range<usize>,
    slots: &[Option<Slot>],
) -> Result<Backtest, EngineError> {
    let rules = Rules {
        cash: header.cash,
        fee_ppm: header.fee_ppm,
        slippage_ticks: header.slippage_ticks,
        slippage_bps: header.slippage_bps,
        borrow_bps_per_day: header.borrow_bps_per_day,
        fill_rule: header.fill_rule,
        step: header.step,
        ..Rules::new(header.tick)
    };
    let start = range.start;
    let mut target = Target::Flat;
    let result = backtest(candles, &rules, range, |view| {
        if let Some(Slot::Follow(action)) = slots[view.index() - start] {
            target = action.target().unwrap_or(target);
        }
        target
    })?;
    Ok(result)
}

/// What is known about one candle close.
#[derive(Debug, Clone, Copy)]
enum Slot {
    Follow(Action),
    Stale,
}

/// A line that is wrong in nothing but, perhaps, its place.
struct Valid {
    line: usize,
    seq: u64,
    slot: Slot,
}

type Refusal = (Option<u64>, Fault, String);

/// What lines are checked against.
struct Checker<'a> {
    header: &'a SignalHeader,
    candles: &'a Candles,
    range: Range<usize>,
}

impl Checker<'_> {
    /// Which close of the period a number belongs to; `None` outside it.
    fn slot_within(&self, seq: u64) -> Option<usize> {
        let slot = usize::try_from(seq.checked_sub(self.header.first_seq)?).ok()?;
        (slot < self.range.len()).then_some(slot)
    }

    /// The same for a number that was checked.
    fn slot(&self, seq: u64) -> usize {
        (seq - self.header.first_seq) as usize
    }

    fn line(&self, line: &str) -> Result<(u64, Slot), Refusal> {
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
        let Some(slot) = self.slot_within(seq) else {
            let (first, closes) = (self.header.first_seq, self.range.len());
            return refuse(Fault::BeyondEnd, format!("the period has {closes} closes, numbered from {first}"));
        };
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
                if received_ms < close_ms - CLOCK_TOLERANCE_MS {
                    return refuse(Fault::ArrivalTime, "it says that it arrived before its candle closed".to_owned());
                }
                received_ms - close_ms <= STALE_AFTER_MS
            }
        };
        Ok((seq, if in_time { Slot::Follow(signal.action) } else { Slot::Stale }))
    }
}

fn parse(line: &str) -> Result<(Signal, Option<String>), Refusal> {
    if let Ok(received) = serde_json::from_str::<ReceivedSignal>(line) {
        return Ok((received.signal, Some(received.received_at)));
    }
    match serde_json::from_str::<Signal>(line) {
        Ok(signal) if to_line(&signal) != line => Err((
            Some(signal.seq),
            Fault::NotCanonical,
            "the same fields, but not the bytes that were signed".to_owned(),
        )),
        Ok(signal) => Ok((signal, None)),
        Err(error) => Err((None, Fault::Unreadable, error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Signer;
    use assay_types::{Candle, FillRule, Market, Qty, SigningKey, Timeframe};

    const CLOSES: usize = 60;

    fn candles() -> Candles {
        let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
        for hour in 0..CLOSES as i64 + 10 {
            let close = Price((100 + (hour * 37) % 23) as i128 * 1_000_000_000_000);
            let open_time_ms = hour * Timeframe::H1.ms();
            candles.push(Candle { open_time_ms, open: close, high: close, low: close, close, volume: Qty(1) });
        }
        candles
    }

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    fn header(candles: &Candles, mode: SignalMode) -> SignalHeader {
        SignalHeader {
            public_key: String::new(),
            model_id: "ab".into(),
            config_hash: Hash([1; 32]),
            cash: "10000".parse().unwrap(),
            fee_ppm: 1_000,
            slippage_ticks: 3,
            tick: "0.01".parse().unwrap(),
            step: Qty(1),
            fill_rule: FillRule::Close,
            start: format_utc(candles.open_time_ms[5]),
            end: format_utc(candles.open_time_ms[5 + CLOSES]),
            data_hash: candles.slice(5..5 + CLOSES).data_hash(),
            mode,
            slippage_bps: 0,
            borrow_bps_per_day: 0,
            first_seq: 0,
            signature: String::new(),
        }
    }

    fn targets() -> Vec<Target> {
        (0..CLOSES).map(|i| [Target::Long, Target::Long, Target::Flat, Target::Short][(i / 3) % 4]).collect()
    }

    fn lines(mode: SignalMode) -> Vec<String> {
        let (candles, key) = (candles(), key());
        let mut signer = Signer::new(header(&candles, mode), "BTC-USD", &key);
        let mut lines = vec![to_line(signer.header())];
        for (slot, target) in targets().into_iter().enumerate() {
            lines.push(to_line(&signer.signal(&candles, 5 + slot, target.into())));
        }
        lines
    }

    fn audited(lines: &[String]) -> Audit {
        audit(&lines.join("\n"), &candles(), None).unwrap()
    }

    fn only_fault(audit: &Audit) -> (usize, Fault) {
        assert_eq!(audit.forged.len(), 1, "{:?}", audit.forged);
        (audit.forged[0].line, audit.forged[0].fault)
    }

    #[test]
    fn a_complete_file_gives_the_hash_of_the_backtest() {
        let (candles, targets) = (candles(), targets());
        let mut rules = Rules::new("0.01".parse().unwrap());
        rules.step = Qty(1);
        let expected = backtest(&candles, &rules, 5..5 + CLOSES, |view| targets[view.index() - 5]).unwrap();
        let audit = audited(&lines(SignalMode::Replay));
        assert!(audit.is_clean() && audit.stale == 0);
        assert_eq!(audit.accepted, CLOSES as u64);
        assert_eq!(audit.equity_hash, expected.equity_hash());
        assert_eq!(audit.final_equity, expected.last_equity());
    }

    #[test]
    fn a_changed_byte_anywhere_is_named() {
        let good = lines(SignalMode::Replay);
        let clean = audited(&good).equity_hash;
        for (from, to) in [
            ("LONG_100", "SHORT_100"),
            ("\"seq\":3", "\"seq\":4"),
            ("1970", "1971"),
            ("price_ref\":\"1", "price_ref\":\"2"),
        ] {
            let mut bad = good.clone();
            bad[4] = bad[4].replacen(from, to, 1);
            if bad[4] == good[4] {
                continue;
            }
            let audit = audited(&bad);
            assert_eq!(only_fault(&audit), (5, Fault::Signature), "{from}");
        }
        for (from, to) in [("LONG_100", "\\u004cONG_100"), ("}", " }"), ("\"sig_hash\":\"", "\"sig_hash\":  \"")] {
            let mut bad = good.clone();
            bad[4] = bad[4].replacen(from, to, 1);
            if bad[4] != good[4] {
                assert_eq!(only_fault(&audited(&bad)), (5, Fault::NotCanonical), "{from}");
            }
        }
        let mut bad = good.clone();
        bad[4].pop();
        assert_eq!(only_fault(&audited(&bad)), (5, Fault::Unreadable));
        assert_eq!(audited(&bad).missing, [3]);
        assert_eq!(audited(&good).equity_hash, clean);
    }

    #[test]
    fn reordered_doubled_and_missing_signals_are_named() {
        let good = lines(SignalMode::Replay);
        let mut swapped = good.clone();
        swapped.swap(10, 11);
        // Of two swapped lines the one that runs ahead is blamed.
        assert_eq!(only_fault(&audited(&swapped)), (11, Fault::OutOfOrder));
        let mut early = good.clone();
        let last = early.remove(30);
        early.insert(1, last);
        assert_eq!(only_fault(&audited(&early)), (2, Fault::OutOfOrder));
        let mut doubled = good.clone();
        doubled.insert(10, good[9].clone());
        let audit = audited(&doubled);
        assert_eq!(only_fault(&audit), (11, Fault::Doubled));
        assert_eq!(audit.equity_hash, audited(&good).equity_hash);
        let mut missing = good.clone();
        missing.remove(10);
        let audit = audited(&missing);
        assert!(audit.forged.is_empty() && !audit.is_clean());
        assert_eq!(audit.missing, [9]);
    }

    #[test]
    fn a_missing_signal_means_hold() {
        let good = lines(SignalMode::Replay);
        // Signals 1 and 2 of a group of three repeat the target, so leaving one out
        // changes nothing; leaving out the first of a group does.
        let mut same = good.clone();
        same.remove(2);
        assert_eq!(audited(&same).equity_hash, audited(&good).equity_hash);
        let mut other = good.clone();
        other.remove(7);
        assert_ne!(audited(&other).equity_hash, audited(&good).equity_hash);
    }

    #[test]
    fn wrong_contents_under_a_valid_signature_are_named() {
        let (candles, key) = (candles(), key());
        let good = lines(SignalMode::Replay);
        let forge = |change: &dyn Fn(&mut Signal)| {
            let mut signal: Signal = serde_json::from_str(&good[4]).unwrap();
            change(&mut signal);
            if signal.sig_hash != Hash([0; 32]) {
                signal.sig_hash = signal.expected_sig_hash();
            }
            signal.signature = assay_types::sign(&signal, &key);
            let mut bad = good.clone();
            bad[4] = to_line(&signal);
            only_fault(&audit(&bad.join("\n"), &candles, None).unwrap()).1
        };
        assert_eq!(forge(&|s| s.price_ref = "1".into()), Fault::PriceRef);
        assert_eq!(forge(&|s| s.symbol = "ETH-USD".into()), Fault::Symbol);
        assert_eq!(forge(&|s| s.model_id = "cd".into()), Fault::Model);
        assert_eq!(forge(&|s| s.ts = "1970-01-01T23:00:00Z".into()), Fault::Time);
        assert_eq!(forge(&|s| s.seq = 1_000), Fault::BeyondEnd);
        assert_eq!(forge(&|s| s.sig_hash = Hash([0; 32])), Fault::SigHash);
    }

    #[test]
    fn a_late_live_signal_is_stale_and_means_hold() {
        let signals = lines(SignalMode::Live);
        let received = |delay_ms: &dyn Fn(u64) -> i64| {
            let wrap = |line: &String| {
                let signal: Signal = serde_json::from_str(line).unwrap();
                let received_at = format_utc(parse_utc(&signal.ts).unwrap() + delay_ms(signal.seq));
                to_line(&ReceivedSignal { signal, received_at })
            };
            let mut lines = vec![signals[0].clone()];
            lines.extend(signals[1..].iter().map(wrap));
            audited(&lines)
        };
        let in_time = received(&|_| STALE_AFTER_MS);
        assert!(in_time.is_clean() && in_time.stale == 0);
        let late = received(&|seq| if seq == 6 { STALE_AFTER_MS + 1 } else { 900 });
        assert_eq!((late.stale, late.stale_seqs.as_slice(), late.accepted), (1, [6].as_slice(), CLOSES as u64 - 1));
        assert_ne!(late.equity_hash, in_time.equity_hash);
        let early = received(&|seq| if seq == 6 { -CLOCK_TOLERANCE_MS - 1 } else { 900 });
        assert_eq!(only_fault(&early).1, Fault::ArrivalTime);
        // Without arrival times nothing of a live file can be followed.
        assert!(audited(&signals).forged.iter().all(|line| line.fault == Fault::ArrivalTime));
    }

    #[test]
    fn a_later_session_is_numbered_on() {
        let (candles, key) = (candles(), key());
        let later = SignalHeader { first_seq: 700, ..header(&candles, SignalMode::Replay) };
        let mut signer = Signer::new(later, "BTC-USD", &key);
        let mut lines = vec![to_line(signer.header())];
        for (slot, target) in targets().into_iter().enumerate() {
            lines.push(to_line(&signer.signal(&candles, 5 + slot, target.into())));
        }
        let whole = audited(&lines);
        assert!(whole.is_clean() && whole.accepted == CLOSES as u64);
        assert_eq!(whole.equity_hash, audited(&self::lines(SignalMode::Replay)).equity_hash);
        let taken = lines.remove(10);
        assert_eq!(audited(&lines).missing, [709]);
        // A signal of the session before does not belong here.
        let mut signal: Signal = serde_json::from_str(&taken).unwrap();
        signal.seq = 699;
        signal.signature = assay_types::sign(&signal, &key);
        lines.push(to_line(&signal));
        assert_eq!(only_fault(&audited(&lines)).1, Fault::BeyondEnd);
    }

    #[test]
    fn the_header_must_hold() {
        let good = lines(SignalMode::Replay);
        let audit = |lines: &[String], key: Option<&str>| audit(&lines.join("\n"), &candles(), key);
        assert!(matches!(audit(&[], None), Err(EngineError::Empty)));
        assert!(matches!(audit(&good[1..], None), Err(EngineError::NotAHeader(_))));
        let mut bad = good.clone();
        bad[0] = bad[0].replace("\"fee_ppm\":1000", "\"fee_ppm\":0");
        assert!(matches!(audit(&bad, None), Err(EngineError::Header(_))));
        assert!(matches!(audit(&good, Some(&"00".repeat(32))), Err(EngineError::OtherKey { .. })));
        let mut other = candles();
        other.close[20] = Price(other.close[20].0 + 1);
        assert!(matches!(super::audit(&good.join("\n"), &other, None), Err(EngineError::DataHash { .. })));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_the_audit_panic(text in ".{0,200}", line in 0..CLOSES) {
            let _ = audit(&text, &candles(), None);
            let mut lines = lines(SignalMode::Replay);
            lines[line] = text;
            let _ = audit(&lines.join("\n"), &candles(), None);
        }
    }
}
