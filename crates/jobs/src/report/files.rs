//! The files of a report.

use std::fmt::Write as _;
use std::path::Path;

use assay_sim::Side;
use assay_store::write_atomic;
use assay_types::time::format_utc;
use assay_types::{Candles, Target};
use serde_json::json;

use super::page::page;
use crate::error::JobError;
use crate::jobs::evaluate::Evaluation;

/// Every file of a report: name and content.
///
/// `equity.csv`, `trades.csv`, `targets.csv`, `candles.csv` and `rules.json` are enough
/// to recompute the equity hash; `metrics.json` and `report.html` are for reading.
#[must_use]
pub fn files(evaluation: &Evaluation, candles: &Candles) -> Vec<(&'static str, Vec<u8>)> {
    let metrics = serde_json::to_vec_pretty(evaluation).expect("an evaluation is plain data");
    vec![
        ("metrics.json", metrics),
        ("equity.csv", equity_csv(evaluation).into_bytes()),
        ("trades.csv", trades_csv(evaluation).into_bytes()),
        ("targets.csv", targets_csv(evaluation).into_bytes()),
        ("candles.csv", candles_csv(evaluation, candles).into_bytes()),
        ("rules.json", rules_json(evaluation, candles)),
        ("report.html", page(evaluation).into_bytes()),
    ]
}

/// Writes `files` into `folder`.
///
/// # Errors
/// When the folder or a file cannot be written.
pub fn write(folder: &Path, files: &[(&'static str, Vec<u8>)]) -> Result<(), JobError> {
    for (name, content) in files {
        write_atomic(&folder.join(name), content)?;
    }
    Ok(())
}

fn equity_csv(evaluation: &Evaluation) -> String {
    let mut text = String::from("time_ms,equity\n");
    for (time_ms, equity) in evaluation.backtest.rows() {
        let _ = writeln!(text, "{time_ms},{equity}");
    }
    text
}

/// One line per execution, with the time for people.
fn trades_csv(evaluation: &Evaluation) -> String {
    let mut text = String::from("time_ms,time,side,price,reference_price,quantity,fee,cash_after,profit\n");
    for fill in &evaluation.backtest.fills {
        let side = match fill.side {
            Side::Buy => "buy",
            Side::Sell => "sell",
        };
        let profit = fill.profit.map(|profit| profit.to_string()).unwrap_or_default();
        let time = format_utc(fill.time_ms);
        let _ = writeln!(
            text,
            "{},{time},{side},{},{},{},{},{},{profit}",
            fill.time_ms, fill.price, fill.reference, fill.quantity, fill.fee, fill.cash_after
        );
    }
    text
}

const fn target_name(target: Target) -> &'static str {
    match target {
        Target::Long => "long",
        Target::Flat => "flat",
        Target::Short => "short",
    }
}

fn targets_csv(evaluation: &Evaluation) -> String {
    let mut text = String::from("close_time_ms,target\n");
    let decided = evaluation.backtest.time_ms.iter().zip(&evaluation.backtest.targets);
    for (time_ms, target) in decided {
        let _ = writeln!(text, "{time_ms},{}", target_name(*target));
    }
    text
}

fn candles_csv(evaluation: &Evaluation, candles: &Candles) -> String {
    let mut text = String::from("open_time_ms,open,high,low,close,volume\n");
    let start = evaluation.backtest.range.start;
    for index in start..start + evaluation.candles {
        let candle = candles.get(index);
        let _ = writeln!(
            text,
            "{},{},{},{},{},{}",
            candle.open_time_ms, candle.open, candle.high, candle.low, candle.close, candle.volume
        );
    }
    text
}

fn rules_json(evaluation: &Evaluation, candles: &Candles) -> Vec<u8> {
    let mut rules = serde_json::to_value(&evaluation.rules).expect("rules are plain data");
    rules["exchange"] = json!(candles.market.exchange);
    rules["symbol"] = json!(candles.market.symbol);
    rules["timeframe"] = json!(candles.timeframe);
    rules["data_hash"] = json!(evaluation.data_hash);
    rules["equity_hash"] = json!(evaluation.equity_hash);
    serde_json::to_vec_pretty(&rules).expect("rules are plain data")
}
