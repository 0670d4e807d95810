//! The lake through the binary: import, list, check, resample, fetch.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use assay_testkit::{FakeExchange, Fault, Schedule, Series, generate_candles, generate_trades};
use assay_types::time::parse_utc;
use assay_types::{Candle, TakerSide, Timeframe, Trade};
use serde_json::{Value, json};

use crate::series::{DATASET, MARKET, csv, hours, import, with_candles, write};
use crate::support::{Answer, Home, text};

fn problems(home: &Home) -> Vec<String> {
    let answer = home.assay(&["data", "check", "--json"]);
    let found = answer.json();
    found["problems"].as_array().unwrap().iter().map(|problem| text(&problem["kind"]).to_owned()).collect()
}

#[test]
fn a_file_is_imported_listed_and_checked_and_twice_is_once() {
    let home = Home::new();
    let mut rows = hours(900);
    rows.drain(300..306);
    let first = import(&home, &csv(&rows));
    assert_eq!((&first["rows"], &first["added"], &first["missing"]), (&json!(894), &json!(894), &json!(6)));
    let listed = &home.json(&["data", "list"])["datasets"][0];
    assert_eq!((text(&listed["dataset"]), &listed["rows"], &listed["missing"]), (DATASET, &json!(894), &json!(6)));
    assert_eq!(listed["gaps"].as_array().unwrap().len(), 1);
    home.assay(&["data", "check"]).expect(0, &["sound", "6 candles are missing"]);
    let tree = home.tree();
    let second = import(&home, &csv(&rows));
    assert_eq!((&second["added"], &second["data_hash"]), (&json!(0), &first["data_hash"]));
    assert!(home.tree() == tree, "the second import changed files");
}

#[test]
fn format_order_and_chunks_do_not_change_the_data_hash() {
    let rows = hours(1_200);
    let plain = Home::new();
    let expected = import(&plain, &csv(&rows))["data_hash"].clone();
    // Newest first, seconds instead of milliseconds, other names, a banner line, semicolons.
    let mut other = String::from("https://www.example.org\nUnix;Open;High;Low;Close;Volume XYZ\n");
    for row in rows.iter().rev() {
        let Candle { open_time_ms, open, high, low, close, volume } = row;
        other += &format!("{};{open};{high};{low};{close};{volume}\n", open_time_ms / 1000);
    }
    assert_eq!(import(&Home::new(), &other)["data_hash"], expected);
    // In three chunks, the last one first, overlapping.
    let chunked = Home::new();
    for range in [700..1_200, 0..450, 400..720] {
        import(&chunked, &csv(&rows[range]));
    }
    assert_eq!(import(&chunked, &csv(&rows[..1]))["data_hash"], expected);
    // The lake's own Parquet partitions, read back as files.
    let copied = Home::new();
    let folder = plain.file("lake/candles").join(DATASET);
    let mut last = Value::Null;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "parquet") {
            last = copied.json(&[&["data", "import", path.to_str().unwrap()], &MARKET[..]].concat());
        }
    }
    assert_eq!(last["data_hash"], expected);
}

#[test]
fn a_contradiction_with_stored_rows_is_refused_unless_replaced() {
    let home = with_candles(200);
    let mut rows = hours(200);
    rows[50].close = rows[50].high;
    let file = write(&home, "changed.csv", &csv(&rows)).display().to_string();
    let arguments = [&["data", "import", &file], &MARKET[..]].concat();
    let before = home.tree();
    home.assay(&arguments).expect(2, &["2024-01-03T02:00:00Z", "--replace"]);
    assert!(home.tree() == before, "a refused import changed files");
    assert_eq!(home.json(&[&arguments[..], &["--replace"]].concat())["replaced"], json!(1));
}

