//! Longer candles from shorter ones, or candles from trades.

use assay_lake::{ALL_TIME, OnConflict, TradeSet, resample_candles, resample_trades};
use assay_types::{Candles, Dataset, Hash, Timeframe};
use serde::Serialize;

use crate::error::JobError;
use crate::workspace::Workspace;

/// What to resample.
#[derive(Debug, Clone)]
pub struct Resample {
    /// A candle or trade dataset.
    pub source: String,
    /// Length of the new candles.
    pub timeframe: Timeframe,
}

/// What resampling made.
#[derive(Debug, Clone, Serialize)]
pub struct Resampled {
    /// The source dataset.
    pub source: String,
    /// Rows read.
    pub source_rows: u64,
    /// The new dataset.
    pub dataset: String,
    /// Candles made.
    pub rows: u64,
    /// Hash of the candles made.
    pub data_hash: Hash,
    /// Whether nothing was written.
    pub dry_run: bool,
}

impl Resample {
    /// Makes the candles and stores them.
    ///
    /// # Errors
    /// When the source does not exist or is no multiple, or stored candles differ.
    pub fn run(self, workspace: &Workspace) -> Result<Resampled, JobError> {
        workspace.progress.stage("resample");
        let (candles, source_rows): (Candles, usize) = if let Ok(set) = self.source.parse::<TradeSet>() {
            let trades = workspace.lake.load_trades(&set, ALL_TIME)?;
            // Only the last trade's time is known to be covered, so its bucket stays out.
            let complete_to_ms = trades.last().map_or(0, |trade| trade.time_ms);
            (resample_trades(&set.market, &trades, self.timeframe, complete_to_ms)?, trades.len())
        } else {
            let dataset: Dataset =
                self.source.parse().map_err(|error: assay_types::MarketError| JobError::Input(error.to_string()))?;
            let candles = workspace.lake.load(&dataset, ALL_TIME)?;
            (resample_candles(&candles, self.timeframe)?, candles.len())
        };
        if !workspace.dry_run && !candles.is_empty() {
            workspace.lake.store_candles(&candles, OnConflict::Refuse)?;
        }
        Ok(Resampled {
            source: self.source,
            source_rows: source_rows as u64,
            dataset: Dataset { market: candles.market.clone(), timeframe: candles.timeframe }.to_string(),
            rows: candles.len() as u64,
            data_hash: candles.data_hash(),
            dry_run: workspace.dry_run,
        })
    }
}
