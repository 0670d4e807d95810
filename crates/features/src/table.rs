//! The feature table: one column of doubles per feature, one row per candle.

use std::ops::Range;

use assay_types::{Candles, InputScaling};

use crate::bars::Bars;
use crate::engine::Engine;
use crate::error::FeatureError;
use crate::spec::FeatureSpec;
use crate::stream::FeatureStream;

/// Feature values column by column; NaN where a column has no value yet.
#[derive(Debug, Clone)]
pub struct FeatureTable {
    names: Vec<String>,
    columns: Vec<Vec<f64>>,
    open_time_ms: Vec<i64>,
    warm_up: usize,
}

impl FeatureTable {
    /// The features of every candle, computed in one batch.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn build(candles: &Candles, spec: &FeatureSpec) -> Result<Self, FeatureError> {
        Ok(Self::build_with_stream(candles, spec)?.0)
    }

    /// The table and the stream that continues after its last candle.
    ///
    /// # Errors
    /// As [`FeatureSpec::check`].
    pub fn build_with_stream(candles: &Candles, spec: &FeatureSpec) -> Result<(Self, FeatureStream), FeatureError> {
        let plan = spec.plan()?;
        let bars = Bars::from(candles);
        let mut engine = Engine::new(plan.features.iter().copied(), candles.timeframe);
        let mut all = vec![vec![0.0; bars.len()]; engine.columns()];
        engine.fill(&bars, &mut all);
        let table = Self {
            names: spec.columns.clone(),
            columns: plan.sources.iter().map(|&source| std::mem::take(&mut all[source])).collect(),
            open_time_ms: bars.open_time_ms,
            warm_up: spec.warm_up()?,
        };
        let stream = FeatureStream::after(spec, candles.timeframe, engine, &candles.open_time_ms)?;
        Ok((table, stream))
    }

    /// A table of columns made elsewhere, such as by a user's own indicators; the
    /// first `warm_up` rows lack some value.
    ///
    /// # Panics
    /// When names and columns differ in number, or a column and the candles in length.
    #[must_use]
    pub fn from_columns(candles: &Candles, names: Vec<String>, columns: Vec<Vec<f64>>, warm_up: usize) -> Self {
        assert_eq!(names.len(), columns.len(), "one name per column");
        assert!(columns.iter().all(|column| column.len() == candles.len()), "one value per candle");
        Self { names, columns, open_time_ms: candles.open_time_ms.clone(), warm_up }
    }

    /// Number of rows, one per candle.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open_time_ms.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open_time_ms.is_empty()
    }

    /// Column names, in order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Every column, in the order of the names.
    #[must_use]
    pub fn columns(&self) -> &[Vec<f64>] {
        &self.columns
    }

    /// The values of one column; `None` when there is no such column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let index = self.names.iter().position(|own| own == name)?;
        Some(&self.columns[index])
    }

    /// Open times of the candles, milliseconds since 1970 UTC.
    #[must_use]
    pub fn open_time_ms(&self) -> &[i64] {
        &self.open_time_ms
    }

    /// Leading rows for which some column has no value.
    #[must_use]
    pub fn warm_up(&self) -> usize {
        self.warm_up
    }

    /// Writes the row of the candle at `index` into `row`.
    ///
    /// # Panics
    /// When there is no such row, or `row` has another length than there are columns.
    pub fn row(&self, index: usize, row: &mut [f64]) {
        assert_eq!(row.len(), self.columns.len(), "one place per column");
        for (place, column) in row.iter_mut().zip(&self.columns) {
            *place = column[index];
        }
    }

    /// The scaled rows of `range`, row after row: what the network reads.
    ///
    /// # Panics
    /// When the range reaches past the end or the scaling has other columns.
    #[must_use]
    pub fn scaled(&self, scaling: &InputScaling, range: Range<usize>) -> Vec<f32> {
        let width = self.columns.len();
        let mut raw = vec![0.0; width];
        let mut out = vec![0.0; width * range.len()];
        for (index, row) in range.zip(out.chunks_exact_mut(width)) {
            self.row(index, &mut raw);
            scaling.apply(&raw, row);
        }
        out
    }
}
