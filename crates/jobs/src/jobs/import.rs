//! Files into the lake.

use std::path::PathBuf;

use assay_lake::{ALL_TIME, ImportOptions, OnConflict, Rejected, TradeKind, TradeSet, import_candles, import_trades};
use assay_types::{Dataset, Gap, Hash, Market, Timeframe};
use serde::Serialize;

use crate::error::JobError;
use crate::workspace::Workspace;

/// What to import.
#[derive(Debug, Clone)]
pub struct Import {
    /// CSV, Feather or Parquet, optionally gzipped.
    pub file: PathBuf,
    /// Where the rows come from.
    pub market: Market,
    /// What may be tolerated.
    pub options: ImportOptions,
    /// Whether new rows win over stored ones that differ.
    pub replace: bool,
}

/// What an import did.
#[derive(Debug, Clone, Serialize)]
pub struct Imported {
    /// Dataset name.
    pub dataset: String,
    /// `data_hash` of the whole dataset after the import; `None` for trades and dry runs.
    pub data_hash: Option<Hash>,
    /// Rows in the file that were taken.
    pub rows: u64,
    /// Rows that were new to the lake.
    pub added: u64,
    /// Stored rows that were replaced.
    pub replaced: u64,
    /// Holes in the file.
    pub gaps: Vec<Gap>,
    /// Candles missing in them.
    pub missing: u64,
    /// Identical rows merged.
    pub duplicates: u64,
    /// Rows out of the file's own order.
    pub reordered: u64,
    /// Rows left out, with the reason.
    pub rejected: Vec<Rejected>,
    /// Whether nothing was written.
    pub dry_run: bool,
}

impl Import {
    /// Imports candles of `timeframe`.
    ///
    /// # Errors
    /// [`JobError::Lake`] naming file, row and way out; the lake is unchanged then.
    pub fn candles(&self, workspace: &Workspace, timeframe: Timeframe) -> Result<Imported, JobError> {
        workspace.progress.stage("import");
        let (candles, report) = import_candles(&self.file, &self.market, timeframe, self.options)?;
        let dataset = Dataset { market: self.market.clone(), timeframe };
        let (mut added, mut replaced, mut data_hash) = (0, 0, None);
        if !workspace.dry_run {
            let stored = workspace.lake.store_candles(&candles, self.conflict())?;
            (added, replaced) = (stored.added, stored.replaced);
            // The hash is over the whole dataset; the file alone is all of it at first.
            let whole = workspace.lake.manifest(&dataset)?.rows() == candles.len() as u64;
            data_hash =
                Some(if whole { candles.data_hash() } else { workspace.lake.load(&dataset, ALL_TIME)?.data_hash() });
        }
        Ok(Imported {
            dataset: dataset.to_string(),
            data_hash,
            rows: report.rows,
            added,
            replaced,
            missing: report.gaps.iter().map(|gap| gap.missing).sum(),
            gaps: report.gaps,
            duplicates: report.duplicates,
            reordered: report.reordered,
            rejected: report.rejected,
            dry_run: workspace.dry_run,
        })
    }

    /// Imports trades of `kind`.
    ///
    /// # Errors
    /// As [`Import::candles`].
    pub fn trades(&self, workspace: &Workspace, kind: TradeKind) -> Result<Imported, JobError> {
        workspace.progress.stage("import");
        let (trades, report) = import_trades(&self.file, &self.market, self.options)?;
        let set = TradeSet { market: self.market.clone(), kind };
        let (mut added, mut replaced) = (0, 0);
        if !workspace.dry_run {
            let stored = workspace.lake.store_trades(&set, &trades, self.conflict())?;
            (added, replaced) = (stored.added, stored.replaced);
        }
        Ok(Imported {
            dataset: set.to_string(),
            data_hash: None,
            rows: report.rows,
            added,
            replaced,
            gaps: Vec::new(),
            missing: 0,
            duplicates: report.duplicates,
            reordered: report.reordered,
            rejected: report.rejected,
            dry_run: workspace.dry_run,
        })
    }

    const fn conflict(&self) -> OnConflict {
        if self.replace { OnConflict::Replace } else { OnConflict::Refuse }
    }
}