#[test]
fn longer_candles_are_made_once_and_hold_what_the_shorter_ones_hold() {
    let home = with_candles(200);
    let made = home.json(&["data", "resample", DATASET, "--timeframe", "4h"]);
    assert_eq!((text(&made["dataset"]), &made["rows"]), ("binance/XYZ-BTC/4h", &json!(50)));
    let again = home.json(&["data", "resample", DATASET, "--timeframe", "4h"]);
    assert_eq!(again, made);
    let four = ["backtest", "--strategy", "flat", "--dataset", "binance/XYZ-BTC/4h", "--tick", "0.01"];
    let out = home.file("report");
    home.json(&[&four[..], &["--out", out.to_str().unwrap()]].concat());
    let page = std::fs::read_to_string(out.join("candles.csv")).unwrap();
    let second: Vec<&str> = page.lines().nth(2).unwrap().split(',').collect();
    let rows = &hours(8)[4..];
    let volume = assay_types::Qty(rows.iter().map(|row| row.volume.0).sum());
    let expected = [
        rows[0].open_time_ms.to_string(),
        rows[0].open.to_string(),
        rows.iter().map(|row| row.high).max().unwrap().to_string(),
        rows.iter().map(|row| row.low).min().unwrap().to_string(),
        rows[3].close.to_string(),
        volume.to_string(),
    ];
    assert_eq!(second, expected);
    home.assay(&["data", "resample", DATASET, "--timeframe", "5m"]).expect(2, &["cannot resample"]);
    home.assay(&["data", "resample", "binance/NO-PE/1h", "--timeframe", "4h"]).expect(2, &["the lake holds no"]);
}

#[test]
fn trades_are_imported_and_made_into_candles() {
    let home = Home::new();
    let trades = generate_trades(3, 1_000, parse_utc("2024-01-01").unwrap(), 500, 4_000);
    let mut page = String::from("id,time,price,quantity,buyer_maker\n");
    for Trade { id, time_ms, price, quantity, taker } in &trades {
        page += &format!("{id},{time_ms},{price},{quantity},{}\n", *taker == TakerSide::Sell);
    }
    let file = write(&home, "trades.csv", &page).display().to_string();
    let market = ["--exchange", "binance", "--symbol", "XYZ-BTC", "--trades", "aggregate"];
    let arguments = [&["data", "import", &file], &market[..]].concat();
    assert_eq!(home.json(&arguments)["added"], json!(4_000));
    assert_eq!(home.json(&arguments)["added"], json!(0), "twice is once");
    let made = home.json(&["data", "resample", "binance/XYZ-BTC/aggregate-trades", "--timeframe", "1m"]);
    let minute = |trade: &Trade| trade.time_ms.div_euclid(60_000);
    let mut minutes: Vec<i64> = trades.iter().map(minute).collect();
    minutes.dedup();
    assert_eq!(made["rows"].as_u64(), Some(minutes.len() as u64 - 1), "the last, unfinished minute is left out");
    let out = home.file("report");
    let judge = ["backtest", "--strategy", "flat", "--dataset", "binance/XYZ-BTC/1m", "--tick", "0.01"];
    home.json(&[&judge[..], &["--out", out.to_str().unwrap()]].concat());
    let candles = std::fs::read_to_string(out.join("candles.csv")).unwrap();
    let first: Vec<&str> = candles.lines().nth(1).unwrap().split(',').collect();
    let within: Vec<&Trade> = trades.iter().filter(|trade| minute(trade) == minutes[0]).collect();
    let expected = [
        (minutes[0] * 60_000).to_string(),
        within[0].price.to_string(),
        within.iter().map(|trade| trade.price).max().unwrap().to_string(),
        within.iter().map(|trade| trade.price).min().unwrap().to_string(),
        within[within.len() - 1].price.to_string(),
        assay_types::Qty(within.iter().map(|trade| trade.quantity.0).sum()).to_string(),
    ];
    assert_eq!(first, expected);
}

#[test]
fn the_lake_may_be_another_folder_than_the_homes() {
    let (home, lake) = (Home::new(), Home::new());
    let file = write(&home, "candles.csv", &csv(&hours(200))).display().to_string();
    let place = ["--lake", lake.path().to_str().unwrap()];
    home.json(&[&["data", "import", &file], &MARKET[..], &place].concat());
    assert!(lake.file("candles").join(DATASET).join("manifest.json").exists());
    assert!(!home.file("lake").exists(), "the home's own lake is not made");
    let listed = home.json(&[&["data", "list"][..], &place].concat());
    assert_eq!(text(&listed["datasets"][0]["dataset"]), DATASET);
    assert_eq!(home.json(&["data", "list"])["datasets"], json!([]));
}

/// A running fake exchange with `count` hourly candles of BTC-USDT from 2024 on.
struct Exchange {
    fake: FakeExchange,
    runtime: tokio::runtime::Runtime,
}

