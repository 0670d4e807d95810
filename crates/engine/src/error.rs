//! What can go wrong when signals are made or audited.

use assay_types::Hash;
use assay_types::time::format_utc;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The signal file has no lines.
    #[error("the signal file is empty: its first line must be a signed header")]
    Empty,
    /// The first line is not a header.
    #[error("line 1 is not the header of a signal file: {0}")]
    NotAHeader(serde_json::Error),
    /// The first line is a header whose signature does not hold.
    #[error("line 1: the header is not valid: {0}")]
    Header(String),
    /// The header is signed by another key than the one expected.
    #[error("line 1: signed by key {found}, expected {expected}")]
    OtherKey {
        /// The key asked for.
        expected: String,
        /// The key in the header.
        found: String,
    },
    /// The header's time range is no range of the candles.
    #[error("line 1: {0}")]
    Range(String),
    /// The candles are not those that the signals were made on.
    #[error("line 1: the header's data_hash is {expected}, these candles have {found}: the dataset differs")]
    DataHash {
        /// In the header.
        expected: Hash,
        /// Of the candles at hand.
        found: Hash,
    },
    /// The policy reads other columns than the features give.
    #[error("the policy was trained on other feature columns than these: use the run's own feature set")]
    Columns,
    /// A decision was asked for before every feature had a value.
    #[error("candle {}: the features are not complete yet; feed more history first", format_utc(*.open_time_ms))]
    NotWarm {
        /// Open time of the candle.
        open_time_ms: i64,
    },
    /// A stream does not fit the desk.
    #[error("the stream cannot join: {0}")]
    Desk(String),
    /// The features refused a candle.
    #[error(transparent)]
    Features(#[from] assay_features::FeatureError),
    /// The simulation refused the rules or the candles.
    #[error(transparent)]
    Simulation(#[from] assay_sim::SimError),
}
