//! `base-limit:WIDTH`: a base position around the price, and what it cannot use, being too
//! much of one token, in a range of the same width beside the price, where it earns nothing
//! until the price comes and then turns into the other token.

use assay_amm::U256;
use assay_amm::concentrated::{amount0_delta, amount1_delta, sqrt_price_at_tick};

use super::view::{View, position};
use crate::amounts::Amounts;
use crate::query::DesiredPosition;
use crate::value::{liquidity_for, token0_value};

/// Left-overs below one part in this many of the tokens' value are not worth a position.
const WORTH_PLACING: u32 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BaseLimit {
    pub width: i32,
    pub range: Option<(i32, i32)>,
}

impl BaseLimit {
    pub const fn new(width: i32) -> Self {
        Self { width, range: None }
    }

    pub fn wanted(&mut self, view: &View<'_>) -> Option<Vec<DesiredPosition>> {
        let stands = |(lower, upper): &(i32, i32)| {
            view.query.current_positions.iter().any(|held| (held.tick_lower, held.tick_upper) == (*lower, *upper))
        };
        if self.range.is_some_and(|range| stands(&range) && view.is_in(range)) {
            return None;
        }
        let base = view.around(self.width);
        self.range = Some(base);
        Some(match limit(view, base) {
            Some((range, amounts)) => {
                let rest = view.tokens.checked_sub(amounts)?;
                vec![position(base, rest), position(range, amounts)]
            }
            None => view.everything_in(base),
        })
    }
}

/// The range beside the price and the left-over tokens for it.
fn limit(view: &View<'_>, base: (i32, i32)) -> Option<((i32, i32), Amounts)> {
    let price = view.query.sqrt_price_x96;
    let left = left_over(view.tokens, price, base)?;
    let value0 = token0_value(left.amount0, price)?;
    let worth = crate::value::value_in_token1(view.tokens, price)? / U256::from(WORTH_PLACING);
    if value0.max(left.amount1) <= worth {
        return None;
    }
    let width = base.1 - base.0;
    let grid = view.tick.div_euclid(view.spacing) * view.spacing;
    let (lowest, highest) = view.widest();
    let (range, amounts) = if value0 > left.amount1 {
        let lower = grid + view.spacing;
        ((lower, (lower + width).min(highest)), Amounts { amount1: U256::ZERO, ..left })
    } else {
        (((grid - width).max(lowest), grid), Amounts { amount0: U256::ZERO, ..left })
    };
    let is_wide_enough = range.1 - range.0 >= view.min_width;
    (is_wide_enough && range != base).then_some((range, amounts))
}

/// What a position in `range` cannot use of `tokens`.
fn left_over(tokens: Amounts, price: U256, (lower, upper): (i32, i32)) -> Option<Amounts> {
    let (lower, upper) = (sqrt_price_at_tick(lower).ok()?, sqrt_price_at_tick(upper).ok()?);
    let liquidity = liquidity_for(tokens, price, lower, upper)?;
    let inside = price.clamp(lower, upper);
    let amount0 = if inside < upper { amount0_delta(inside, upper, liquidity, true).ok()? } else { U256::ZERO };
    let amount1 = amount1_delta(lower, inside, liquidity, true);
    tokens.checked_sub(Amounts { amount0, amount1 })
}
