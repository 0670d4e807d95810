//! The whole life cycle on one dataset, in under a minute.

use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_lake::{ImportOptions, OnConflict};
use assay_store::StoreError;
use assay_types::{Candles, Dataset, Hash, Market, Timeframe};
use serde::Serialize;
use serde_json::json;

use crate::error::JobError;
use crate::jobs::audit::audit_file;
use crate::jobs::evaluate::{Evaluation, SYNTHETIC};
use crate::jobs::import::Import;
use crate::jobs::lp::sample::{SampleRound, sample_round};
use crate::jobs::prepare::{prepare, range_text};
use crate::jobs::runs::{LoadedRun, short_id};
use crate::jobs::signals::{replay_signals, write_signals};
use crate::jobs::train::Train;
use crate::sample::sample_candles;
use crate::workspace::Workspace;

/// Environment steps of the demo's training.
const TIMESTEPS: u64 = 200_000;
/// Seed of the sample and of the training.
const SEED: u64 = 1;

/// What to show.
#[derive(Debug, Clone)]
pub struct Demo {
    /// A candle file, or a folder of them (the first one is taken); the bundled sample
    /// when `None`.
    pub data: Option<PathBuf>,
    /// Where the rows of the file come from, when its name does not say.
    pub market: Option<Market>,
    /// Length of the file's candles, when its name does not say.
    pub timeframe: Option<Timeframe>,
}

/// The life cycle, done.
#[derive(Debug, Serialize)]
pub struct DemoDone {
    /// Every step with what it gave and how long it took.
    pub steps: Vec<Step>,
    /// The run.
    pub run_id: String,
    /// The dataset.
    pub dataset: String,
    /// Whether the candles are generated.
    pub synthetic: bool,
    /// Equity hash of the back-test; the audit reached the same.
    pub equity_hash: Hash,
    /// Hash of the candles used.
    pub data_hash: Hash,
    /// Hash of the weights.
    pub weights_hash: Hash,
    /// Lines of the closing table.
    pub table: Vec<Row>,
    /// A liquidity round of every built-in miner on a synthetic pool.
    pub liquidity: SampleRound,
    /// The report's page.
    pub report: String,
    /// The signal file.
    pub signals: String,
    /// Seconds in all.
    pub seconds: f64,
    /// The judgement.
    #[serde(skip)]
    pub evaluation: Box<Evaluation>,
}

/// One step.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What was done.
    pub name: &'static str,
    /// What it gave.
    pub result: String,
    /// Seconds it took.
    pub seconds: f64,
}

/// One line of the closing table.
#[derive(Debug, Clone, Serialize)]
pub struct Row {
    /// Strategy.
    pub name: String,
    /// Equity at the end of the test split.
    pub final_equity: f64,
    /// Return on the test split.
    pub total_return: Option<f64>,
    /// Sharpe ratio, annualised.
    pub sharpe: Option<f64>,
    /// Deepest fall from a peak.
    pub max_drawdown: Option<f64>,
    /// Executions.
    pub fills: usize,
    /// Fees and slippage paid.
    pub costs: Option<f64>,
}

/// Notes steps as they end.
struct Steps {
    list: Vec<Step>,
    last: Instant,
}

impl Steps {
    fn done(&mut self, name: &'static str, result: String) {
        let seconds = self.last.elapsed().as_secs_f64();
        self.list.push(Step { name, result, seconds });
        self.last = Instant::now();
    }
}

