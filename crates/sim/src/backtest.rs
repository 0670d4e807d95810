//! Back-test: the step repeated over a range, with everything it did kept.

use std::ops::Range;

use assay_types::{Candles, Hash, Hasher, Money, Target};

use crate::error::SimError;
use crate::ledger::{Account, Fill};
use crate::round_trip::{RoundTrip, round_trips};
use crate::rules::Rules;
use crate::simulation::{End, Simulation};

/// What a policy did over a range of candles.
#[derive(Debug, Clone, PartialEq)]
pub struct Backtest {
    /// The candles that have an equity row: shorter than the range asked for when
    /// the equity was lost.
    pub range: Range<usize>,
    /// Open time of the first candle, milliseconds since 1970 UTC: the time of the
    /// first equity row, which holds the initial cash.
    pub start_ms: i64,
    /// The initial cash.
    pub cash: Money,
    /// Close times of the candles of `range`, milliseconds since 1970 UTC.
    pub time_ms: Vec<i64>,
    /// Equity at each of these closes.
    pub equity: Vec<Money>,
    /// The decision at each close but the last.
    pub targets: Vec<Target>,
    /// Every execution, in order.
    pub fills: Vec<Fill>,
    /// How many of the intervals between closes a position was held at their end.
    pub exposed: usize,
    /// The account after the last close.
    pub account: Account,
    /// How it ended.
    pub end: End,
    /// What closing the position left open would cost at the last close, fee and
    /// slippage; not part of the equity.
    pub closing_cost: Money,
}

impl Backtest {
    /// Equity at the last close.
    #[must_use]
    pub fn last_equity(&self) -> Money {
        self.equity.last().copied().unwrap_or(self.cash)
    }

    /// Every equity row: the initial cash at the first open, then each close.
    pub fn rows(&self) -> impl Iterator<Item = (i64, Money)> + '_ {
        let closes = self.time_ms.iter().copied().zip(self.equity.iter().copied());
        std::iter::once((self.start_ms, self.cash)).chain(closes)
    }

    /// `equity_hash` of R1: what identifies this result on any machine.
    #[must_use]
    pub fn equity_hash(&self) -> Hash {
        equity_hash(self.rows())
    }

    /// Positions opened and closed, in order; the last may still be open.
    #[must_use]
    pub fn round_trips(&self) -> Vec<RoundTrip> {
        round_trips(&self.fills)
    }
}

/// SHA-256 of `assay/equity/1\n` and the rows: time in milliseconds as `i64`, equity
/// as `i128` at 1e-8, both little-endian (R1).
#[must_use]
pub fn equity_hash(rows: impl Iterator<Item = (i64, Money)>) -> Hash {
    const BLOCK: usize = 24 * 256;
    let mut hasher = Hasher::with_prefix("assay/equity/1\n");
    let mut block = Vec::with_capacity(BLOCK);
    for (time_ms, equity) in rows {
        block.extend_from_slice(&time_ms.to_le_bytes());
        block.extend_from_slice(&equity.0.to_le_bytes());
        if block.len() == BLOCK {
            hasher.update(&block);
            block.clear();
        }
    }
    hasher.update(&block);
    hasher.finish()
}

