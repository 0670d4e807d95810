//! Walk-forward folds: train on the past, test on what follows, move on.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::error::SimError;

/// What a fold may train on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoldWindow {
    /// Everything before the test part.
    #[default]
    Expanding,
    /// Only the part just before it.
    Sliding,
}

/// One fold: candles to train on, and later ones to test on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fold {
    /// Candles to train on; the `purge` ones before the test are left out.
    pub train: Range<usize>,
    /// Candles to test on, after all of `train`.
    pub test: Range<usize>,
}

/// Splits `range` into `count + 1` equal parts (the last takes the remainder); fold
/// k trains on parts up to k and tests on part k + 1. The test parts touch and never
/// overlap. `purge` candles before each test are not trained on, so that no feature
/// window or open position reaches across.
///
/// # Errors
/// [`SimError::Folds`] for no fold, or when a train or test part would hold fewer
/// than two candles.
pub fn folds(range: Range<usize>, count: usize, purge: usize, window: FoldWindow) -> Result<Vec<Fold>, SimError> {
    let error = SimError::Folds { count, candles: range.len(), purge };
    let parts = count.checked_add(1).filter(|&parts| parts >= 2).ok_or(error.clone())?;
    let part = range.len() / parts;
    if part < 2 || part < purge.saturating_add(2) {
        return Err(error);
    }
    let at = |index: usize| if index == parts { range.end } else { range.start + index * part };
    let fold = |index: usize| {
        let start = match window {
            FoldWindow::Expanding => range.start,
            FoldWindow::Sliding => at(index),
        };
        Fold { train: start..at(index + 1) - purge, test: at(index + 1)..at(index + 2) }
    };
    Ok((0..count).map(fold).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn nothing_is_tested_before_it_is_past(
            start in 0..50_usize, length in 0..500_usize, count in 0..12_usize, purge in 0..40_usize, sliding: bool
        ) {
            let window = if sliding { FoldWindow::Sliding } else { FoldWindow::Expanding };
            let Ok(folds) = folds(start..start + length, count, purge, window) else { return Ok(()) };
            prop_assert_eq!(folds.len(), count);
            for fold in &folds {
                prop_assert!(fold.train.len() >= 2 && fold.test.len() >= 2);
                prop_assert_eq!(fold.train.end + purge, fold.test.start);
            }
            for pair in folds.windows(2) {
                prop_assert_eq!(pair[0].test.end, pair[1].test.start);
            }
            prop_assert_eq!(folds[0].train.start, start);
            prop_assert_eq!(folds[count - 1].test.end, start + length);
        }
    }

    #[test]
    fn parts_that_are_too_small_are_refused() {
        assert!(folds(0..100, 0, 0, FoldWindow::Expanding).is_err());
        assert!(folds(0..100, 99, 0, FoldWindow::Expanding).is_err());
        assert!(folds(0..100, 4, 19, FoldWindow::Expanding).is_err());
        let sliding = folds(0..103, 4, 5, FoldWindow::Sliding).unwrap();
        assert_eq!(sliding[3], Fold { train: 60..75, test: 80..103 });
        assert!(folds(0..10, usize::MAX, 0, FoldWindow::Expanding).is_err());
    }
}
