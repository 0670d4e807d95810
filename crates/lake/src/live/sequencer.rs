//! From whatever arrives, in whatever order, to closed candles in their own order.

use std::collections::BTreeMap;
use std::ops::Range;

use assay_types::Candle;

use super::{ClosedCandle, Origin};

/// Candles told last that are kept to tell a repetition from a contradiction.
const REMEMBERED: usize = 16;
/// Candles that may wait for the ones before them; beyond it the hole is asked for anyway.
const MAX_WAITING: usize = 4_096;

/// What came out of a candle that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// It is new.
    New,
    /// It was told before.
    Duplicate,
    /// It was told before with other values; those stand.
    Contradiction,
}

/// The order of the stream: what was told, what waits and what is missing.
#[derive(Debug)]
pub(super) struct Sequencer {
    step_ms: i64,
    /// Open time of the next candle.
    next_ms: i64,
    /// Candles that open before this are closed.
    closed_to_ms: i64,
    /// What opens before this and did not arrive does not exist.
    known_to_ms: i64,
    waiting: BTreeMap<i64, ClosedCandle>,
    told: BTreeMap<i64, Candle>,
    gaps: u64,
}

impl Sequencer {
    pub fn new(step_ms: i64, next_ms: i64) -> Self {
        let (waiting, told) = (BTreeMap::new(), BTreeMap::new());
        Self { step_ms, next_ms, closed_to_ms: next_ms, known_to_ms: next_ms, waiting, told, gaps: 0 }
    }

    /// Takes a closed candle.
    pub fn arrive(&mut self, candle: Candle, received_at_ms: i64, origin: Origin) -> Arrival {
        let open_ms = candle.open_time_ms;
        let known = self.told.get(&open_ms).or_else(|| self.waiting.get(&open_ms).map(|waiting| &waiting.candle));
        if let Some(known) = known {
            return if *known == candle { Arrival::Duplicate } else { Arrival::Contradiction };
        }
        if open_ms < self.next_ms {
            return Arrival::Duplicate;
        }
        self.closed_to_ms = self.closed_to_ms.max(open_ms + self.step_ms);
        if self.waiting.len() < MAX_WAITING {
            self.waiting.insert(open_ms, ClosedCandle { candle, received_at_ms, origin });
        }
        Arrival::New
    }

    /// Learns that every candle that ends by `time_ms` is closed.
    pub fn passed(&mut self, time_ms: i64) {
        self.closed_to_ms = self.closed_to_ms.max(time_ms.saturating_sub(time_ms.rem_euclid(self.step_ms)));
    }

    /// The open times that are closed and not here, up to the first that is.
    pub fn hole(&self) -> Option<Range<i64>> {
        let from = self.next_ms.max(self.known_to_ms);
        let to = self.waiting.range(from..).next().map_or(self.closed_to_ms, |(open_ms, _)| *open_ms);
        (from < to).then_some(from..to)
    }

    /// Learns that what did not arrive before `time_ms` does not exist.
    pub fn complete_to(&mut self, time_ms: i64) {
        self.known_to_ms = self.known_to_ms.max(time_ms);
    }

    /// The next candle in order.
    pub fn next(&mut self) -> Option<ClosedCandle> {
        let (&open_ms, _) = self.waiting.first_key_value()?;
        if open_ms > self.next_ms && open_ms > self.known_to_ms {
            return None;
        }
        if open_ms > self.next_ms {
            self.gaps += ((open_ms - self.next_ms) / self.step_ms).unsigned_abs();
        }
        let candle = self.waiting.remove(&open_ms)?;
        self.next_ms = open_ms + self.step_ms;
        self.told.insert(open_ms, candle.candle);
        while self.told.len() > REMEMBERED {
            self.told.pop_first();
        }
        Some(candle)
    }

    /// Open time of the next candle.
    pub fn next_ms(&self) -> i64 {
        self.next_ms
    }

    /// Candles that do not exist, between those that were told.
    pub fn gaps(&self) -> u64 {
        self.gaps
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use assay_types::{Price, Qty};
    use proptest::prelude::*;

    fn candle(number: i64) -> Candle {
        let price = Price(100 + i128::from(number));
        Candle { open_time_ms: number * 60, open: price, high: price, low: price, close: price, volume: Qty(1) }
    }

    proptest! {
        #[test]
        fn any_arrival_comes_out_in_order_and_once(
            exists in proptest::collection::vec(proptest::bool::weighted(0.8), 30),
            heard in proptest::collection::vec((0_i64..30, any::<bool>()), 0..90),
        ) {
            // Some candles exist; each `heard` is a message of the socket or an answer of REST
            // about everything up to there.
            let mut sequencer = Sequencer::new(60, 0);
            let mut told = Vec::new();
            for (number, by_rest) in heard.into_iter().chain([(30, true)]) {
                if by_rest {
                    sequencer.passed(number * 60);
                    while let Some(hole) = sequencer.hole() {
                        for number in (hole.start / 60..hole.end / 60).filter(|number| exists[*number as usize]) {
                            sequencer.arrive(candle(number), 0, Origin::Backfill);
                        }
                        sequencer.complete_to(hole.end);
                        told.extend(std::iter::from_fn(|| sequencer.next().map(|next| next.candle)));
                    }
                } else if exists[number as usize] {
                    sequencer.arrive(candle(number), 0, Origin::Socket);
                }
                while let Some(next) = sequencer.next() {
                    told.push(next.candle);
                }
            }
            let expected: Vec<Candle> = (0..30).filter(|number| exists[*number as usize]).map(candle).collect();
            prop_assert_eq!(&told, &expected);
            let after = expected.first().map_or(0, |_| expected.len() as i64);
            let last = expected.last().map_or(0, |candle| candle.open_time_ms / 60 + 1);
            prop_assert_eq!(sequencer.gaps() as i64, last - after);
        }
    }

    #[test]
    fn repetitions_are_told_from_contradictions() {
        let mut sequencer = Sequencer::new(60, 0);
        assert_eq!(sequencer.arrive(candle(0), 0, Origin::Socket), Arrival::New);
        assert_eq!(sequencer.arrive(candle(0), 0, Origin::Socket), Arrival::Duplicate);
        sequencer.next().unwrap();
        assert_eq!(sequencer.arrive(candle(0), 0, Origin::Socket), Arrival::Duplicate);
        let other = Candle { volume: Qty(2), ..candle(0) };
        assert_eq!(sequencer.arrive(other, 0, Origin::Socket), Arrival::Contradiction);
        assert_eq!(sequencer.next(), None);
    }
}
