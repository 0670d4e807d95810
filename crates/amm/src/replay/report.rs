//! What a replay reports: differences, fees that changed, counts, and why it cannot go on.

use ruint::aliases::U256;

use crate::concentrated::Swapped;
use crate::error::AmmError;
use crate::event::{Place, SwapEvent, SwapMode};

/// A field whose recorded value is not ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Name of the field.
    pub field: &'static str,
    /// The chain's value.
    pub recorded: String,
    /// Ours.
    pub ours: String,
}

/// An event that did not come out as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Where in the chain.
    pub place: Place,
    /// Line of the file.
    pub line: u64,
    /// Events replayed before it.
    pub before: u64,
    /// Name of the event.
    pub event: &'static str,
    /// How the swap was taken, when it is one.
    pub mode: Option<SwapMode>,
    /// The fields that differ.
    pub differences: Vec<Difference>,
}

/// A fee that changed without being announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FeeChange {
    /// The first swap that paid it.
    pub place: Place,
    /// Line of the file.
    pub line: u64,
    /// The fee before, in millionths, when one was known.
    pub from_pips: Option<u32>,
    /// The fee since, in millionths.
    pub to_pips: u32,
}

/// Why a replay cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The same event twice.
    #[error("line {line}: {place} is there twice: remove one of the two")]
    Doubled {
        /// Line of the second.
        line: u64,
        /// Its place.
        place: Place,
    },
    /// An event before its predecessor.
    #[error("line {line}: {place} follows {before}: sort the events by block, transaction and log")]
    OutOfOrder {
        /// Line of the event.
        line: u64,
        /// Its place.
        place: Place,
        /// The place before it.
        before: Place,
    },
    /// An event that the pool could not have logged in its state.
    #[error(
        "line {line}: {place}: the {event} is impossible here (an event before it is missing, or the pool is another): {source}"
    )]
    Impossible {
        /// Line of the event.
        line: u64,
        /// Its place.
        place: Place,
        /// Name of the event.
        event: &'static str,
        /// What the engine refuses.
        source: Box<AmmError>,
    },
    /// An event that this kind of pool does not log.
    #[error("line {line}: {place}: {reason}")]
    Wrong {
        /// Line of the event.
        line: u64,
        /// Its place.
        place: Place,
        /// What is wrong.
        reason: String,
    },
}

/// Events counted by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// All events.
    pub events: u64,
    /// Swaps.
    pub swaps: u64,
    /// Mints.
    pub mints: u64,
    /// Burns, touches included.
    pub burns: u64,
    /// Swaps taken as exact input, exact output and price limit.
    pub modes: [u64; 3],
    /// Events that did not come out as recorded.
    pub mismatches: u64,
}

pub(super) fn swap_differences(swap: &SwapEvent, ours: &Swapped) -> Vec<Difference> {
    let mut differences = Vec::new();
    push(&mut differences, "amount_in", swap.amount_in, ours.amount_in);
    push(&mut differences, "amount_out", swap.amount_out, ours.amount_out);
    push(&mut differences, "sqrt_price_x96", swap.sqrt_price_x96, ours.sqrt_price_x96);
    push(&mut differences, "liquidity", swap.liquidity, ours.liquidity);
    push(&mut differences, "tick", swap.tick, ours.tick());
    differences
}

/// A swap that comes out only when asked for in another way than the record says: rounding
/// lets a price limit pass for what is an error in the price.
pub(super) fn mode_differences(recorded: Option<SwapMode>, ours: SwapMode) -> Vec<Difference> {
    let mut differences = Vec::new();
    if let Some(recorded) = recorded {
        push(&mut differences, "swap_mode", recorded.name(), ours.name());
    }
    differences
}

pub(super) fn amount_differences(recorded: [U256; 2], ours: [U256; 2]) -> Vec<Difference> {
    let mut differences = Vec::new();
    push(&mut differences, "amount0", recorded[0], ours[0]);
    push(&mut differences, "amount1", recorded[1], ours[1]);
    differences
}

pub(super) fn push<T: PartialEq + std::fmt::Display>(
    differences: &mut Vec<Difference>,
    field: &'static str,
    recorded: T,
    ours: T,
) {
    if recorded != ours {
        differences.push(Difference { field, recorded: recorded.to_string(), ours: ours.to_string() });
    }
}
