//! What an answer means: keep, rebalance, or nothing that can be done.

use assay_amm::concentrated::{MAX_TICK, MIN_TICK};
use assay_amm::{U256, integer};

use crate::job::Job;
use crate::placement::total_allocation;
use crate::query::{DesiredPosition, RebalanceQuery};
use crate::value::value_in_token1;

/// Allocations within one part in this many of the larger count as equal.
const EQUAL_WITHIN: u32 = 50;

/// What a valid answer asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// The positions that stand already.
    Keep,
    /// Other ones.
    Rebalance,
}

/// Whether two lists of positions are equal: the same ranges with allocations within 2 %
/// of the larger.
#[must_use]
pub fn equal_positions(first: &[DesiredPosition], second: &[DesiredPosition]) -> bool {
    let same = |a: &DesiredPosition, b: &DesiredPosition| {
        (a.tick_lower, a.tick_upper) == (b.tick_lower, b.tick_upper)
            && nearly(a.allocation0, b.allocation0)
            && nearly(a.allocation1, b.allocation1)
    };
    let within =
        |one: &[DesiredPosition], other: &[DesiredPosition]| one.iter().all(|a| other.iter().any(|b| same(a, b)));
    first.len() == second.len() && within(first, second) && within(second, first)
}

/// Whether two amounts are within 2 % of the larger.
pub(crate) fn nearly(first: U256, second: U256) -> bool {
    first.abs_diff(second) <= first.max(second) / U256::from(EQUAL_WITHIN)
}

/// What `desired` asks for, given what the miner was shown and the positions it asked for
/// last.
///
/// # Errors
/// Why it cannot be done: the text names the position, the value and the bound.
pub fn decide(
    job: &Job,
    shown: &RebalanceQuery,
    last: Option<&[DesiredPosition]>,
    rebalance_counts: bool,
    desired: &[DesiredPosition],
) -> Result<Decision, String> {
    if equal_positions(desired, &shown.current_positions) || last.is_some_and(|last| equal_positions(desired, last)) {
        return Ok(Decision::Keep);
    }
    let limits = &job.constraints;
    if desired.len() > limits.max_positions {
        return Err(format!("{} positions are more than the {} allowed", desired.len(), limits.max_positions));
    }
    for (index, position) in desired.iter().enumerate() {
        let DesiredPosition { tick_lower: lower, tick_upper: upper, .. } = *position;
        let name = format!("position {index} in ticks {lower} … {upper}");
        if lower >= upper || lower < MIN_TICK || upper > MAX_TICK {
            return Err(format!("{name}: ticks must ascend and lie in {MIN_TICK} … {MAX_TICK}"));
        }
        if lower % shown.tick_spacing != 0 || upper % shown.tick_spacing != 0 {
            return Err(format!("{name}: off the grid of {} ticks", shown.tick_spacing));
        }
        if upper - lower < limits.min_tick_width {
            return Err(format!("{name}: narrower than {} ticks", limits.min_tick_width));
        }
        if desired[..index].iter().any(|other| (other.tick_lower, other.tick_upper) == (lower, upper)) {
            return Err(format!("{name}: twice; join the two"));
        }
    }
    within_budget(job, shown, desired)?;
    if rebalance_counts && shown.rebalances_so_far >= limits.max_rebalances {
        return Err(format!("{} rebalances were made and no more are allowed", shown.rebalances_so_far));
    }
    Ok(Decision::Rebalance)
}

fn within_budget(job: &Job, shown: &RebalanceQuery, desired: &[DesiredPosition]) -> Result<(), String> {
    let overflow = || "the allocations are above 256 bits".to_owned();
    let wanted = total_allocation(desired).ok_or_else(overflow)?;
    let standing = total_allocation(&shown.current_positions).ok_or_else(overflow)?;
    let have = shown.inventory_remaining.checked_add(standing).ok_or_else(overflow)?;
    let price = shown.sqrt_price_x96;
    if job.allow_rebalance_swap {
        let worth = value_in_token1(wanted, price).ok_or_else(overflow)?;
        let budget = value_in_token1(have, price).ok_or_else(overflow)?;
        if worth > budget {
            return Err(format!("allocations worth {worth} units of token 1 are above the {budget} there are"));
        }
        return Ok(());
    }
    for (token, (wanted, have)) in wanted.pair().into_iter().zip(have.pair()).enumerate() {
        if wanted > have {
            return Err(format!("allocations of {wanted} units of token {token} are above the {have} there are"));
        }
    }
    Ok(())
}

/// `part` of `whole` in millionths, rounded down; 0 for an empty whole.
pub(crate) fn parts_per_million(part: U256, whole: U256) -> u32 {
    integer::mul_div(part, U256::from(1_000_000), whole).and_then(|ppm| u32::try_from(ppm).ok()).unwrap_or(0)
}