/// Runs a policy over `range`. `decide` sees the simulation standing at a close and
/// answers with the target to hold from there on; it is asked at every close but the
/// last, in order.
///
/// # Errors
/// [`SimError`] when the range or the rules do not hold, or an amount overflows.
pub fn backtest(
    candles: &Candles,
    rules: &Rules,
    range: Range<usize>,
    mut decide: impl FnMut(&Simulation<'_>) -> Target,
) -> Result<Backtest, SimError> {
    let mut simulation = Simulation::new(candles, rules, range.clone())?;
    let closes = range.len();
    let mut equity = Vec::with_capacity(closes);
    let mut targets = Vec::with_capacity(closes - 1);
    let mut fills = Vec::new();
    let mut exposed = 0;
    equity.push(simulation.equity());
    while simulation.end().is_none() {
        let target = decide(&simulation);
        let step = simulation.step(target)?;
        targets.push(target);
        equity.push(step.equity);
        exposed += usize::from(simulation.account().quantity().0 != 0);
        if step.traded {
            fills.extend(simulation.fills().iter());
        }
    }
    let last = simulation.index();
    let range = range.start..last + 1;
    let timeframe_ms = candles.timeframe.ms();
    let overflow = SimError::Overflow { time_ms: candles.close_time_ms(last) };
    Ok(Backtest {
        start_ms: candles.open_time_ms[range.start],
        cash: rules.cash,
        time_ms: candles.open_time_ms[range.clone()].iter().map(|open_ms| open_ms + timeframe_ms).collect(),
        equity,
        targets,
        fills,
        exposed,
        account: *simulation.account(),
        end: simulation.end().expect("the loop runs until the end"),
        closing_cost: simulation.account().closing_cost(candles.close[last], rules).ok_or(overflow)?,
        range,
    })
}

/// Runs recorded decisions, one for each close from the first of `range`; after the
/// last of them the target stays.
///
/// # Errors
/// As [`backtest`].
pub fn replay(candles: &Candles, rules: &Rules, range: Range<usize>, targets: &[Target]) -> Result<Backtest, SimError> {
    let start = range.start;
    let last = targets.last().copied().unwrap_or_default();
    backtest(candles, rules, range, |view| targets.get(view.index() - start).copied().unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{hourly, rules};
    use assay_types::Price;

    #[test]
    fn rows_start_at_the_first_open_and_hash_as_documented() {
        let candles = hourly(&["100", "110", "121"]);
        let result = backtest(&candles, &rules(), 0..3, |_| Target::Flat).unwrap();
        let rows: Vec<_> = result.rows().collect();
        let cash = rules().cash;
        assert_eq!(rows, [(0, cash), (3_600_000, cash), (7_200_000, cash), (10_800_000, cash)]);
        let mut bytes = b"assay/equity/1\n".to_vec();
        for (time, equity) in rows {
            bytes.extend_from_slice(&time.to_le_bytes());
            bytes.extend_from_slice(&equity.0.to_le_bytes());
        }
        assert_eq!(result.equity_hash(), Hash::of(&bytes));
    }

    #[test]
    fn every_close_but_the_last_is_decided_on() {
        let candles = hourly(&["100", "110", "121", "90"]);
        let mut seen = Vec::new();
        let result = backtest(&candles, &rules(), 1..4, |view| {
            seen.push(view.index());
            Target::Long
        });
        let result = result.unwrap();
        assert_eq!(seen, [1, 2]);
        assert_eq!((result.targets.len(), result.equity.len(), result.fills.len()), (2, 3, 1));
        assert_eq!(result.exposed, 2);
        assert_eq!(result.end, End::Truncated);
        assert!(result.closing_cost > Money::ZERO);
        assert_eq!(replay(&candles, &rules(), 1..4, &result.targets).unwrap(), result);
        assert_eq!(replay(&candles, &rules(), 1..4, &[Target::Long]).unwrap(), result);
    }

    #[test]
    fn ruin_ends_the_rows() {
        let candles = hourly(&["100", "300", "100", "100"]);
        let result = backtest(&candles, &rules(), 0..4, |_| Target::Short).unwrap();
        assert_eq!(result.end, End::Terminated);
        assert_eq!((result.range.clone(), result.equity.len(), result.targets.len()), (0..2, 2, 1));
        assert!(result.last_equity() <= Money::ZERO);
    }

    #[test]
    fn next_open_fills_at_the_next_open_against_the_trader() {
        let mut candles = hourly(&["100", "110", "121"]);
        candles.open[1] = "103".parse().unwrap();
        let rules = rules().with_fill_rule(assay_types::FillRule::NextOpen);
        let result = backtest(&candles, &rules, 0..3, |_| Target::Long).unwrap();
        let fill = result.fills[0];
        assert_eq!((fill.time_ms, fill.reference), (3_600_000, "103".parse().unwrap()));
        assert_eq!(fill.price, "103.03".parse::<Price>().unwrap());
    }

    #[test]
    fn one_candle_makes_two_rows_and_no_decision() {
        let candles = hourly(&["100"]);
        let result = backtest(&candles, &rules(), 0..1, |_| Target::Long).unwrap();
        assert_eq!((result.rows().count(), result.targets.len(), result.end), (2, 0, End::Truncated));
        assert!(backtest(&candles, &rules(), 0..0, |_| Target::Long).is_err());
        assert!(backtest(&candles, &rules(), 0..2, |_| Target::Long).is_err());
    }
}
