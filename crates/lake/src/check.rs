//! The integrity check: every partition read, hashed and looked through.

use assay_types::{Candle, Dataset, Trade, time::format_utc};
use serde::Serialize;

use crate::LakeError;
use crate::lake::Lake;
use crate::partitions::Record;
use crate::place::{Place, TradeSet};
use crate::storage::Storage;

/// What can be wrong with a dataset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// Candles are missing between two that exist: an outage of the exchange, or data
    /// never fetched.
    Gap,
    /// A partition file is gone.
    MissingPartition,
    /// The bytes of a partition are not those that were stored.
    HashMismatch,
    /// A partition's content breaks a rule: doubled, out of order, impossible or
    /// misplaced rows.
    CorruptPartition,
    /// A file that the manifest does not name, left by an interrupted write; harmless.
    UnnamedFile,
}

/// One finding of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is.
    pub kind: ProblemKind,
    /// The object concerned; the dataset for a gap.
    pub object: String,
    /// First instant concerned, milliseconds since 1970 UTC.
    pub from_ms: i64,
    /// The instant the concern ends before.
    pub to_ms: i64,
    /// The finding in words.
    pub detail: String,
}

impl Lake {
    /// Reads and checks every partition of a candle dataset. An empty list says that
    /// the dataset is whole and gapless.
    ///
    /// # Errors
    /// When the dataset does not exist, its manifest is damaged or the store fails.
    pub async fn check(&self, dataset: &Dataset) -> Result<Vec<Problem>, LakeError> {
        let manifest = self.manifest(dataset).await?;
        let place = Place::of_candles(dataset);
        let timeframe = dataset.timeframe;
        let valid = |row: &Candle| row.check(timeframe).map_err(|error| error.to_string());
        let mut problems = check_partitions(&self.storage, &place, valid).await?;
        problems.extend(manifest.gaps(timeframe).into_iter().map(|gap| Problem {
            kind: ProblemKind::Gap,
            object: dataset.to_string(),
            from_ms: gap.from_ms,
            to_ms: gap.to_ms,
            detail: format!(
                "{} candles are missing from {} to {}",
                gap.missing,
                format_utc(gap.from_ms),
                format_utc(gap.to_ms)
            ),
        }));
        problems.sort_by_key(|problem| problem.from_ms);
        Ok(problems)
    }

    /// Reads and checks every partition of a trade dataset.
    ///
    /// # Errors
    /// As [`Lake::check`].
    pub async fn check_trades(&self, set: &TradeSet) -> Result<Vec<Problem>, LakeError> {
        check_partitions(&self.storage, &Place::of_trades(set), |row: &Trade| {
            crate::import::check_trade(*row).map(|_| ())
        })
        .await
    }
}

async fn check_partitions<R: Record>(
    storage: &Storage,
    place: &Place,
    valid: impl Fn(&R) -> Result<(), String>,
) -> Result<Vec<Problem>, LakeError> {
    let manifest = storage.current(place).await?.manifest;
    let mut problems = Vec::new();
    let mut last_key = None;
    for (name, partition) in &manifest.partitions {
        let object = storage.name(&place.object(&partition.file));
        let mut problem = |kind, detail| {
            let to_ms = partition.last_ms + place.step_ms.unwrap_or(1);
            problems.push(Problem { kind, object: object.clone(), from_ms: partition.first_ms, to_ms, detail });
        };
        let rows = match storage.read::<R>(place, name, partition).await {
            Ok(rows) => rows,
            Err(error) => {
                let kind = match &error {
                    LakeError::MissingPartition { .. } => ProblemKind::MissingPartition,
                    LakeError::HashMismatch { .. } => ProblemKind::HashMismatch,
                    LakeError::CorruptPartition { .. } | LakeError::Format { .. } => ProblemKind::CorruptPartition,
                    _ => return Err(error),
                };
                problem(kind, error.to_string());
                continue;
            }
        };
        if let Some(reason) = rows.iter().find_map(|row| valid(row).err()) {
            problem(ProblemKind::CorruptPartition, reason);
        }
        if rows.first().map(Record::key) <= last_key && last_key.is_some() {
            problem(ProblemKind::CorruptPartition, "it begins before the partition before it ends".to_owned());
        }
        last_key = rows.last().map(Record::key).or(last_key);
    }
    problems.extend(storage.orphans(place, &manifest).await?.into_iter().map(|meta| Problem {
        kind: ProblemKind::UnnamedFile,
        object: storage.name(&meta.location),
        from_ms: 0,
        to_ms: 0,
        detail: "no manifest names this file; the next write removes it".to_owned(),
    }));
    Ok(problems)
}
