//! Feature tables on request.

use std::path::PathBuf;

use assay_store::write_atomic;
use assay_types::Hash;
use serde::Serialize;
use serde_json::Value;

use crate::error::JobError;
use crate::jobs::prepare::{prepare, range_text};
use crate::table_file::{to_csv, to_parquet};
use crate::workspace::Workspace;

/// Which features.
#[derive(Debug, Clone)]
pub struct BuildFeatures {
    /// A config: its dataset, dates, columns and scaler are used.
    pub config: Value,
    /// CSV or Parquet file to write, by its ending; none when `None`.
    pub out: Option<PathBuf>,
}

/// A feature set that is there now.
#[derive(Debug, Clone, Serialize)]
pub struct BuiltFeatures {
    /// Its name (R1).
    pub feature_hash: Hash,
    /// Hash of the candles.
    pub data_hash: Hash,
    /// Columns, in order.
    pub columns: Vec<String>,
    /// Rows, one per candle.
    pub rows: usize,
    /// Leading rows without complete values.
    pub warm_up: usize,
    /// Train, validation and test as text.
    pub split: [String; 3],
    /// Whether this call computed it; false when it was there.
    pub computed: bool,
    /// The file written.
    pub out: Option<String>,
}

impl BuildFeatures {
    /// Computes the feature set, or finds it, and writes the table if asked for.
    ///
    /// # Errors
    /// When the config does not fit the data or the file cannot be written.
    pub fn run(self, workspace: &Workspace) -> Result<BuiltFeatures, JobError> {
        let prepared = prepare(workspace, &self.config)?;
        let table = &prepared.features.table;
        let mut written = None;
        if let (Some(out), false) = (&self.out, workspace.dry_run) {
            let ending = out.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            let bytes = match ending {
                "csv" => to_csv(table).into_bytes(),
                "parquet" => to_parquet(table).map_err(JobError::Input)?,
                _ => {
                    let text = format!("{}: end the file's name in .csv or .parquet", out.display());
                    return Err(JobError::Input(text));
                }
            };
            write_atomic(out, &bytes)?;
            written = Some(out.display().to_string());
        }
        let split = &prepared.split;
        Ok(BuiltFeatures {
            feature_hash: prepared.features.hash,
            data_hash: prepared.data_hash,
            columns: table.names().to_vec(),
            rows: table.len(),
            warm_up: table.warm_up(),
            split: [split.train(), split.validation(), split.test()].map(|r| range_text(&prepared.candles, &r)),
            computed: prepared.features.computed,
            out: written,
        })
    }
}
