//! The lake: what callers hold.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use assay_types::{Candle, Candles, Dataset, Gap, Trade};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use serde::Serialize;

use crate::LakeError;
use crate::manifest::Manifest;
use crate::partitions::OnConflict;
use crate::place::{Place, TradeSet};
use crate::storage::{Storage, StoreReport};

/// Every instant: for loading all of a dataset.
pub const ALL_TIME: Range<i64> = i64::MIN..i64::MAX;

/// What the lake holds of a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Coverage {
    /// The dataset.
    pub dataset: Dataset,
    /// Candles stored.
    pub rows: u64,
    /// Open time of the first candle, milliseconds since 1970 UTC.
    pub first_ms: i64,
    /// Open time of the last candle, milliseconds since 1970 UTC.
    pub last_ms: i64,
    /// Every hole between first and last.
    pub gaps: Vec<Gap>,
    /// Candles missing in all gaps.
    pub missing: u64,
}

/// What the lake holds of a trade dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TradeCoverage {
    /// The dataset.
    pub dataset: TradeSet,
    /// Trades stored.
    pub rows: u64,
    /// Time of the first trade, milliseconds since 1970 UTC.
    pub first_ms: i64,
    /// Time of the last trade, milliseconds since 1970 UTC.
    pub last_ms: i64,
}

/// Market data on an object store. Cloning shares the store.
#[derive(Debug, Clone)]
pub struct Lake {
    pub(crate) storage: Storage,
}

impl Lake {
    /// Opens the lake in a local folder, which is created when missing.
    ///
    /// # Errors
    /// [`LakeError::Io`] when the folder cannot be made or opened.
    pub fn open_local(folder: impl AsRef<Path>) -> Result<Self, LakeError> {
        let folder = folder.as_ref();
        let error = |source| LakeError::io(folder.display(), source);
        std::fs::create_dir_all(folder).map_err(error)?;
        let root = std::fs::canonicalize(folder).map_err(error)?;
        // A manifest must never outlive a power cut that its partitions did not.
        let objects = LocalFileSystem::new_with_prefix(&root)
            .map_err(|source| LakeError::Store { object: root.display().to_string(), source })?
            .with_fsync(true);
        let location = root.display().to_string();
        Ok(Self { storage: Storage { objects: Arc::new(objects), location, root: Some(root) } })
    }

    /// An empty lake in memory in place of the `folder` that does not exist: for looking
    /// without making anything.
    #[must_use]
    pub fn empty(folder: &Path) -> Self {
        let location = folder.display().to_string();
        Self { storage: Storage { objects: Arc::new(InMemory::new()), location, root: None } }
    }

    /// Adds candles to their dataset. Rows that are stored already with the same
    /// values are left alone; nothing is stored unless all of it can be.
    ///
    /// # Errors
    /// [`LakeError`] when a candle is impossible, contradicts a stored one, another
    /// process writes the dataset, or the store fails.
    pub async fn store_candles(&self, candles: &Candles, on_conflict: OnConflict) -> Result<StoreReport, LakeError> {
        let dataset = Dataset { market: candles.market.clone(), timeframe: candles.timeframe };
        let mut rows: Vec<Candle> = Vec::with_capacity(candles.len());
        for (index, candle) in candles.iter().enumerate() {
            let in_order = rows.last().is_none_or(|last| last.open_time_ms < candle.open_time_ms);
            let reason = match candle.check(candles.timeframe) {
                Err(error) => Some(error.to_string()),
                Ok(()) if !in_order => Some("the open time does not ascend".to_owned()),
                Ok(()) => crate::partitions::check_time(candle.open_time_ms).err(),
            };
            if let Some(detail) = reason {
                let place = format!("row {}", index + 1);
                return Err(LakeError::Malformed { url: dataset.to_string(), place, detail });
            }
            rows.push(candle);
        }
        self.storage.store(&Place::of_candles(&dataset), &rows, on_conflict).await
    }

    /// The candles that open in `range` (milliseconds since 1970 UTC, end excluded;
    /// [`ALL_TIME`] for all), after checking each partition's SHA-256.
    ///
    /// # Errors
    /// [`LakeError::NoDataset`], [`LakeError::HashMismatch`],
    /// [`LakeError::MissingPartition`], [`LakeError::CorruptPartition`], or a failing
    /// store.
    pub async fn load(&self, dataset: &Dataset, range: Range<i64>) -> Result<Candles, LakeError> {
        self.manifest(dataset).await?;
        let rows = self.storage.load::<Candle>(&Place::of_candles(dataset), &range).await?;
        let mut candles = Candles::new(dataset.market.clone(), dataset.timeframe);
        rows.into_iter().for_each(|row| candles.push(row));
        Ok(candles)
    }