fn exchange(count: usize, schedule: Schedule) -> Exchange {
    let first_ms = parse_utc("2023-01-01").unwrap();
    let candles = generate_candles(11, first_ms, Timeframe::H1, count);
    let series = Series { candles, timeframe: Some(Timeframe::H1), ..Series::default() };
    let now = Arc::new(AtomicI64::new(parse_utc("2026-01-01").unwrap()));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let fake = runtime.block_on(FakeExchange::start(series, schedule, now));
    Exchange { fake, runtime }
}

impl Exchange {
    fn candles(&self, count: usize) -> Vec<Candle> {
        let _in_use = &self.runtime;
        generate_candles(11, parse_utc("2023-01-01").unwrap(), Timeframe::H1, count)
    }
}

fn fetch<'a>(venue: &'a str, url: &'a str, to: &'a str) -> Vec<&'a str> {
    let market = ["data", "fetch", "--exchange", venue, "--symbol", "BTC-USDT", "--timeframe", "1h"];
    [&market[..], &["--from", "2023-01-01", "--to", to, "--base-url", url]].concat()
}

/// What importing the first `count` candles of the exchange as a file gives.
fn imported(exchange: &Exchange, venue: &str, count: usize) -> Value {
    let home = Home::new();
    let file = write(&home, "candles.csv", &csv(&exchange.candles(count))).display().to_string();
    let market = ["--exchange", venue, "--symbol", "BTC-USDT", "--timeframe", "1h"];
    home.json(&[&["data", "import", &file], &market[..]].concat())["data_hash"].clone()
}

#[test]
fn every_venue_gives_the_same_candles_up_to_the_end_asked_for() {
    let exchange = exchange(2_500, Schedule::calm());
    let url = exchange.fake.base_url();
    for (venue, name) in [
        ("binance", "binance"),
        ("coinbase", "coinbase"),
        ("coinbase-advanced", "coinbase"),
        ("bybit", "bybit"),
        ("kucoin", "kucoin"),
    ] {
        let home = Home::new();
        let done = home.json(&fetch(venue, &url, "2023-03-01"));
        assert_eq!(done["added"], json!(59 * 24), "{venue}: the end is excluded");
        assert_eq!(done["data_hash"], imported(&exchange, name, 59 * 24), "{venue}");
        let asked = exchange.fake.requests().len();
        assert_eq!(home.json(&fetch(venue, &url, "2023-03-01"))["added"], json!(0), "{venue}");
        assert_eq!(exchange.fake.requests().len(), asked, "{venue}: what is there is not asked for again");
    }
}

#[test]
fn a_killed_fetch_goes_on_without_a_lost_or_doubled_row() {
    let exchange = exchange(24_000, Schedule::repeated(Fault::SlowBody { wait_ms: 30 }, 0, 1_000));
    let url = exchange.fake.base_url();
    let arguments = fetch("binance", &url, "2025-09-01");
    let home = Home::new();
    let manifest = home.file("lake/candles/binance/BTC-USDT/1h/manifest.json");
    let mut fetching = home.start(&arguments);
    assert!(fetching.until(|| manifest.exists()), "it ended before it could be killed");
    fetching.kill();
    let stored = home.json(&["data", "list"])["datasets"][0]["rows"].as_u64().unwrap();
    assert!(stored > 0 && stored < 23_376, "{stored}");
    exchange.fake.reschedule(Schedule::calm());
    let done = home.json(&arguments);
    assert_eq!(done["added"].as_u64(), Some(23_376 - stored));
    assert_eq!(done["data_hash"], imported(&exchange, "binance", 23_376));
    assert!(problems(&home).is_empty(), "{:?}", problems(&home));
}

#[test]
fn a_refused_fetch_says_why_and_keeps_what_came_before() {
    let exchange = exchange(1_000, Schedule::at(&[(0, Fault::BadNumber)]));
    let url = exchange.fake.base_url();
    let home = Home::new();
    home.assay(&fetch("binance", &url, "2023-02-01")).expect(1, &["malformed", "NaN"]);
    let other_symbol = ["data", "fetch", "--exchange", "binance", "--symbol", "NO-PE", "--timeframe", "1h"];
    let range = ["--from", "2023-01-01", "--to", "2023-01-02", "--base-url", &url];
    home.assay(&[&other_symbol[..], &range].concat()).expect(1, &["the exchange refuses", "Invalid symbol"]);
    home.assay(&fetch("mtgox", &url, "2023-02-01")).expect(2, &["`mtgox` is no exchange", "binance"]);
    home.assay(&fetch("binance", &url, "2022-01-01")).expect(2, &["the range from", "is empty"]);
    home.assay(&fetch("binance", &url, "soon")).expect(2, &["--to"]);
    home.json(&fetch("binance", &url, "2023-02-01"));
}

