//! `volatility:K`: a range of K times the realised volatility to each side of the price,
//! laid anew when the price has left it.
//!
//! The volatility is the root mean square change of the tick per hundred blocks over the
//! questions seen. With fewer than two prices there is none, and nothing is placed.

use std::collections::VecDeque;

use super::view::View;
use crate::query::DesiredPosition;

/// Prices that are remembered.
const REMEMBERED: usize = 64;
/// Blocks over which the volatility is stated.
const PER_BLOCKS: u128 = 100;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Volatility {
    pub multiple: u32,
    seen: VecDeque<(u64, i32)>,
}

impl Volatility {
    pub const fn new(multiple: u32) -> Self {
        Self { multiple, seen: VecDeque::new() }
    }

    pub fn wanted(&mut self, view: &View<'_>) -> Option<Vec<DesiredPosition>> {
        self.remember(view.query.block_number, view.tick);
        if view.is_in_position() {
            return None;
        }
        let half = i32::try_from(self.per_hundred_blocks()? * u128::from(self.multiple)).unwrap_or(super::MAX_WIDTH);
        Some(view.everything_in(view.around(half.min(super::MAX_WIDTH / 2) * 2)))
    }

    /// Prices ascend by block; an earlier block starts another history.
    fn remember(&mut self, block: u64, tick: i32) {
        match self.seen.back() {
            Some((last, _)) if *last == block => return,
            Some((last, _)) if *last > block => self.seen.clear(),
            _ => {}
        }
        if self.seen.len() == REMEMBERED {
            self.seen.pop_front();
        }
        self.seen.push_back((block, tick));
    }

    /// The volatility in ticks, rounded down.
    fn per_hundred_blocks(&self) -> Option<u128> {
        let (first, last) = (self.seen.front()?, self.seen.back()?);
        let blocks = u128::from(last.0 - first.0);
        let changes = self.seen.iter().zip(self.seen.iter().skip(1));
        let squares: u128 = changes.map(|(from, to)| u128::from(from.1.abs_diff(to.1)).pow(2)).sum();
        (squares * PER_BLOCKS).checked_div(blocks).map(u128::isqrt)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_volatility_is_the_root_mean_square_change() {
        let mut volatility = Volatility::new(1);
        volatility.remember(1_000, 50);
        assert_eq!(volatility.per_hundred_blocks(), None);
        volatility.remember(1_100, 53);
        volatility.remember(1_100, 99);
        volatility.remember(1_200, 49);
        // (9 + 16) / 2 = 12.5 per hundred blocks.
        assert_eq!(volatility.per_hundred_blocks(), Some(3));
        volatility.remember(1_250, 149);
        // (9 + 16 + 10,000) · 100 / 250 = 4,010.
        assert_eq!(volatility.per_hundred_blocks(), Some(63));
        volatility.remember(7, 0);
        assert_eq!(volatility.per_hundred_blocks(), None);
        (0..200).for_each(|block| volatility.remember(1_000 + block, 7));
        assert_eq!((volatility.seen.len(), volatility.per_hundred_blocks()), (REMEMBERED, Some(0)));
    }
}
