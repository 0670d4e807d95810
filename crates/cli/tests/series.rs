//! Small candle files for tests.

use std::fmt::Write as _;
use std::path::PathBuf;

use assay_testkit::generate_candles;
use assay_types::time::parse_utc;
use assay_types::{Candle, Timeframe};

use crate::support::Home;

/// The dataset that [`with_candles`] makes.
pub const DATASET: &str = "binance/XYZ-BTC/1h";
/// How `data import` is told about it.
pub const MARKET: [&str; 6] = ["--exchange", "binance", "--symbol", "XYZ-BTC", "--timeframe", "1h"];

/// `count` hourly candles from 2024 on, each opening elsewhere than the last one closed.
pub fn hours(count: usize) -> Vec<Candle> {
    let mut rows = generate_candles(7, parse_utc("2024-01-01").unwrap(), Timeframe::H1, count);
    rows.iter_mut().for_each(|row| row.open = row.low);
    rows
}

/// A CSV file of `candles` with the columns in the lake's own words.
pub fn csv(candles: &[Candle]) -> String {
    let mut text = String::from("open_time,open,high,low,close,volume\n");
    for row in candles {
        let Candle { open_time_ms, open, high, low, close, volume } = row;
        writeln!(text, "{open_time_ms},{open},{high},{low},{close},{volume}").unwrap();
    }
    text
}

/// Writes `text` as a file of `home`.
pub fn write(home: &Home, name: &str, text: &str) -> PathBuf {
    let path = home.file(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Imports the CSV `text`, which must succeed.
#[track_caller]
pub fn import(home: &Home, text: &str) -> serde_json::Value {
    let file = write(home, "candles.csv", text);
    home.json(&[&["data", "import", file.to_str().unwrap()], &MARKET[..]].concat())
}

/// A home that holds `count` candles of [`DATASET`].
pub fn with_candles(count: usize) -> Home {
    let home = Home::new();
    import(&home, &csv(&hours(count)));
    home
}

/// `assay train` of a small network on [`DATASET`] with further `key=value` arguments.
pub fn train<'a>(keys: &[&'a str]) -> Vec<&'a str> {
    let dataset = "dataset=binance/XYZ-BTC/1h";
    let small = [dataset, "tick=0.01", "net_arch=[8]", "features=[\"return_1\",\"rsi_14\",\"gap\"]"];
    let sets = small.into_iter().chain(keys.iter().copied());
    std::iter::once("train").chain(sets.flat_map(|set| ["--set", set])).collect()
}