impl Demo {
    /// Runs it in `workspace`.
    ///
    /// # Errors
    /// When a file does not read, or any step fails.
    pub fn run(self, workspace: &Workspace) -> Result<DemoDone, JobError> {
        let started = Instant::now();
        let mut steps = Steps { list: Vec::new(), last: started };
        let dataset = self.data(workspace, &mut steps)?;
        let config = json!({
            "dataset": dataset, "algorithm": "ppo", "seed": SEED, "total_timesteps": TIMESTEPS,
            "allow_gaps": true, "split_preset": "medium", "n_envs": 8, "n_steps": 512,
        });
        let prepared = prepare(workspace, &config)?;
        let gaps = prepared.candles.slice(prepared.split.train()).gaps().len();
        if gaps > 0 {
            let text = format!("the training range has {gaps} gap(s); the demo sets allow_gaps, no bars are invented");
            workspace.progress.note(&text);
        }
        let columns = prepared.features.table.names().len();
        let train = range_text(&prepared.candles, &prepared.split.train());
        steps.done("features", format!("{columns} columns, scaler fitted on {train}"));
        let trained = Train { config, resume: true, asked: false, again: false }.run_prepared(workspace, &prepared)?;
        let rate = trained.steps_per_second.map_or_else(
            || "done before, read back".to_owned(),
            |rate| format!("{} steps, {rate:.0} a second", trained.timesteps),
        );
        steps.done("train", format!("PPO, {rate}; run {}", short_id(&trained.run_id)));
        let evaluation = trained.judged.expect("a finished run has been judged");
        let test = range_text(&prepared.candles, &prepared.split.test());
        steps.done("back-test", format!("{test}; equity_hash {}…", &evaluation.equity_hash.to_string()[..12]));
        let run = LoadedRun::load(workspace, &trained.run_id)?;
        let signals = run.folder.file("signals.jsonl");
        let replayed = replay_signals(workspace, &run)?;
        write_signals(&signals, &replayed)?;
        steps.done("signals", format!("{} signed, {} changes of target", replayed.signals, replayed.changes));
        let audit = audit_file(workspace, &signals, &dataset, Some(&replayed.public_key))?;
        if !audit.is_clean() || audit.equity_hash != evaluation.equity_hash {
            let (found, expected) = (audit.equity_hash, evaluation.equity_hash);
            return Err(JobError::Check(format!("the audit came to {found}, the back-test to {expected}")));
        }
        steps.done("audit", format!("{} signals accepted, the same equity_hash", audit.accepted));
        let liquidity = sample_round(workspace, SEED)?;
        let (round, events) = (&liquidity.round, liquidity.event_count);
        let (miners, winner) = (round.scores.len(), round.winner.as_deref().unwrap_or("nobody"));
        steps.done("liquidity", format!("{miners} miners on {events} events of a synthetic pool; winner {winner}"));
        Ok(DemoDone {
            steps: steps.list,
            liquidity,
            run_id: trained.run_id,
            synthetic: evaluation.synthetic,
            dataset: dataset.to_string(),
            equity_hash: evaluation.equity_hash,
            data_hash: prepared.data_hash,
            weights_hash: run.weights_hash,
            table: table(&evaluation),
            report: run.folder.file("report.html").display().to_string(),
            signals: signals.display().to_string(),
            seconds: started.elapsed().as_secs_f64(),
            evaluation,
        })
    }

    /// Brings the candles into the lake.
    fn data(&self, workspace: &Workspace, steps: &mut Steps) -> Result<Dataset, JobError> {
        let Some(path) = &self.data else {
            workspace.progress.stage("sample");
            let candles: Candles = sample_candles(SEED);
            workspace.lake.store_candles(&candles, OnConflict::Refuse)?;
            let text = format!("{} synthetic hourly candles (exchange `{SYNTHETIC}`), generated here", candles.len());
            steps.done("data", text);
            return Ok(candles.dataset());
        };
        let file = first_file(path)?;
        if path.is_dir() {
            workspace.progress.note(&format!("of the folder the demo takes {}", file.display()));
        }
        let (market, timeframe) = self.names(&file)?;
        let import = Import { file: file.clone(), market, options: ImportOptions::default(), replace: false };
        let done = import.candles(workspace, timeframe)?;
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        steps.done("data", format!("{} candles of {name}, {} gaps", done.rows, done.gaps.len()));
        Ok(Dataset { market: import.market, timeframe })
    }

