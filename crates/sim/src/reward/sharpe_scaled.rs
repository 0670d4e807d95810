//! `r / max(s, 1e-4)`: the step's return over the standard deviation (ddof 1) of the
//! last 64 returns, this one included. The deviation is held at or above 1e-4, which
//! also stands in for it before the second return, where it does not exist.

use serde::{Deserialize, Serialize};

use super::{Outcome, return_minus_cost};

/// How many returns the deviation looks at.
const WINDOW: usize = 64;
/// The smallest deviation that is told apart.
const LEAST_DEVIATION: f64 = 1e-4;

/// The last returns, in a ring. Kept as bits, so that text keeps them exactly.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReturnWindow {
    return_bits: Vec<u64>,
    oldest: usize,
}

impl ReturnWindow {
    /// Whether this can be a window that was saved.
    pub fn is_valid(&self) -> bool {
        let len = self.return_bits.len();
        let position = if len < WINDOW { self.oldest == 0 } else { len == WINDOW && self.oldest < WINDOW };
        position && self.return_bits.iter().all(|&bits| f64::from_bits(bits).is_finite())
    }

    fn push(&mut self, value: f64) {
        if self.return_bits.len() < WINDOW {
            self.return_bits.push(value.to_bits());
        } else {
            self.return_bits[self.oldest] = value.to_bits();
            self.oldest = (self.oldest + 1) % WINDOW;
        }
    }

    /// Standard deviation, summed afresh in storage order so that no error builds up.
    fn deviation(&self) -> f64 {
        let count = self.return_bits.len();
        if count < 2 {
            return 0.0;
        }
        let values = || self.return_bits.iter().map(|&bits| f64::from_bits(bits));
        let mean = values().sum::<f64>() / count as f64;
        let squares: f64 = values().map(|value| (value - mean) * (value - mean)).sum();
        (squares / (count - 1) as f64).sqrt()
    }
}

pub(super) fn reward(outcome: &Outcome<'_>, window: &mut ReturnWindow) -> f64 {
    let value = return_minus_cost::reward(outcome);
    window.push(value);
    value / window.deviation().max(LEAST_DEVIATION)
}

#[cfg(test)]
mod tests {
    use super::super::tests::change;
    use super::*;

    #[test]
    fn the_return_is_measured_in_deviations() {
        let mut window = ReturnWindow::default();
        assert_eq!(reward(&change(1_000, 1_010), &mut window), 0.01 / LEAST_DEVIATION);
        // The deviation of 0.01 and −0.01 is 0.01 · √2.
        let second = reward(&change(1_000, 990), &mut window);
        assert!((second + std::f64::consts::FRAC_1_SQRT_2).abs() < 1e-15);
    }

    #[test]
    fn only_the_last_64_returns_count() {
        let mut window = ReturnWindow::default();
        reward(&change(1_000, 9_000), &mut window);
        for _ in 0..WINDOW {
            reward(&change(1_000, 1_000), &mut window);
        }
        assert_eq!(window.deviation(), 0.0);
        assert_eq!(reward(&change(1_000, 1_000), &mut window), 0.0, "no variance, no return");
        assert!(window.is_valid());
        assert!(!ReturnWindow { oldest: 64, ..window }.is_valid());
    }
}
