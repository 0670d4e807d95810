//! What a replay found, as it is shown.

use std::collections::BTreeMap;
use std::time::Duration;

use assay_amm::event::{Place, SwapMode};
use assay_amm::replay::{Mismatch, ReplayPool};
use assay_amm::{PoolKind, U256};
use serde::Serialize;

use super::replay::Work;

/// A replay's outcome. Numbers above 2^53 are decimal text.
#[derive(Debug, Clone, Serialize)]
pub struct Replayed {
    /// The event file.
    pub file: String,
    /// Kind of the pool.
    pub kind: &'static str,
    /// Events replayed.
    pub events: u64,
    /// The same by kind of event.
    pub events_by_kind: BTreeMap<&'static str, u64>,
    /// Events that did not come out as recorded.
    pub mismatches: u64,
    /// The first of them, field by field.
    pub first_mismatches: Vec<MismatchShown>,
    /// How the swaps were asked for.
    pub modes: Modes,
    /// Changes of the fee, the first [`MAX_FEE_CHANGES`] recorded in the file and those
    /// inferred from the amounts, in order.
    ///
    /// [`MAX_FEE_CHANGES`]: super::replay::MAX_FEE_CHANGES
    pub fee_changes: Vec<FeeChangeShown>,
    /// Events a second in the engine alone.
    pub events_per_second: f64,
    /// Events a second, reading and decoding included.
    pub events_per_second_with_decoding: f64,
    /// The state after the last event.
    #[serde(rename = "final")]
    pub last: FinalState,
}

/// Swaps by how they were asked for.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Modes {
    /// An exact input was used up.
    pub exact_in: u64,
    /// An exact output was reached.
    pub exact_out: u64,
    /// The swap stopped at its price limit.
    pub price_limit: u64,
}

/// Where an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlaceShown {
    /// Line of the file, from 1.
    pub line: u64,
    /// Block number.
    pub block: u64,
    /// Index of the transaction.
    pub tx_index: u64,
    /// Index of the log.
    pub log_index: u64,
}

impl PlaceShown {
    fn of(place: Place, line: u64) -> Self {
        let Place { block, tx_index, log_index } = place;
        Self { line, block, tx_index, log_index }
    }
}

/// An event that did not come out as recorded.
#[derive(Debug, Clone, Serialize)]
pub struct MismatchShown {
    /// Where.
    #[serde(flatten)]
    pub place: PlaceShown,
    /// Events replayed before it.
    pub before: u64,
    /// Name of the event.
    pub event: &'static str,
    /// For a swap: `ein`, `eout` or `lim`, the way it was tried last.
    pub mode: Option<&'static str>,
    /// The fields that differ.
    pub differences: Vec<DifferenceShown>,
}

/// A field that differs.
#[derive(Debug, Clone, Serialize)]
pub struct DifferenceShown {
    /// Its name.
    pub field: &'static str,
    /// The chain's value.
    pub recorded: String,
    /// Ours.
    pub ours: String,
    /// Ours minus the chain's.
    pub difference: String,
}

/// Where a fee comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeSource {
    /// The file says it.
    Recorded,
    /// Nobody said it; the amounts show it.
    Inferred,
}

/// A change of the swap fee.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct FeeChangeShown {
    /// The first swap that paid it.
    #[serde(flatten)]
    pub place: PlaceShown,
    /// The fee before in millionths, when one was known.
    pub from_pips: Option<u32>,
    /// The fee since, in millionths.
    pub to_pips: u32,
    /// How it is known.
    pub source: FeeSource,
}

/// A change of the swap fee at `place`.
pub(super) fn fee_change(
    place: Place,
    line: u64,
    from_pips: Option<u32>,
    to_pips: u32,
    source: FeeSource,
) -> FeeChangeShown {
    FeeChangeShown { place: PlaceShown::of(place, line), from_pips, to_pips, source }
}

/// A concentrated pool after the last event. Fees are per token, in units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FinalState {
    /// Square-root price, 64.96-bit.
    pub sqrt_price_x96: String,
    /// Its tick.
    pub tick: i32,
    /// Liquidity in range.
    pub liquidity: String,
    /// Ticks with liquidity.
    pub initialised_ticks: usize,
    /// Fee in millionths, when one is known.
    pub fee_pips: Option<u32>,
    /// Fees per unit of liquidity since the first event, 128.128-bit, wrapping.
    pub fee_growth_x128: [String; 2],
    /// Protocol fees that wait to be collected; `None` for Slipstream.
    pub protocol_fees: Option<[String; 2]>,
    /// Fees that wait for the gauge; `None` for V3.
    pub gauge_fees: Option<[String; 2]>,
    /// What fee growth and gauge fees are an estimate of, where the events leave it open.
    pub fees_estimate: Option<&'static str>,
}