#[test]
fn damage_is_found_and_a_repair_fetches_only_that() {
    let exchange = exchange(3_000, Schedule::calm());
    let url = exchange.fake.base_url();
    let home = Home::new();
    let arguments = fetch("binance", &url, "2023-05-01");
    let fetched = home.json(&arguments);
    let folder = home.file("lake/candles/binance/BTC-USDT/1h");
    let partition = |month: &str| {
        let found = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
        found.into_iter().find(|path| path.file_name().unwrap().to_string_lossy().starts_with(month)).unwrap()
    };
    let march = partition("2023-03");
    let mut bytes = std::fs::read(&march).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&march, &bytes).unwrap();
    std::fs::remove_file(partition("2023-02")).unwrap();
    let mut found = problems(&home);
    found.sort();
    assert_eq!(found, ["hash_mismatch", "missing_partition"]);
    home.assay(&["data", "check"]).expect(3, &["2023-03", "2023-02", "not sound", "--repair"]);
    let judge = ["backtest", "--strategy", "long", "--dataset", "binance/BTC-USDT/1h"];
    home.assay(&judge).expect(3, &["2023-02", "data check --repair"]);
    let asked = exchange.fake.requests().len();
    let repaired = home.json(&["data", "check", "--repair", "--base-url", &url]);
    assert_eq!(repaired["repaired"].as_array().unwrap().len(), 2);
    assert!(exchange.fake.requests().len() - asked <= 4, "only the damaged months are fetched");
    assert!(problems(&home).is_empty());
    assert_eq!(home.json(&arguments)["data_hash"], fetched["data_hash"]);
    home.json(&judge);
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = with_candles(1_500);
    let file = write(&home, "more.csv", &csv(&hours(1_600))).display().to_string();
    let report = home.file("report").display().to_string();
    let import = [&["data", "import", &file], &MARKET[..]].concat();
    let mut training = crate::series::train(&["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280"]);
    let walk: Vec<&str> = std::iter::once("walkforward").chain(training[1..].iter().copied()).collect();
    let commands: [&[&str]; 5] = [
        &import,
        &["data", "resample", DATASET, "--timeframe", "4h"],
        &[
            "data",
            "fetch",
            "--exchange",
            "binance",
            "--symbol",
            "BTC-USDT",
            "--timeframe",
            "1h",
            "--from",
            "2024-01-01",
            "--to",
            "2024-02-01",
        ],
        &["features", "build", "--dataset", DATASET, "--set", "tick=0.01", "--out", &report],
        &training,
    ];
    let before = home.tree();
    for command in commands {
        let output = home.command(&[command, &["--dry-run", "--json"]].concat()).output().unwrap();
        Answer::of(&output).expect(0, &[]);
        assert!(home.tree() == before, "{command:?} wrote something");
    }
    let judge =
        ["backtest", "--strategy", "long", "--dataset", DATASET, "--tick", "0.01", "--out", &report, "--dry-run"];
    home.assay(&judge).expect(2, &["leave out --dry-run"]);
    home.assay(&["demo", "--dry-run"]).expect(2, &["leave out --dry-run"]);
    home.assay(&[&walk[..], &["--folds", "2", "--dry-run"]].concat()).expect(0, &[]);
    home.assay(&[&training[..], &["--search", "2", "--dry-run"]].concat()).expect(0, &[]);
    assert!(home.tree() == before, "a dry walk or search wrote something");
    // A home that is not there yet is not made either.
    let nowhere = home.file("nowhere");
    training.extend(["--dry-run", "--quiet", "--home", nowhere.to_str().unwrap()]);
    let output = std::process::Command::new(crate::support::BINARY).args(&training).output().unwrap();
    Answer::of(&output).expect(2, &["the lake holds no"]);
    assert!(!nowhere.exists(), "a dry run made a home");
}
