//! A question as strategies read it: ticks, grid and tokens.

use assay_amm::concentrated::{MAX_TICK, MIN_TICK, tick_at_sqrt_price};

use crate::amounts::Amounts;
use crate::placement::total_allocation;
use crate::query::{DesiredPosition, RebalanceQuery};

/// A question with what every strategy derives from it.
#[derive(Debug)]
pub(crate) struct View<'a> {
    pub query: &'a RebalanceQuery,
    /// The tick of the price.
    pub tick: i32,
    /// Distance of usable ticks.
    pub spacing: i32,
    /// Narrowest range that will do.
    pub min_width: i32,
    /// All tokens: not placed, and what the positions would give.
    pub tokens: Amounts,
}

impl<'a> View<'a> {
    /// `None` for a question that no round asks: a price or spacing out of range.
    pub fn of(query: &'a RebalanceQuery, min_width: i32) -> Option<Self> {
        let tick = tick_at_sqrt_price(query.sqrt_price_x96).ok()?;
        let spacing = query.tick_spacing;
        if !(1..=16_383).contains(&spacing) {
            return None;
        }
        let tokens = query.inventory_remaining.checked_add(total_allocation(&query.current_positions)?)?;
        Some(Self { query, tick, spacing, min_width, tokens })
    }

    /// The lowest and the highest usable tick.
    pub const fn widest(&self) -> (i32, i32) {
        (MIN_TICK / self.spacing * self.spacing, MAX_TICK / self.spacing * self.spacing)
    }

    /// A width that the grid and the narrowest range allow: `width`, or the next above.
    pub fn allowed(&self, width: i32) -> i32 {
        let (lowest, highest) = self.widest();
        let width = width.max(self.min_width).min(highest - lowest);
        (width + self.spacing - 1) / self.spacing * self.spacing
    }

    /// The range of `width` with the price as near to its middle as the grid allows.
    pub fn around(&self, width: i32) -> (i32, i32) {
        let width = self.allowed(width);
        let middle = self.tick - width / 2 + self.spacing / 2;
        self.inside(middle.div_euclid(self.spacing) * self.spacing, width)
    }

    /// The range of `width` from `lower`, moved between the usable ticks.
    pub fn inside(&self, lower: i32, width: i32) -> (i32, i32) {
        let (lowest, highest) = self.widest();
        let lower = lower.min(highest - width).max(lowest);
        (lower, (lower + width).min(highest))
    }

    /// Whether the price stands in a range.
    pub const fn is_in(&self, (lower, upper): (i32, i32)) -> bool {
        lower <= self.tick && self.tick < upper
    }

    /// Whether the price stands in one of the positions.
    pub fn is_in_position(&self) -> bool {
        self.query.current_positions.iter().any(|held| self.is_in((held.tick_lower, held.tick_upper)))
    }

    /// All tokens in one range.
    pub fn everything_in(&self, range: (i32, i32)) -> Vec<DesiredPosition> {
        vec![position(range, self.tokens)]
    }
}

/// A wanted position.
pub(crate) const fn position((tick_lower, tick_upper): (i32, i32), amounts: Amounts) -> DesiredPosition {
    let Amounts { amount0: allocation0, amount1: allocation1 } = amounts;
    DesiredPosition { tick_lower, tick_upper, allocation0, allocation1, confidence: None }
}
