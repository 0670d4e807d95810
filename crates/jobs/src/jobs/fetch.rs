//! From an exchange into the lake.

use std::time::Duration;

use assay_lake::{
    ALL_TIME, Clock, ExchangeClient, FetchReport, LakeError, Progress, REQUEST_TIMEOUT_MS, TradeKind, TradeSet, Venue,
};
use assay_types::time::format_utc;
use assay_types::{Dataset, Hash, Market, Timeframe};
use serde::Serialize;

use crate::error::JobError;
use crate::progress::Advance;
use crate::workspace::Workspace;

/// How often is asked whether to end.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// What to fetch.
#[derive(Debug, Clone)]
pub struct Fetch {
    /// Name of the interface: `binance`, `coinbase`, `coinbase-advanced`, `bybit`, `kucoin`.
    pub venue: String,
    /// Symbol, BASE-QUOTE.
    pub symbol: String,
    /// Length of the candles; `None` fetches aggregate trades.
    pub timeframe: Option<Timeframe>,
    /// First open time, milliseconds.
    pub from_ms: i64,
    /// Just after the last open time, milliseconds.
    pub to_ms: i64,
    /// Another address for the interface.
    pub base_url: Option<String>,
}

/// What a fetch did.
#[derive(Debug, Clone, Serialize)]
pub struct Fetched {
    /// Dataset name.
    pub dataset: String,
    /// Start of the range, ISO-8601 UTC.
    pub from: String,
    /// End of the range, exclusive.
    pub to: String,
    /// Requests that brought a page.
    pub pages: u64,
    /// Rows that were new to the lake.
    pub added: u64,
    /// Partitions that were written.
    pub partitions: Vec<String>,
    /// `data_hash` of the whole dataset now; `None` for trades and dry runs.
    pub data_hash: Option<Hash>,
    /// Whether nothing was fetched.
    pub dry_run: bool,
}

impl Fetch {
    /// Fetches what the lake lacks of the range; a killed fetch goes on where it was.
    ///
    /// # Errors
    /// When the exchange refuses, stays unreachable or sends nonsense; what came before
    /// is stored.
    pub fn run(self, workspace: &Workspace) -> Result<Fetched, JobError> {
        let client = client(&self.venue, self.base_url.as_deref())?;
        let market =
            Market::new(client.venue().exchange(), &self.symbol).map_err(|error| JobError::Input(error.to_string()))?;
        let name = match self.timeframe {
            Some(timeframe) => Dataset { market: market.clone(), timeframe }.to_string(),
            None => TradeSet { market: market.clone(), kind: TradeKind::Aggregate }.to_string(),
        };
        let range = self.from_ms..self.to_ms;
        let mut report = FetchReport::default();
        let mut data_hash = None;
        if !workspace.dry_run {
            workspace.progress.stage("fetch");
            let progress = |progress: Progress| {
                workspace.progress.advance(&Advance {
                    done: progress.percent as u64,
                    total: 100,
                    unit: "percent",
                    figures: vec![("rows", progress.rows as f64)],
                    ..Advance::default()
                });
            };
            match self.timeframe {
                Some(timeframe) => {
                    let dataset = Dataset { market, timeframe };
                    let fetch = workspace.lake.lake().fetch(&client, &dataset, range.clone(), progress);
                    report = unless_cancelled(workspace, fetch)?;
                    // An exchange may have nothing in the range; then there is no dataset.
                    data_hash = workspace.lake.load(&dataset, ALL_TIME).ok().map(|candles| candles.data_hash());
                }
                None => {
                    let fetch = workspace.lake.lake().fetch_trades(&client, &market, range.clone(), progress);
                    report = unless_cancelled(workspace, fetch)?;
                }
            }
        }
        Ok(Fetched {
            dataset: name,
            from: format_utc(range.start),
            to: format_utc(range.end),
            pages: report.pages,
            added: report.added,
            partitions: report.partitions,
            data_hash,
            dry_run: workspace.dry_run,
        })
    }
}

/// Waits for `fetch`, or for the wish to end it: dropped, it loses the page on its way and no
/// more.
fn unless_cancelled(
    workspace: &Workspace,
    fetch: impl Future<Output = Result<FetchReport, LakeError>>,
) -> Result<FetchReport, JobError> {
    let cancelled = async {
        while !workspace.progress.is_cancelled() {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    };
    workspace.lake.wait(async {
        tokio::select! {
            report = fetch => report.map_err(JobError::from),
            () = cancelled => Err(JobError::Cancelled),
        }
    })
}

/// A client of the interface named `venue`, or of the one that serves the exchange of
/// that name.
///
/// # Errors
/// [`JobError::Input`] listing the names.
pub fn client(venue: &str, base_url: Option<&str>) -> Result<ExchangeClient, JobError> {
    let found = Venue::ALL.into_iter().find(|known| known.name() == venue).or_else(|| Venue::of_exchange(venue));
    let found = found.ok_or_else(|| {
        let names: Vec<&str> = Venue::ALL.into_iter().map(Venue::name).collect();
        JobError::Input(format!("`{venue}` is no exchange that can be fetched from; use {}", names.join(", ")))
    })?;
    Ok(match base_url {
        Some(url) => ExchangeClient::with(found, url, Clock::System, REQUEST_TIMEOUT_MS)?,
        None => ExchangeClient::new(found)?,
    })
}
