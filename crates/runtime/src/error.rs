//! What can go wrong, with its exit code.

use std::path::Path;

use assay_engine::EngineError;
use assay_features::FeatureError;

/// Why the runtime ends.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The command line is wrong.
    #[error("{0}")]
    Usage(String),
    /// A line of standard input is no candle.
    #[error("line {line}: {detail}; a candle is open_time_ms,open,high,low,close,volume")]
    Candle {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        detail: String,
    },
    /// A file of the pack is not what the pack says.
    #[error("{path} is damaged: {detail}; pack the model again")]
    Damaged {
        /// The file.
        path: String,
        /// What does not fit.
        detail: String,
    },
    /// A file operation failed.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: String,
        /// Why the system refused.
        source: std::io::Error,
    },
    /// The candles do not fit the strategy.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The candles do not fit the indicators.
    #[error(transparent)]
    Features(#[from] FeatureError),
}

impl RuntimeError {
    /// An [`RuntimeError::Io`].
    pub fn io(action: &'static str, path: &str, source: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), source }
    }

    /// A damaged file.
    pub fn damaged(path: &Path, detail: impl ToString) -> Self {
        Self::Damaged { path: path.display().to_string(), detail: detail.to_string() }
    }

    /// The exit code that fits.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Io { .. } => 1,
            Self::Usage(_) | Self::Candle { .. } | Self::Engine(_) | Self::Features(_) => 2,
            Self::Damaged { .. } => 3,
        }
    }
}
