//! Scalers: what brings every column to a similar range, learned from training rows
//! alone.

use assay_types::InputScaling;
use serde::{Deserialize, Serialize};

use crate::error::FeatureError;
use crate::split::TrainingRows;
use crate::table::FeatureTable;

/// How columns are scaled. A column that is constant over the training rows gets the
/// factor 1: it becomes 0 and a later change shows in its own unit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalerKind {
    /// (x − mean) / population standard deviation.
    #[default]
    Standard,
    /// (x − minimum) / (maximum − minimum): 0 to 1 over the training rows.
    MinMax,
    /// (x − median) / (75th − 25th percentile), percentiles interpolated linearly;
    /// factor 1 when the two percentiles are equal.
    Robust,
}

impl ScalerKind {
    /// `name@version`; a change of any value is a new version.
    #[must_use]
    pub fn id(self) -> &'static str {
        match self {
            Self::Standard => "standard@1",
            Self::MinMax => "min_max@1",
            Self::Robust => "robust@1",
        }
    }

    /// Offset and spread of finite values, of which there is at least one.
    fn offset_and_spread(self, values: &[f64]) -> (f64, f64) {
        let count = values.len() as f64;
        let lowest = crate::window::lowest(values);
        let highest = crate::window::highest(values);
        if lowest == highest {
            return (lowest, 0.0);
        }
        match self {
            Self::Standard => {
                let mean = values.iter().sum::<f64>() / count;
                let variance = values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / count;
                (mean, variance.sqrt())
            }
            Self::MinMax => (lowest, highest - lowest),
            Self::Robust => {
                let mut sorted = values.to_vec();
                sorted.sort_by(f64::total_cmp);
                (percentile(&sorted, 0.5), percentile(&sorted, 0.75) - percentile(&sorted, 0.25))
            }
        }
    }
}

/// The value at `share` (0 to 1) of sorted values, interpolated linearly.
fn percentile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len() - 1) as f64;
    let below = place.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (place - below as f64)
}

/// Fits a scaling to the training rows of a table. Only a split can name training
/// rows, so no other row can be read.
///
/// # Errors
/// [`FeatureError::NotFinite`] naming the first value that is no number,
/// [`FeatureError::PastTheEnd`] when the split belongs to a longer table.
pub fn fit(table: &FeatureTable, rows: &TrainingRows, kind: ScalerKind) -> Result<InputScaling, FeatureError> {
    let rows = rows.range();
    if rows.end > table.len() {
        return Err(FeatureError::PastTheEnd { end: rows.end, candles: table.len() });
    }
    let mut scaling = InputScaling::identity(table.names().len());
    for (index, (name, column)) in table.names().iter().zip(table.columns()).enumerate() {
        let values = &column[rows.clone()];
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(FeatureError::NotFinite { column: name.clone(), row: rows.start + at });
        }
        let (offset, spread) = kind.offset_and_spread(values);
        scaling.offset[index] = offset;
        scaling.factor[index] = if spread > 0.0 { 1.0 / spread } else { 1.0 };
    }
    Ok(scaling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_follows_its_definition() {
        // numpy: mean, std; min, max; median and interquartile range of these values.
        let values = [1.0, 2.0, 4.0, 8.0, 10.0];
        assert_eq!(ScalerKind::Standard.offset_and_spread(&values), (5.0, 12.0_f64.sqrt()));
        assert_eq!(ScalerKind::MinMax.offset_and_spread(&values), (1.0, 9.0));
        assert_eq!(ScalerKind::Robust.offset_and_spread(&values), (4.0, 6.0));
        assert_eq!(percentile(&[1.0, 2.0], 0.75), 1.75);
    }

    #[test]
    fn constant_values_have_no_spread() {
        for kind in [ScalerKind::Standard, ScalerKind::MinMax, ScalerKind::Robust] {
            assert_eq!(kind.offset_and_spread(&[0.1; 7]), (0.1, 0.0));
        }
        // Mostly constant: the percentiles meet although the range does not.
        assert_eq!(ScalerKind::Robust.offset_and_spread(&[0.0, 0.0, 0.0, 0.0, 5.0]), (0.0, 0.0));
    }
}