    /// The manifest of a candle dataset.
    ///
    /// # Errors
    /// [`LakeError::NoDataset`] when there is none, [`LakeError::Manifest`] when it is
    /// damaged.
    pub async fn manifest(&self, dataset: &Dataset) -> Result<Manifest, LakeError> {
        match self.storage.manifest(&Place::of_candles(dataset)).await? {
            Some(manifest) => Ok(manifest),
            None => Err(LakeError::no_dataset(dataset, &self.datasets().await?)),
        }
    }

    /// Names of all candle datasets, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn datasets(&self) -> Result<Vec<Dataset>, LakeError> {
        let folders = self.storage.folders("candles").await?;
        Ok(folders.iter().filter_map(|folder| folder.as_ref().strip_prefix("candles/")?.parse().ok()).collect())
    }

    /// Coverage and gaps of every candle dataset, from the manifests alone.
    ///
    /// # Errors
    /// When a manifest is damaged or the store fails.
    pub async fn list(&self) -> Result<Vec<Coverage>, LakeError> {
        let mut list = Vec::new();
        for dataset in self.datasets().await? {
            let manifest = self.manifest(&dataset).await?;
            let gaps = manifest.gaps(dataset.timeframe);
            list.push(Coverage {
                rows: manifest.rows(),
                first_ms: manifest.partitions.values().next().map_or(0, |partition| partition.first_ms),
                last_ms: manifest.partitions.values().next_back().map_or(0, |partition| partition.last_ms),
                missing: gaps.iter().map(|gap| gap.missing).sum(),
                gaps,
                dataset,
            });
        }
        Ok(list)
    }

    /// Adds trades to their dataset; as [`Lake::store_candles`].
    ///
    /// # Errors
    /// As [`Lake::store_candles`].
    pub async fn store_trades(
        &self,
        set: &TradeSet,
        trades: &[Trade],
        on_conflict: OnConflict,
    ) -> Result<StoreReport, LakeError> {
        let mut last: Option<&Trade> = None;
        for (index, trade) in trades.iter().enumerate() {
            let in_order = last.is_none_or(|last| last.id < trade.id && last.time_ms <= trade.time_ms);
            let checked = crate::import::check_trade(*trade).map(|_| ());
            let detail = match checked.and_then(|()| crate::partitions::check_time(trade.time_ms)) {
                Err(reason) => Some(reason),
                Ok(()) if !in_order => Some("id and time do not ascend".to_owned()),
                Ok(()) => None,
            };
            if let Some(detail) = detail {
                let place = format!("row {}", index + 1);
                return Err(LakeError::Malformed { url: set.to_string(), place, detail });
            }
            last = Some(trade);
        }
        self.storage.store(&Place::of_trades(set), trades, on_conflict).await
    }

    /// The trades of `range` in ascending id; as [`Lake::load`].
    ///
    /// # Errors
    /// As [`Lake::load`].
    pub async fn load_trades(&self, set: &TradeSet, range: Range<i64>) -> Result<Vec<Trade>, LakeError> {
        let place = Place::of_trades(set);
        if self.storage.manifest(&place).await?.is_none() {
            let known: Vec<String> = self.trade_sets().await?.iter().map(ToString::to_string).collect();
            return Err(LakeError::NoDataset { dataset: set.to_string(), known: crate::error::known_text(&known) });
        }
        self.storage.load(&place, &range).await
    }

    /// Names of all trade datasets, in order.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn trade_sets(&self) -> Result<Vec<TradeSet>, LakeError> {
        let folders = self.storage.folders("trades").await?;
        Ok(folders.iter().filter_map(|folder| folder.as_ref().strip_prefix("trades/")?.parse().ok()).collect())
    }

    /// Coverage of every trade dataset, from the manifests alone.
    ///
    /// # Errors
    /// When a manifest is damaged or the store fails.
    pub async fn list_trades(&self) -> Result<Vec<TradeCoverage>, LakeError> {
        let mut list = Vec::new();
        for dataset in self.trade_sets().await? {
            if let Some(manifest) = self.storage.manifest(&Place::of_trades(&dataset)).await? {
                list.push(TradeCoverage {
                    rows: manifest.rows(),
                    first_ms: manifest.partitions.values().next().map_or(0, |partition| partition.first_ms),
                    last_ms: manifest.partitions.values().next_back().map_or(0, |partition| partition.last_ms),
                    dataset,
                });
            }
        }
        Ok(list)
    }
}
