//! Requests about candles and trades.

use assay_lake::{ImportOptions, TradeKind};
use assay_types::{Dataset, Market, Timeframe};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{JobDone, file_name, plain, user_file};
use crate::error::JobError;
use crate::jobs::check::Check;
use crate::jobs::fetch::Fetch;
use crate::jobs::import::Import;
use crate::workspace::{Workspace, user_time};

/// Candles or trades into the lake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IngestJob {
    /// Where they come from.
    pub source: IngestSource,
}

/// Where candles or trades come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum IngestSource {
    /// A file under `HOME/files`.
    Import(ImportJob),
    /// An exchange.
    Fetch(FetchJob),
}

/// A file of candles, or of trades.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportJob {
    /// CSV, Feather or Parquet, optionally gzipped; relative to `HOME/files`.
    pub file: String,
    /// Exchange name, such as `binance`.
    pub exchange: String,
    /// Symbol as BASE-QUOTE.
    pub symbol: String,
    /// Length of the candles, such as `1h`; null when the file holds trades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeframe: Option<String>,
    /// `single` or `aggregate` when the file holds trades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trades: Option<String>,
    /// Leave out rows that no market can print, and list them.
    #[serde(default)]
    pub skip_bad: bool,
    /// Leave out columns whose meaning is not known.
    #[serde(default)]
    pub ignore_columns: bool,
    /// Where a row differs from the stored one, take the new one.
    #[serde(default)]
    pub replace: bool,
}

/// Candles, or trades, of an exchange.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FetchJob {
    /// `binance`, `coinbase`, `coinbase-advanced`, `bybit` or `kucoin`.
    pub exchange: String,
    /// Symbol as BASE-QUOTE.
    pub symbol: String,
    /// Length of the candles, such as `1h`; null fetches aggregate trades.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeframe: Option<String>,
    /// First open time, UTC.
    pub from: String,
    /// Just after the last open time, UTC.
    pub to: String,
}

/// Integrity of the lake.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckJob {
    /// One dataset, `exchange/SYMBOL/timeframe`; null for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// Fetch damaged and missing ranges again from the exchange.
    #[serde(default)]
    pub repair: bool,
}

fn input(field: &str) -> impl Fn(&dyn std::fmt::Display) -> JobError + '_ {
    move |error| JobError::Input(format!("{field}: {error}"))
}

fn timeframe(text: &str) -> Result<Timeframe, JobError> {
    text.parse().map_err(|error| input("timeframe")(&error))
}

pub(super) fn dataset(text: &str) -> Result<Dataset, JobError> {
    text.parse().map_err(|error| input("dataset")(&error))
}

impl IngestJob {
    pub(super) fn check(&self) -> Result<(), JobError> {
        match &self.source {
            IngestSource::Import(import) => import.parts().map(|_| ()),
            IngestSource::Fetch(fetch) => fetch.request(None).map(|_| ()),
        }
    }

    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        match &self.source {
            IngestSource::Import(import) => import.run(workspace),
            IngestSource::Fetch(fetch) => {
                let done = fetch.request(workspace.exchange_url.clone())?.run(workspace)?;
                JobDone::of(plain(&done)).with_datasets(workspace, &[&done.dataset])
            }
        }
    }
}

/// What a file holds.
enum Rows {
    Candles(Timeframe),
    Trades(TradeKind),
}

impl ImportJob {
    fn parts(&self) -> Result<(Market, Rows), JobError> {
        file_name("file", &self.file)?;
        let market = Market::new(&self.exchange, &self.symbol).map_err(|error| JobError::Input(error.to_string()))?;
        let rows = match (&self.timeframe, self.trades.as_deref()) {
            (Some(text), None) => Rows::Candles(timeframe(text)?),
            (None, Some("single")) => Rows::Trades(TradeKind::Single),
            (None, Some("aggregate")) => Rows::Trades(TradeKind::Aggregate),
            (None, Some(other)) => return Err(input("trades")(&format!("`{other}` is neither single nor aggregate"))),
            _ => return Err(JobError::Input("timeframe, trades: give one of the two".to_owned())),
        };
        Ok((market, rows))
    }

    fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let (market, rows) = self.parts()?;
        let options = ImportOptions { skip_rejected: self.skip_bad, ignore_unknown_columns: self.ignore_columns };
        let file = user_file(workspace, "file", &self.file)?;
        let import = Import { file, market, options, replace: self.replace };
        let done = match rows {
            Rows::Candles(timeframe) => import.candles(workspace, timeframe)?,
            Rows::Trades(kind) => import.trades(workspace, kind)?,
        };
        JobDone::of(plain(&done)).with_datasets(workspace, &[&done.dataset])
    }
}

impl FetchJob {
    fn request(&self, base_url: Option<String>) -> Result<Fetch, JobError> {
        Ok(Fetch {
            venue: self.exchange.clone(),
            symbol: self.symbol.clone(),
            timeframe: self.timeframe.as_deref().map(timeframe).transpose()?,
            from_ms: user_time("from", &self.from)?,
            to_ms: user_time("to", &self.to)?,
            base_url,
        })
    }
}

impl CheckJob {
    pub(super) fn run(&self, workspace: &Workspace) -> Result<JobDone, JobError> {
        let one = self.dataset.as_deref().map(dataset).transpose()?;
        let base_url = workspace.exchange_url.clone();
        let checked = Check { dataset: one, repair: self.repair, base_url }.run(workspace)?;
        let names: Vec<&str> = checked.datasets.iter().map(|dataset| dataset.dataset.as_str()).collect();
        let done = JobDone::of(plain(&checked));
        if self.repair { done.with_datasets(workspace, &names) } else { Ok(done) }
    }
}
