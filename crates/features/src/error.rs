//! What can be wrong with a request for features.

use assay_types::time::format_utc;

/// Why features, a split or a stored stream state are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FeatureError {
    /// A specification without columns.
    #[error("the feature set has no columns: name at least one, or leave `columns` out for the default set")]
    NoColumns,
    /// A column that no indicator makes.
    #[error("`{0}` is not a feature column: the columns are {known}", known = crate::features::column_names().join(", "))]
    UnknownColumn(String),
    /// A column named twice.
    #[error("the column `{0}` is named twice: remove one")]
    DuplicateColumn(String),
    /// A candle that is not after the one before it.
    #[error("the candle of {next} does not come after the one of {last}: feed candles in ascending time, each once",
        next = format_utc(*.next_ms), last = format_utc(*.last_ms))]
    OutOfOrder {
        /// Open time of the last candle accepted.
        last_ms: i64,
        /// Open time of the refused candle.
        next_ms: i64,
    },
    /// A stored stream state that does not belong to its specification.
    #[error("the stored stream state is damaged or of another version ({0}): build it again from the candles")]
    State(&'static str),
    /// A part of a split without candles.
    #[error("the {part} part of the split is empty ({candles} candles, {needed} needed): {fix}")]
    EmptyPart {
        /// `train`, `validation` or `test`.
        part: &'static str,
        /// Candles found.
        candles: usize,
        /// Candles needed.
        needed: usize,
        /// What to change.
        fix: &'static str,
    },
    /// Parts of a split that overlap or are out of order.
    #[error(
        "the split overlaps: {first} ends at {first_end} but {second} starts at {second_start}: move the dates apart"
    )]
    Overlap {
        /// The part that comes first.
        first: &'static str,
        /// Where it ends.
        first_end: String,
        /// The part that comes second.
        second: &'static str,
        /// Where it starts.
        second_start: String,
    },
    /// A split that reaches past the candles.
    #[error("the split ends at candle {end} but there are {candles}: shorten it or load more data")]
    PastTheEnd {
        /// End of the last part.
        end: usize,
        /// Candles in the dataset.
        candles: usize,
    },
    /// Missing candles in the training range.
    #[error("{count} gap(s) with {missing} missing candles in the training range, the first from {from} to {to}: \
             set `allow_gaps = true` to train over them, or fetch the missing candles",
        from = format_utc(*.from_ms), to = format_utc(*.to_ms))]
    Gaps {
        /// Number of gaps.
        count: usize,
        /// Missing candles in all of them.
        missing: u64,
        /// Open time of the first missing candle.
        from_ms: i64,
        /// Open time of the candle that ends the first gap.
        to_ms: i64,
    },
    /// A training value that is not a number.
    #[error("column `{column}` is not a number at row {row} of the training range: check the candles around it")]
    NotFinite {
        /// The column.
        column: String,
        /// Index of the candle.
        row: usize,
    },
}
