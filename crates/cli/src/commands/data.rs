//! `assay data …`

use std::path::PathBuf;

use assay_jobs::jobs::check::{Check, Checked};
use assay_jobs::jobs::fetch::{Fetch, Fetched};
use assay_jobs::jobs::import::{Import, Imported};
use assay_jobs::jobs::list::{Listed, list};
use assay_jobs::jobs::resample::{Resample, Resampled};
use assay_jobs::time_text::{format_utc, user_time};
use assay_jobs::{Dataset, ImportOptions, JobError, Market, Timeframe, TradeKind, Workspace};
use clap::{Args, Subcommand};

use crate::output::{Console, table};

#[derive(Subcommand)]
pub enum Data {
    /// Read a CSV, Feather or Parquet file into the lake.
    Import(ImportArguments),
    /// Fetch candles or trades from an exchange; run it again to go on after a break.
    Fetch(FetchArguments),
    /// What the lake holds, with gaps.
    List,
    /// Check hashes, order, duplicates and gaps.
    Check(CheckArguments),
    /// Make longer candles from shorter ones, or candles from trades.
    Resample(ResampleArguments),
}

#[derive(Args)]
pub struct ImportArguments {
    /// The file, also gzipped.
    file: PathBuf,
    /// Exchange name, such as binance.
    #[arg(long, value_name = "NAME")]
    exchange: String,
    /// Symbol as BASE-QUOTE, such as BTC-USDT.
    #[arg(long, value_name = "BASE-QUOTE")]
    symbol: String,
    /// 1m, 5m, 15m, 1h (60m), 4h or 1d.
    #[arg(long, value_name = "T", required_unless_present = "trades", conflicts_with = "trades")]
    timeframe: Option<Timeframe>,
    /// The file holds trades: `single` executions or `aggregate` trades.
    #[arg(long, value_name = "KIND", value_parser = trade_kind)]
    trades: Option<TradeKind>,
    /// Leave out rows that no market can print, and list them.
    #[arg(long)]
    skip_bad: bool,
    /// Leave out columns whose meaning is not known.
    #[arg(long)]
    ignore_columns: bool,
    /// Where a row differs from the stored one, take the new one.
    #[arg(long)]
    replace: bool,
}

#[derive(Args)]
pub struct FetchArguments {
    /// binance, coinbase, coinbase-advanced, bybit or kucoin.
    #[arg(long, value_name = "NAME")]
    exchange: String,
    /// Symbol as BASE-QUOTE, such as BTC-USDT; Bybit's perpetuals end in -PERP.
    #[arg(long, value_name = "BASE-QUOTE")]
    symbol: String,
    /// 1m, 5m, 15m, 1h (60m), 4h or 1d.
    #[arg(long, value_name = "T", required_unless_present = "trades", conflicts_with = "trades")]
    timeframe: Option<Timeframe>,
    /// Fetch aggregate trades instead of candles (binance).
    #[arg(long)]
    trades: bool,
    /// First open time, such as 2024-01-01.
    #[arg(long, value_name = "DATE")]
    from: String,
    /// Just after the last open time.
    #[arg(long, value_name = "DATE")]
    to: String,
    /// Another address for the exchange's interface, such as a proxy.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
}

#[derive(Args)]
pub struct CheckArguments {
    /// Only this dataset, such as binance/BTC-USDT/1h.
    dataset: Option<Dataset>,
    /// Fetch damaged and missing ranges again from the exchange.
    #[arg(long)]
    repair: bool,
    /// Another address for the exchange's interface, such as a proxy.
    #[arg(long, value_name = "URL", requires = "repair")]
    base_url: Option<String>,
}

#[derive(Args)]
pub struct ResampleArguments {
    /// The source: exchange/SYMBOL/timeframe, or exchange/SYMBOL/trades or …/aggregate-trades.
    source: String,
    /// Timeframe of the result.
    #[arg(long, value_name = "T")]
    timeframe: Timeframe,
}

fn trade_kind(text: &str) -> Result<TradeKind, String> {
    match text {
        "single" => Ok(TradeKind::Single),
        "aggregate" => Ok(TradeKind::Aggregate),
        _ => Err("use `single` or `aggregate`".to_owned()),
    }
}

fn market(exchange: &str, symbol: &str) -> Result<Market, JobError> {
    Market::new(exchange, symbol).map_err(|error| JobError::Input(error.to_string()))
}

impl Data {
    pub fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<bool> {
        match self {
            Self::Import(arguments) => arguments.run(workspace, console).map(|()| true),
            Self::Fetch(arguments) => arguments.run(workspace, console).map(|()| true),
            Self::List => print_list(&list(workspace)?, console).map(|()| true),
            Self::Check(arguments) => {
                let dataset = arguments.dataset;
                let checked =
                    Check { dataset, repair: arguments.repair, base_url: arguments.base_url }.run(workspace)?;
                print_check(&checked, console)?;
                Ok(checked.is_sound())
            }
            Self::Resample(arguments) => {
                let done = Resample { source: arguments.source, timeframe: arguments.timeframe }.run(workspace)?;
                print_resampled(&done, console).map(|()| true)
            }
        }
    }
}

