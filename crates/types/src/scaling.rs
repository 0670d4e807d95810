//! How raw feature values become network inputs: one definition for training, for
//! the policy's own inference and for the exported graph.

use serde::{Deserialize, Serialize};

/// Scaled inputs are clamped to ± this many units.
pub const SCALED_LIMIT: f64 = 10.0;

/// A fitted affine scaling, one offset and factor per feature column:
/// `clamp((x − offset) · factor, ±10)` in double precision, then rounded to single.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InputScaling {
    /// Subtracted first; one per column.
    pub offset: Vec<f64>,
    /// Multiplied second; one per column.
    pub factor: Vec<f64>,
}

impl InputScaling {
    /// Scaling that changes nothing but the clamp, for `columns` columns.
    #[must_use]
    pub fn identity(columns: usize) -> Self {
        Self { offset: vec![0.0; columns], factor: vec![1.0; columns] }
    }

    /// Scales one row of raw values into `out`.
    ///
    /// # Panics
    /// When `raw` or `out` has another length than the scaling has columns.
    pub fn apply(&self, raw: &[f64], out: &mut [f32]) {
        assert_eq!(raw.len(), self.offset.len(), "one raw value per column");
        assert_eq!(out.len(), self.offset.len(), "one output per column");
        for (column, value) in out.iter_mut().enumerate() {
            let scaled = (raw[column] - self.offset[column]) * self.factor[column];
            *value = scaled.clamp(-SCALED_LIMIT, SCALED_LIMIT) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shifted_scaled_and_clamped() {
        let scaling = InputScaling { offset: vec![10.0, 0.0], factor: vec![0.5, 100.0] };
        let mut out = [0.0; 2];
        scaling.apply(&[12.0, -1.0], &mut out);
        assert_eq!(out, [1.0, -10.0]);
    }
}
