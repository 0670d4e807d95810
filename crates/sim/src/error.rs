//! Everything that can go wrong in a simulation.

use std::ops::Range;

use assay_types::time::format_utc;

/// Why a simulation cannot start or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// A rule outside what the ledger accepts.
    #[error("{field} is {value}: {allowed}")]
    Rule {
        /// The rule's name.
        field: &'static str,
        /// Its value, as text.
        value: String,
        /// What would be accepted.
        allowed: &'static str,
    },
    /// A range that reaches past the candles or holds too few of them.
    #[error(
        "candles {}..{} of {candles}: a simulation needs a range inside the candles with at least {least}", range.start, range.end
    )]
    Range {
        /// The range asked for.
        range: Range<usize>,
        /// How many candles there are.
        candles: usize,
        /// How many candles the range needs at least.
        least: usize,
    },
    /// A price that is zero or negative: these candles were never checked.
    #[error("the price at {time} is not above zero: import the candles through the checks", time = format_utc(*.time_ms))]
    Price {
        /// When the price was printed, milliseconds since 1970 UTC.
        time_ms: i64,
    },
    /// An amount of money above what 128 bits hold (about 1.7e30) or a quantity above
    /// 2^120 units of 1e-12 (about 1.3e24).
    #[error("an amount at {time} is beyond the ledger's 128 bits: lower the initial cash or shorten the range", time = format_utc(*.time_ms))]
    Overflow {
        /// When it happened, milliseconds since 1970 UTC.
        time_ms: i64,
    },
    /// A step after the end of the episode.
    #[error("the episode has ended at candle {index}: reset it before the next step")]
    Ended {
        /// The candle at which it ended.
        index: usize,
    },
    /// A saved state that does not belong to these candles or this reward.
    #[error("the saved state does not fit: {0}; restore it with the candles and reward it was saved with")]
    State(&'static str),
    /// Folds that the candles do not have room for.
    #[error(
        "{candles} candles do not make {count} folds with {purge} candles purged: use fewer folds (at least 1) or more candles"
    )]
    Folds {
        /// How many folds were asked for.
        count: usize,
        /// How many candles there are.
        candles: usize,
        /// How many candles are left out before each test.
        purge: usize,
    },
    /// A bootstrap that cannot be drawn.
    #[error("{resamples} resamples in blocks of {block}: use 1 to 100000 resamples and blocks of at least 1")]
    Bootstrap {
        /// How many resamples were asked for.
        resamples: usize,
        /// How many returns a block holds.
        block: usize,
    },
}