    /// Market and timeframe: as given, else from a name such as
    /// `binance_BTCUSDT_1h_2017-2024.feather`.
    fn names(&self, file: &Path) -> Result<(Market, Timeframe), JobError> {
        let stem = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let parts: Vec<&str> = stem.split(['_', '.']).collect();
        let timeframe = self.timeframe.or_else(|| parts.iter().find_map(|part| part.parse().ok()));
        let market = self.market.clone().or_else(|| Market::new(parts.first()?, &symbol(parts.get(1)?)?).ok());
        market.zip(timeframe).ok_or_else(|| {
            JobError::Input(format!(
                "{stem}: the name does not say exchange, symbol and timeframe (exchange_SYMBOL_timeframe…): \
                 pass --exchange, --symbol and --timeframe"
            ))
        })
    }
}

/// `BTCUSDT` as `BTC-USDT`, `BTCUSDT-perp` as `BTC-USDT-PERP`.
fn symbol(text: &str) -> Option<String> {
    const QUOTES: [&str; 7] = ["USDT", "USDC", "USD", "EUR", "BTC", "ETH", "BNB"];
    let (pair, suffix) = text.split_once('-').map_or((text, None), |(pair, suffix)| (pair, Some(suffix)));
    let quote = QUOTES.into_iter().find(|quote| pair.len() > quote.len() && pair.ends_with(quote))?;
    let base = &pair[..pair.len() - quote.len()];
    Some(suffix.map_or_else(|| format!("{base}-{quote}"), |suffix| format!("{base}-{quote}-{}", suffix.to_uppercase())))
}

/// `path`, or the first candle file of that folder by name.
fn first_file(path: &Path) -> Result<PathBuf, JobError> {
    if !path.is_dir() {
        if !path.exists() {
            return Err(JobError::Input(format!("{}: there is no such file", path.display())));
        }
        return Ok(path.to_owned());
    }
    let entries = std::fs::read_dir(path).map_err(StoreError::io("read", path))?;
    let is_candles = |file: &PathBuf| {
        let ending = file.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["csv", "feather", "parquet", "gz"].contains(&ending)
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_candles).collect();
    files.sort();
    let first = files.into_iter().next();
    first.ok_or_else(|| JobError::Input(format!("{}: no .csv, .feather or .parquet file in it", path.display())))
}

fn table(evaluation: &Evaluation) -> Vec<Row> {
    let metrics = &evaluation.metrics;
    let mut rows = vec![Row {
        name: "policy".to_owned(),
        final_equity: evaluation.final_equity.to_f64(),
        total_return: metrics.get("total_return"),
        sharpe: metrics.get("sharpe"),
        max_drawdown: metrics.get("max_drawdown"),
        fills: evaluation.fills,
        costs: metrics.get("costs"),
    }];
    rows.extend(evaluation.baselines.iter().map(|scenario| Row {
        name: crate::report::scenario_words(&scenario.name),
        final_equity: scenario.last_equity.to_f64(),
        total_return: scenario.metrics.get("total_return"),
        sharpe: scenario.metrics.get("sharpe"),
        max_drawdown: scenario.metrics.get("max_drawdown"),
        fills: scenario.fills,
        costs: scenario.metrics.get("costs"),
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_tell_the_market() {
        assert_eq!(symbol("BTCUSDT").as_deref(), Some("BTC-USDT"));
        assert_eq!(symbol("BTCUSDT-perp").as_deref(), Some("BTC-USDT-PERP"));
        assert_eq!(symbol("XRPETH").as_deref(), Some("XRP-ETH"));
        assert_eq!(symbol("USDT"), None);
        let demo = Demo { data: None, market: None, timeframe: None };
        let (market, timeframe) = demo.names(Path::new("binance_BTCUSDT_1h_2017-2024.feather")).unwrap();
        assert_eq!((market.to_string().as_str(), timeframe), ("binance/BTC-USDT", Timeframe::H1));
        assert!(demo.names(Path::new("candles.csv")).is_err());
    }
}