/// Stakes move fees between positions and gauge without an event of the pool.
const AS_IF_UNSTAKED: &str = "fee growth and gauge fees are an estimate: as if nothing were staked, since stakes are \
    not among the pool's events";

impl Work {
    #[expect(clippy::cast_precision_loss, reason = "rates")]
    pub(super) fn finish(self, file: String, kind: PoolKind, elapsed: Duration) -> Replayed {
        let counts = self.replay.counts();
        let mut fee_changes = self.fee_changes;
        fee_changes.extend(self.replay.fee_changes().iter().map(|change| {
            fee_change(change.place, change.line, change.from_pips, change.to_pips, FeeSource::Inferred)
        }));
        fee_changes.sort_by_key(|change| change.place.line);
        let rate = |time: Duration| counts.events as f64 / time.as_secs_f64().max(1e-9);
        let [exact_in, exact_out, price_limit] = counts.modes;
        Replayed {
            file,
            kind: kind.name(),
            events: counts.events,
            events_by_kind: self.by_kind,
            mismatches: counts.mismatches,
            first_mismatches: self.replay.mismatches().iter().map(mismatch).collect(),
            modes: Modes { exact_in, exact_out, price_limit },
            fee_changes,
            events_per_second: rate(self.engine),
            events_per_second_with_decoding: rate(elapsed),
            last: final_state(self.replay.pool(), self.replay.fee_pips()),
        }
    }
}

fn final_state(pool: &ReplayPool, fee_pips: Option<u32>) -> FinalState {
    let core = pool.core();
    let text = |amounts: [u128; 2]| amounts.map(|amount| amount.to_string());
    let (protocol_fees, gauge_fees) = match pool {
        ReplayPool::V3(pool) => (Some(text(pool.protocol_owed)), None),
        ReplayPool::Slipstream(pool) => (None, Some(text(pool.gauge_fees))),
    };
    FinalState {
        sqrt_price_x96: core.sqrt_price_x96.to_string(),
        tick: core.tick,
        liquidity: core.liquidity.to_string(),
        initialised_ticks: core.ticks.len(),
        fee_pips,
        fee_growth_x128: core.fee_growth_x128.map(|growth| growth.to_string()),
        protocol_fees,
        gauge_fees,
        fees_estimate: matches!(pool, ReplayPool::Slipstream(_)).then_some(AS_IF_UNSTAKED),
    }
}

fn mismatch(mismatch: &Mismatch) -> MismatchShown {
    let differences = mismatch.differences.iter().map(|found| DifferenceShown {
        field: found.field,
        recorded: found.recorded.clone(),
        ours: found.ours.clone(),
        difference: difference(&found.recorded, &found.ours),
    });
    MismatchShown {
        place: PlaceShown::of(mismatch.place, mismatch.line),
        before: mismatch.before,
        event: mismatch.event,
        mode: mismatch.mode.map(SwapMode::name),
        differences: differences.collect(),
    }
}

/// Ours minus the recorded value, with its sign; a dash where they are no integers.
fn difference(recorded: &str, ours: &str) -> String {
    if let (Ok(recorded), Ok(ours)) = (recorded.parse::<i128>(), ours.parse::<i128>())
        && let Some(difference) = ours.checked_sub(recorded)
    {
        return format!("{difference:+}");
    }
    match (recorded.parse::<U256>(), ours.parse::<U256>()) {
        (Ok(recorded), Ok(ours)) if ours >= recorded => format!("+{}", ours - recorded),
        (Ok(recorded), Ok(ours)) => format!("-{}", recorded - ours),
        _ => "—".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_keep_sign_and_every_digit() {
        assert_eq!(difference("-5", "7"), "+12");
        assert_eq!(difference("7", "7"), "+0");
        let (large, larger) = (U256::MAX - U256::ONE, U256::MAX);
        assert_eq!(difference(&large.to_string(), &larger.to_string()), "+1");
        assert_eq!(difference(&larger.to_string(), "0"), format!("-{larger}"));
        assert_eq!(difference("one", "2"), "—");
    }
}
