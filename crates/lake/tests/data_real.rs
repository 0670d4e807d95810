//! Real recordings, from the folder that `ASSAY_TEST_DATA` names (default
//! `../shared/data` from the workspace root). A missing folder fails.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests read files and fail by panicking")]

use std::path::PathBuf;

use assay_lake::{
    ALL_TIME, BlockingLake, ImportOptions, ImportReport, OnConflict, TradeKind, TradeSet, import_candles,
    import_trades, parse_candles, resample_candles, resample_trades,
};
use assay_types::time::parse_utc;
use assay_types::{Candles, Dataset, Market, Timeframe};

fn file(name: &str) -> PathBuf {
    let folder = std::env::var_os("ASSAY_TEST_DATA")
        .map_or_else(|| PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data")), PathBuf::from);
    let path = folder.join(name);
    assert!(path.is_file(), "{} is missing: set ASSAY_TEST_DATA to the folder of recordings", path.display());
    path
}

/// File, dataset, rows kept, gaps, missing candles, rows against the file's direction.
const FILES: [(&str, &str, u64, usize, u64, u64); 8] = [
    ("binance_BTCUSDT_1h_2017-2024.feather", "binance/BTC-USDT/1h", 58_419, 28, 128, 0),
    ("binance_BTCUSDT_1m.feather", "binance/BTC-USDT/1m", 43_209, 0, 0, 0),
    ("binance_ETHUSDT_1m.feather", "binance/ETH-USDT/1m", 43_208, 0, 0, 0),
    ("kucoin_BTCUSDT_1h_2023-2026.csv", "kucoin/BTC-USDT/1h", 21_611, 0, 0, 0),
    ("kucoin_ETHUSDT_1h_2023-2026.csv", "kucoin/ETH-USDT/1h", 21_611, 0, 0, 0),
    ("kucoin_BTCUSDT_15m_2025-2026.feather", "kucoin/BTC-USDT/15m", 46_201, 0, 0, 0),
    ("coinbase_BTCUSD_1h.csv", "coinbase/BTC-USD/1h", 20_111, 0, 0, 1),
    ("bybit_BTCUSDT-perp_5m.feather", "bybit/BTC-USDT-PERP/5m", 38_972, 0, 0, 0),
];

const REFERENCE_HASH: &str = "e79419a40917d9c08f654bcac426eaa437950332bfb011a302193be6aab9bbbb";

fn import(name: &str, dataset: &str) -> (Candles, ImportReport) {
    let dataset: Dataset = dataset.parse().unwrap();
    let path = file(&format!("candles/{name}"));
    import_candles(&path, &dataset.market, dataset.timeframe, ImportOptions::default()).unwrap()
}

#[test]
fn every_candle_file_is_read_whole() {
    for (name, dataset, rows, gaps, missing, reordered) in FILES {
        let (candles, report) = import(name, dataset);
        assert_eq!(report.rows, rows, "{name}");
        assert_eq!(candles.len() as u64, rows, "{name}");
        assert_eq!(report.gaps.len(), gaps, "{name}");
        assert_eq!(report.gaps.iter().map(|gap| gap.missing).sum::<u64>(), missing, "{name}");
        assert_eq!(report.reordered > 0, reordered > 0, "{name}: {}", report.reordered);
        assert_eq!((report.duplicates, report.rejected.len()), (0, 0), "{name}");
    }
}

#[test]
fn the_reference_set_has_its_hash_through_the_lake() {
    let (candles, _) = import(FILES[0].0, FILES[0].1);
    assert_eq!(candles.data_hash().to_string(), REFERENCE_HASH);
    let folder = tempfile::tempdir().unwrap();
    let lake = BlockingLake::open_local(folder.path()).unwrap();
    let report = lake.store_candles(&candles, OnConflict::Refuse).unwrap();
    assert_eq!((report.added, report.partitions.len()), (58_419, 81));
    let dataset: Dataset = FILES[0].1.parse().unwrap();
    let loaded = lake.load(&dataset, ALL_TIME).unwrap();
    assert_eq!(loaded.data_hash().to_string(), REFERENCE_HASH);
    assert_eq!(loaded, candles);
    let from = parse_utc("2018-12-15").unwrap();
    let slice = lake.load(&dataset, from..from + 48 * Timeframe::H1.ms()).unwrap();
    assert_eq!(slice.len(), 48);
    let coverage = lake.list().unwrap().remove(0);
    assert_eq!((coverage.rows, coverage.gaps.len(), coverage.missing), (58_419, 28, 128));
    let again = lake.store_candles(&candles, OnConflict::Refuse).unwrap();
    assert_eq!((again.added, again.unchanged, again.partitions.len()), (0, 58_419, 0));
}

#[test]
fn the_hour_that_coinbase_wrote_out_of_order_is_put_right() {
    let (candles, _) = import(FILES[6].0, FILES[6].1);
    let at = |text| candles.open_time_ms.binary_search(&parse_utc(text).unwrap()).unwrap();
    assert!(candles.open_time_ms.is_sorted());
    assert_eq!(at("2017-11-13") - at("2017-11-12"), 24);
    let last = candles.get(at("2019-10-17T09:00:00Z"));
    assert_eq!((last.close.to_string(), last.volume.to_string()), ("8035.88".into(), "61.25".into()));
    assert_eq!(candles.volume.iter().filter(|volume| volume.0 == 0).count(), 28);
}

#[test]
fn trades_of_all_three_shapes_agree() {
    let market = Market::new("binance", "XRP-ETH").unwrap();
    let read = |name: &str, market: &Market| {
        import_trades(&file(&format!("ticks/{name}")), market, ImportOptions::default()).unwrap()
    };
    let (payload, report) = read("ft_XRP_OLD_trades.json.gz", &market);
    assert_eq!((report.rows, report.duplicates, report.reordered), (12_477, 0, 0));
    assert_eq!((payload[0].id, payload[0].price.to_string()), (13_519_807, "0.00141342".into()));
    assert!(payload.windows(2).all(|pair| pair[1].id == pair[0].id + 1));
    let (parquet, _) = read("binance_XRPETH_trades_2019-10.parquet", &market);
    assert_eq!(payload, parquet);
    let bitcoin = Market::new("binance", "BTC-USDT").unwrap();
    let (single, report) = read("binance_BTCUSDT_trades_2021-01-08.parquet", &bitcoin);
    assert_eq!(report.rows, 2_001);
    assert_eq!(single[2].quantity.to_string(), "0.000311");

    let folder = tempfile::tempdir().unwrap();
    let lake = BlockingLake::open_local(folder.path()).unwrap();
    for (market, trades, kind) in [(market, payload, TradeKind::Aggregate), (bitcoin, single, TradeKind::Single)] {
        let set = TradeSet { market, kind };
        lake.store_trades(&set, &trades, OnConflict::Refuse).unwrap();
        assert_eq!(lake.load_trades(&set, ALL_TIME).unwrap(), trades);
    }
    assert_eq!(lake.list_trades().unwrap().iter().map(|coverage| coverage.rows).sum::<u64>(), 2_001 + 12_477);
}

#[test]
fn mutated_real_files_never_panic_the_importer() {
    let mut state = 7_u64;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for (name, dataset, ..) in [FILES[1], FILES[3], FILES[6]] {
        let dataset: Dataset = dataset.parse().unwrap();
        let whole = std::fs::read(file(&format!("candles/{name}"))).unwrap();
        for round in 0..60 {
            let mut bytes = whole.clone();
            let size = bytes.len();
            for _ in 0..=random(20) {
                // The ends hold headers and footers, the parts that steer a decoder.
                let at = match random(3) {
                    0 => random(size),
                    1 => random(2_000),
                    _ => size - 1 - random(2_000),
                };
                bytes[at] = random(256) as u8;
            }
            if round % 3 == 0 {
                bytes.truncate(random(size));
            }
            let options = ImportOptions { skip_rejected: round % 2 == 0, ignore_unknown_columns: true };
            let _ = parse_candles(name, bytes.into(), &dataset.market, dataset.timeframe, options);
        }
    }
}

#[test]
fn real_minutes_and_trades_resample_as_pandas_does() {
    let text = include_str!("../../../testdata/resample/real_hashes.json");
    let golden: serde_json::Value = serde_json::from_str(text).unwrap();
    let check = |candles: &Candles| {
        let name = format!("{}/{}", candles.market, candles.timeframe);
        assert_eq!(Some(candles.data_hash().to_string().as_str()), golden["hashes"][&name].as_str(), "{name}");
    };
    for (name, dataset, ..) in [FILES[1], FILES[2]] {
        let (minutes, _) = import(name, dataset);
        check(&minutes);
        Timeframe::ALL[1..].iter().for_each(|timeframe| check(&resample_candles(&minutes, *timeframe).unwrap()));
    }
    let market = Market::new("binance", "XRP-ETH").unwrap();
    let path = file("ticks/ft_XRP_OLD_trades.json.gz");
    let (trades, _) = import_trades(&path, &market, ImportOptions::default()).unwrap();
    let end = trades.last().unwrap().time_ms;
    for timeframe in Timeframe::ALL {
        check(&resample_trades(&market, &trades, timeframe, end).unwrap());
    }
}
