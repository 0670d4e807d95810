//! What is trained on: candles, scaled features, and the ranges that may be read.

use std::ops::Range;

use assay_sim::{Reward, Rules};
use assay_types::{Candles, Hash, Hasher, canonical_json};

use crate::error::TrainError;

/// Candles with their scaled features, and which of them training and validation
/// may read. The test split is not in here at all.
#[derive(Debug, Clone)]
pub struct TrainingSet<'a> {
    /// The candles.
    pub candles: &'a Candles,
    /// Scaled features, row-major: row `i` belongs to candle `i`.
    pub features: &'a [f32],
    /// Features of one row.
    pub columns: usize,
    /// Candles that episodes run over.
    pub train: Range<usize>,
    /// Candles that early stopping, search and the choice of a checkpoint read (R3).
    pub validation: Range<usize>,
    /// Costs and fills.
    pub rules: Rules,
    /// What the learner is paid.
    pub reward: Reward,
}

impl TrainingSet<'_> {
    /// Inputs of the network: the features and the account's two.
    #[must_use]
    pub const fn inputs(&self) -> usize {
        self.columns + 2
    }

    /// The features of candle `index`.
    ///
    /// # Panics
    /// When there is no such candle.
    #[inline]
    #[must_use]
    pub fn row(&self, index: usize) -> &[f32] {
        &self.features[index * self.columns..][..self.columns]
    }

    /// SHA-256 over what training reads: ranges, rules, reward, and the times, closes and
    /// features of the training range. A checkpoint is resumed on nothing else.
    #[must_use]
    pub fn fingerprint(&self) -> Hash {
        let mut hasher = Hasher::with_prefix("assay/training-set/1\n");
        let rules = serde_json::json!({
            "rules": self.rules, "reward": self.reward, "columns": self.columns,
            "train": [self.train.start, self.train.end], "validation": [self.validation.start, self.validation.end],
        });
        hasher.update(&canonical_json(&rules));
        let mut row = Vec::with_capacity(24 + 4 * self.columns);
        for index in self.train.clone() {
            row.clear();
            row.extend_from_slice(&self.candles.open_time_ms[index].to_le_bytes());
            row.extend_from_slice(&self.candles.close[index].0.to_le_bytes());
            self.row(index).iter().for_each(|value| row.extend_from_slice(&value.to_le_bytes()));
            hasher.update(&row);
        }
        hasher.finish()
    }

    /// Checks that sizes and ranges fit and that every number that will be read is finite.
    ///
    /// # Errors
    /// [`TrainError::Set`] naming what does not fit.
    pub fn check(&self) -> Result<(), TrainError> {
        let error = |text: String| Err(TrainError::Set(text));
        let (candles, numbers) = (self.candles.len(), self.features.len());
        if numbers != candles * self.columns {
            return error(format!("{numbers} features for {candles} candles of {} columns", self.columns));
        }
        for (name, range) in [("train", &self.train), ("validation", &self.validation)] {
            if range.end > candles || range.len() < 2 && !(name == "validation" && range.is_empty()) {
                return error(format!("the {name} range {range:?} needs at least 2 of the {candles} candles"));
            }
            for index in range.clone() {
                if let Some(column) = self.row(index).iter().position(|value| !value.is_finite()) {
                    return error(format!("feature {column} of candle {index} in the {name} range is not finite"));
                }
            }
        }
        if self.train.start < self.validation.end && self.validation.start < self.train.end {
            return error(format!("train {:?} and validation {:?} overlap", self.train, self.validation));
        }
        Ok(())
    }
}
