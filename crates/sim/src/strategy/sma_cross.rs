//! Moving-average cross, in integers: long while sum(FAST) · SLOW > sum(SLOW) · FAST.
//!
//! The windows hold closes of the range only, so that the decisions can be recomputed
//! from the candles of a report alone.

use assay_types::{Price, Target};

#[derive(Debug, Clone)]
pub(super) struct SmaCrossDecider {
    fast: usize,
    slow: usize,
    fast_sum: i128,
    slow_sum: i128,
    seen: usize,
}

impl SmaCrossDecider {
    pub const fn new(fast: usize, slow: usize) -> Self {
        Self { fast, slow, fast_sum: 0, slow_sum: 0, seen: 0 }
    }

    /// Nothing here can overflow: prices are below 2^90 and windows below 2^20.
    #[inline]
    pub fn decide(&mut self, close: &[Price], index: usize) -> Target {
        self.fast_sum += close[index].0;
        self.slow_sum += close[index].0;
        if self.seen >= self.fast {
            self.fast_sum -= close[index - self.fast].0;
        }
        if self.seen >= self.slow {
            self.slow_sum -= close[index - self.slow].0;
        }
        self.seen += 1;
        if self.seen < self.slow {
            Target::Flat
        } else if self.fast_sum * self.slow as i128 > self.slow_sum * self.fast as i128 {
            Target::Long
        } else {
            Target::Short
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn it_compares_the_two_means(
            close in prop::collection::vec(1..1_000_i128, 1..80), fast in 1..6_usize, more in 1..6_usize, start in 0..10_usize
        ) {
            let slow = fast + more;
            let close: Vec<Price> = close.into_iter().map(Price).collect();
            let mut decider = SmaCrossDecider::new(fast, slow);
            for index in start..close.len() {
                let seen = index + 1 - start;
                let sum = |count: usize| close[index + 1 - count..=index].iter().map(|price| price.0).sum::<i128>();
                let expected = if seen < slow {
                    Target::Flat
                } else if sum(fast) * slow as i128 > sum(slow) * fast as i128 {
                    Target::Long
                } else {
                    Target::Short
                };
                prop_assert_eq!(decider.decide(&close, index), expected);
            }
        }
    }
}