impl ImportArguments {
    fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let options = ImportOptions { skip_rejected: self.skip_bad, ignore_unknown_columns: self.ignore_columns };
        let market = market(&self.exchange, &self.symbol)?;
        let import = Import { file: self.file, market, options, replace: self.replace };
        let done = match (self.timeframe, self.trades) {
            (Some(timeframe), _) => import.candles(workspace, timeframe)?,
            (None, Some(kind)) => import.trades(workspace, kind)?,
            (None, None) => return Err(JobError::Input("pass --timeframe or --trades".to_owned()).into()),
        };
        print_import(&done, console)
    }
}

fn print_import(done: &Imported, console: &Console) -> anyhow::Result<()> {
    let verb = if done.dry_run { "would import" } else { "imported" };
    let mut lines = vec![format!("{}: {verb} {} rows ({} new)", done.dataset, done.rows, done.added)];
    if let Some(hash) = done.data_hash {
        lines.push(format!("  data_hash   {hash}"));
    }
    lines.push(format!("  gaps        {} ({} candles missing)", done.gaps.len(), done.missing));
    lines.push(format!("  duplicates  {} identical rows merged", done.duplicates));
    lines.push(format!("  reordered   {} rows out of the file's own order", done.reordered));
    if done.replaced > 0 {
        lines.push(format!("  replaced    {} stored rows", done.replaced));
    }
    lines.push(format!("  rejected    {} rows", done.rejected.len()));
    lines.extend(done.rejected.iter().take(10).map(|row| format!("    row {}: {}", row.line, row.reason)));
    let next = if done.data_hash.is_some() {
        format!("assay train --set dataset={}", done.dataset)
    } else if done.dry_run {
        "the same without --dry-run".to_owned()
    } else {
        format!("assay data resample {} --timeframe 1m", done.dataset)
    };
    console.answer(done, &lines.join("\n"), &next)
}

impl FetchArguments {
    fn run(self, workspace: &Workspace, console: &Console) -> anyhow::Result<()> {
        let fetch = Fetch {
            venue: self.exchange,
            symbol: self.symbol,
            timeframe: if self.trades { None } else { self.timeframe },
            from_ms: user_time("--from", &self.from)?,
            to_ms: user_time("--to", &self.to)?,
            base_url: self.base_url,
        };
        print_fetch(&fetch.run(workspace)?, console)
    }
}

fn print_fetch(done: &Fetched, console: &Console) -> anyhow::Result<()> {
    let verb = if done.dry_run { "would fetch" } else { "fetched" };
    let mut lines = vec![format!("{}: {verb} {} … {}", done.dataset, done.from, done.to)];
    if !done.dry_run {
        lines.push(format!("  rows        {} new, in {} pages", done.added, done.pages));
    }
    if let Some(hash) = done.data_hash {
        lines.push(format!("  data_hash   {hash}"));
    }
    let next = if done.dry_run { "the same without --dry-run" } else { "assay data check" };
    console.answer(done, &lines.join("\n"), next)
}

fn print_list(listed: &Listed, console: &Console) -> anyhow::Result<()> {
    let rows: Vec<Vec<String>> = listed
        .datasets
        .iter()
        .map(|d| {
            vec![
                d.dataset.clone(),
                d.rows.to_string(),
                format_utc(d.first_ms),
                format_utc(d.last_ms),
                d.gaps.len().to_string(),
                d.missing.to_string(),
                d.partition_count.to_string(),
            ]
        })
        .collect();
    let text = if rows.is_empty() {
        "the lake is empty".to_owned()
    } else {
        table(&["dataset", "rows", "first", "last", "gaps", "missing", "partitions"], &rows)
    };
    let next = if rows.is_empty() {
        "assay data import FILE --exchange binance --symbol BTC-USDT --timeframe 1h"
    } else {
        "assay data check"
    };
    console.answer(listed, &text, next)
}

fn print_check(checked: &Checked, console: &Console) -> anyhow::Result<()> {
    let mut lines: Vec<String> = checked
        .datasets
        .iter()
        .map(|d| format!("{}: {} partitions, {} rows", d.dataset, d.partitions, d.rows))
        .collect();
    lines.extend(checked.problems.iter().map(|p| format!("  {} {}: {}", p.severity, p.dataset, p.detail)));
    lines.extend(checked.repaired.iter().map(|text| format!("  repaired {text}")));
    let nothing = checked.datasets.is_empty() && checked.problems.is_empty();
    lines.push(match (nothing, checked.is_sound()) {
        (true, _) => "the lake has no candles: nothing to check".to_owned(),
        (false, true) => "sound: every partition has the hash it was stored with, and its rows are in order".to_owned(),
        (false, false) => "not sound".to_owned(),
    });
    let next = if checked.is_sound() { "assay data list" } else { "assay data check --repair" };
    console.answer(checked, &lines.join("\n"), next)
}

fn print_resampled(done: &Resampled, console: &Console) -> anyhow::Result<()> {
    let verb = if done.dry_run { "would make" } else { "made" };
    let text = format!(
        "{}: {verb} {} candles from {} rows of {}\n  data_hash   {}",
        done.dataset, done.rows, done.source_rows, done.source, done.data_hash
    );
    console.answer(done, &text, &format!("assay train --set dataset={}", done.dataset))
}
