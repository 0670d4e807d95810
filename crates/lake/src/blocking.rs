//! The lake for callers without an async runtime, such as the command line.

use std::ops::Range;
use std::path::Path;

use assay_types::{Candles, Dataset, Market, Trade};
use tokio::runtime::{Builder, Runtime};

use crate::LakeError;
use crate::check::Problem;
use crate::exchange::ExchangeClient;
use crate::fetch::{FetchReport, Progress};
use crate::lake::{Coverage, Lake, TradeCoverage};
use crate::manifest::Manifest;
use crate::partitions::OnConflict;
use crate::place::TradeSet;
use crate::repair::RepairReport;
use crate::storage::StoreReport;

/// A [`Lake`] whose calls block. Not to be used inside an async runtime.
#[derive(Debug)]
pub struct BlockingLake {
    lake: Lake,
    runtime: Runtime,
}

impl BlockingLake {
    /// Wraps `lake` with a runtime of its own.
    ///
    /// # Errors
    /// [`LakeError::Io`] when the system gives no threads.
    pub fn new(lake: Lake) -> Result<Self, LakeError> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok(Self { lake, runtime: runtime.map_err(|source| LakeError::io("async runtime", source))? })
    }

    /// [`Lake::open_local`].
    ///
    /// # Errors
    /// As there.
    pub fn open_local(folder: impl AsRef<Path>) -> Result<Self, LakeError> {
        Self::new(Lake::open_local(folder)?)
    }

    /// The lake inside, for its async calls.
    #[must_use]
    pub fn lake(&self) -> &Lake {
        &self.lake
    }

    /// Runs any async call of this crate to its end.
    pub fn wait<F: Future>(&self, call: F) -> F::Output {
        self.runtime.block_on(call)
    }

    /// [`Lake::store_candles`].
    ///
    /// # Errors
    /// As there.
    pub fn store_candles(&self, candles: &Candles, on_conflict: OnConflict) -> Result<StoreReport, LakeError> {
        self.wait(self.lake.store_candles(candles, on_conflict))
    }

    /// [`Lake::load`].
    ///
    /// # Errors
    /// As there.
    pub fn load(&self, dataset: &Dataset, range: Range<i64>) -> Result<Candles, LakeError> {
        self.wait(self.lake.load(dataset, range))
    }

    /// [`Lake::manifest`].
    ///
    /// # Errors
    /// As there.
    pub fn manifest(&self, dataset: &Dataset) -> Result<Manifest, LakeError> {
        self.wait(self.lake.manifest(dataset))
    }

    /// [`Lake::list`].
    ///
    /// # Errors
    /// As there.
    pub fn list(&self) -> Result<Vec<Coverage>, LakeError> {
        self.wait(self.lake.list())
    }

    /// [`Lake::check`].
    ///
    /// # Errors
    /// As there.
    pub fn check(&self, dataset: &Dataset) -> Result<Vec<Problem>, LakeError> {
        self.wait(self.lake.check(dataset))
    }

    /// [`Lake::repair`].
    ///
    /// # Errors
    /// As there.
    pub fn repair(&self, client: &ExchangeClient, dataset: &Dataset) -> Result<RepairReport, LakeError> {
        self.wait(self.lake.repair(client, dataset))
    }

    /// [`Lake::fetch`].
    ///
    /// # Errors
    /// As there.
    pub fn fetch(
        &self,
        client: &ExchangeClient,
        dataset: &Dataset,
        range: Range<i64>,
        progress: impl FnMut(Progress),
    ) -> Result<FetchReport, LakeError> {
        self.wait(self.lake.fetch(client, dataset, range, progress))
    }

    /// [`Lake::fetch_trades`].
    ///
    /// # Errors
    /// As there.
    pub fn fetch_trades(
        &self,
        client: &ExchangeClient,
        market: &Market,
        range: Range<i64>,
        progress: impl FnMut(Progress),
    ) -> Result<FetchReport, LakeError> {
        self.wait(self.lake.fetch_trades(client, market, range, progress))
    }

    /// [`Lake::store_trades`].
    ///
    /// # Errors
    /// As there.
    pub fn store_trades(
        &self,
        set: &TradeSet,
        trades: &[Trade],
        on_conflict: OnConflict,
    ) -> Result<StoreReport, LakeError> {
        self.wait(self.lake.store_trades(set, trades, on_conflict))
    }

    /// [`Lake::load_trades`].
    ///
    /// # Errors
    /// As there.
    pub fn load_trades(&self, set: &TradeSet, range: Range<i64>) -> Result<Vec<Trade>, LakeError> {
        self.wait(self.lake.load_trades(set, range))
    }

    /// [`Lake::list_trades`].
    ///
    /// # Errors
    /// As there.
    pub fn list_trades(&self) -> Result<Vec<TradeCoverage>, LakeError> {
        self.wait(self.lake.list_trades())
    }
}
