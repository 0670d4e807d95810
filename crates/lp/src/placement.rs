//! What wanted positions become at a price: the one rule that rounds and reports share.

use assay_amm::concentrated::sqrt_price_at_tick;
use assay_amm::{U256, integer};

use crate::amounts::Amounts;
use crate::error::LpError;
use crate::query::DesiredPosition;
use crate::value::liquidity_for;

/// Liquidity by wanted position, in order. Allocations of a token that sum to more than the
/// inventory are scaled down together, rounded down.
///
/// # Errors
/// Ticks out of range, or amounts that overflow.
pub(crate) fn placements<'a>(
    desired: &'a [DesiredPosition],
    inventory: Amounts,
    sqrt_price: U256,
) -> Result<Vec<(&'a DesiredPosition, u128)>, LpError> {
    let engine = |source| LpError::Engine { what: "the ticks of a position", source };
    let overflow = || LpError::Overflow { what: "the allocations" };
    let wanted = total_allocation(desired).ok_or_else(overflow)?.pair();
    let have = inventory.pair();
    let placement = |position: &'a DesiredPosition| {
        let mut budget = [position.allocation0, position.allocation1];
        for token in 0..2 {
            if wanted[token] > have[token] {
                budget[token] = integer::mul_div(budget[token], have[token], wanted[token]).ok_or_else(overflow)?;
            }
        }
        let lower = sqrt_price_at_tick(position.tick_lower).map_err(engine)?;
        let upper = sqrt_price_at_tick(position.tick_upper).map_err(engine)?;
        let liquidity = liquidity_for(budget.into(), sqrt_price, lower, upper).ok_or_else(overflow)?;
        Ok((position, liquidity))
    };
    desired.iter().map(placement).collect()
}

/// The sum of allocations, when it fits 256 bits.
pub(crate) fn total_allocation(desired: &[DesiredPosition]) -> Option<Amounts> {
    desired.iter().try_fold(Amounts::ZERO, |sum, position| {
        sum.checked_add(Amounts { amount0: position.allocation0, amount1: position.allocation1 })
    })
}
