//! The binary on real market data, from the folder that `ASSAY_TEST_DATA` names.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "the tests run processes and read what they wrote; a panic is how a test fails"
)]

#[allow(dead_code, reason = "shared with the tests that need no data")]
mod support;

mod data_lp;

use std::path::PathBuf;
use std::sync::LazyLock;

use assay_types::time::parse_utc;
use serde_json::{Value, json};
use support::{Home, text, verify};

const REFERENCE: &str = "binance_BTCUSDT_1h_2017-2024.feather";
const DATA_HASH: &str = "e79419a40917d9c08f654bcac426eaa437950332bfb011a302193be6aab9bbbb";

/// A file of the data folder, which must be there.
fn data(name: &str) -> String {
    let folder = std::env::var_os("ASSAY_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let path = folder.join(name);
    assert!(path.exists(), "{} is missing: point ASSAY_TEST_DATA at the folder of real market data", path.display());
    path.display().to_string()
}

fn import(home: &Home, file: &str, exchange: &str, symbol: &str, timeframe: &str) -> Value {
    let file = data(&format!("candles/{file}"));
    let market = ["--exchange", exchange, "--symbol", symbol, "--timeframe", timeframe];
    home.json(&[&["data", "import", &file], &market[..]].concat())
}

/// A home that holds the reference candles, and what their import said.
static REFERENCE_HOME: LazyLock<(Home, Value)> = LazyLock::new(|| {
    let home = Home::new();
    let done = import(&home, REFERENCE, "binance", "BTC-USDT", "1h");
    (home, done)
});

#[test]
fn the_reference_candles_have_their_published_hash_and_gaps() {
    let (home, done) = &*REFERENCE_HOME;
    assert_eq!((text(&done["data_hash"]), &done["rows"]), (DATA_HASH, &json!(58_419)));
    assert_eq!((done["gaps"].as_array().unwrap().len(), &done["missing"]), (28, &json!(128)));
    let listed = &home.json(&["data", "list"])["datasets"][0];
    assert_eq!((&listed["rows"], &listed["missing"]), (&json!(58_419), &json!(128)));
    home.assay(&["data", "check"]).expect(0, &["58419 rows", "sound"]);
}

#[test]
fn rules_on_the_reference_candles_have_the_published_hashes() {
    let home = &REFERENCE_HOME.0;
    let vectors = [
        ("long", "cc7b8376875f6ceef3d27be99313c6eb221bd1522c0ea8b6271959dc34f63578", "150454.34599543", 1),
        ("short", "4a0794c8095c305a67ef2a545f71fd54a0a6f92e037add763c964c763445fa1c", "-1.34473769", 1),
        (
            "sma-cross:24:168",
            "ceb5fcbb33c57caa75dc33b6a57f1a1fffef7782fb6b7b7bedd6fc43f944c53f",
            "116634.3911807",
            1_033,
        ),
    ];
    for (strategy, equity_hash, final_equity, fills) in vectors {
        let out = home.file(&format!("report-{}", strategy.replace(':', "-")));
        let rule = ["backtest", "--strategy", strategy, "--dataset", "binance/BTC-USDT/1h"];
        let costs = ["--tick", "0.01", "--step", "1e-12", "--fee-ppm", "1000", "--slippage-ticks", "3"];
        let rest = ["--fill", "close", "--out", out.to_str().unwrap()];
        let done = home.json(&[&rule[..], &costs, &rest].concat());
        assert_eq!(text(&done["data_hash"]), DATA_HASH, "{strategy}");
        assert_eq!(text(&done["equity_hash"]), equity_hash, "{strategy}");
        assert_eq!((text(&done["final_equity"]), &done["fills"]), (final_equity, &json!(fills)), "{strategy}");
        for given in [None, Some(strategy)] {
            let found = verify(&out, given);
            assert_eq!(
                (text(&found["data_hash"]), text(&found["equity_hash"])),
                (DATA_HASH, equity_hash),
                "{strategy}"
            );
        }
    }
}

#[test]
fn buy_and_hold_without_costs_has_the_published_metrics() {
    let home = &REFERENCE_HOME.0;
    let rule = ["backtest", "--strategy", "long", "--dataset", "binance/BTC-USDT/1h", "--tick", "0.01"];
    // Ratios do not depend on the cash, but their last digits on how finely it is counted.
    let costs = ["--step", "1e-12", "--fee-ppm", "0", "--slippage-ticks", "0", "--cash", "100000000"];
    let done = home.json(&[&rule[..], &costs].concat());
    for (name, published) in [
        ("sharpe", 0.910_455_370_165_320_5),
        ("sortino", 1.288_088_180_738_518_7),
        ("max_drawdown", -0.839_059_844_237_550_4),
        ("cagr", 0.501_833_672_988_745_6),
        ("calmar", 0.598_090_441_862_057_4),
    ] {
        let found = done["metrics"][name].as_f64().unwrap();
        assert!((found - published).abs() <= 1e-12, "{name}: {found} against {published}");
    }
    // The candle that opens at 15:00 closes an hour later.
    let trough_ms = parse_utc("2018-12-15T16:00:00Z").unwrap();
    assert_eq!(done["worst_drawdowns"][0]["trough_ms"], json!(trough_ms));
}

#[test]
fn every_candle_file_is_imported_whole() {
    let files = [
        ("binance_BTCUSDT_1m.feather", "binance", "BTC-USDT", "1m", 43_209),
        ("binance_ETHUSDT_1m.feather", "binance", "ETH-USDT", "1m", 43_208),
        ("kucoin_BTCUSDT_1h_2023-2026.csv", "kucoin", "BTC-USDT", "1h", 21_611),
        ("kucoin_ETHUSDT_1h_2023-2026.csv", "kucoin", "ETH-USDT", "1h", 21_611),
        ("kucoin_BTCUSDT_15m_2025-2026.feather", "kucoin", "BTC-USDT", "15m", 46_201),
        ("bybit_BTCUSDT-perp_5m.feather", "bybit", "BTC-USDT-PERP", "5m", 38_972),
        ("coinbase_BTCUSD_1h.csv", "coinbase", "BTC-USD", "1h", 20_111),
    ];
    let home = Home::new();
    for (file, exchange, symbol, timeframe, rows) in files {
        let done = import(&home, file, exchange, symbol, timeframe);
        assert_eq!((&done["rows"], &done["added"]), (&json!(rows), &json!(rows)), "{file}");
        assert_eq!(done["rejected"], json!([]), "{file}");
        assert_eq!((&done["missing"], &done["duplicates"]), (&json!(0), &json!(0)), "{file}: {done}");
        // Coinbase's file is really mis-ordered on one day.
        assert_eq!(done["reordered"].as_u64() > Some(0), exchange == "coinbase", "{file}: {done}");
    }
    home.assay(&["data", "check"]).expect(0, &["sound"]);
    assert_eq!(home.json(&["data", "list"])["datasets"].as_array().unwrap().len(), files.len());
    let again = import(&home, "coinbase_BTCUSD_1h.csv", "coinbase", "BTC-USD", "1h");
    assert_eq!(again["added"], json!(0));
}

#[test]
fn the_demo_on_the_reference_file_ends_with_an_audit_of_the_same_equity() {
    let home = Home::new();
    let file = data(&format!("candles/{REFERENCE}"));
    let done = home.json(&["demo", "--data", &file]);
    assert_eq!((text(&done["dataset"]), &done["synthetic"]), ("binance/BTC-USDT/1h", &json!(false)));
    let names: Vec<&str> = done["steps"].as_array().unwrap().iter().map(|step| text(&step["name"])).collect();
    assert_eq!(names, ["data", "features", "train", "back-test", "signals", "audit", "liquidity"]);
    let audit = home.json(&["audit", text(&done["signals"]), "--dataset", "binance/BTC-USDT/1h"]);
    assert_eq!((&audit["equity_hash"], &audit["forged"]), (&done["equity_hash"], &json!([])));
    let found = verify(&home.run(text(&done["run_id"])), None);
    assert_eq!(found["equity_hash"], done["equity_hash"]);
    let page = std::fs::read_to_string(text(&done["report"])).unwrap();
    assert!(!page.to_lowercase().contains("synthetic data"), "real data are not called synthetic");
}

const HISTORY: &str = "liquidity/velodrome-slipstream-op-weth-op-cl200-0x1e60272c.events.csv.gz";
const RAW_DAY: &str = "liquidity/uniswapv3-eth-usdc-weth-500-0x88e6-2024-01-05.rawlogs.csv.xz";

#[test]
fn the_slipstream_history_replays_to_its_published_end() {
    let home = Home::new();
    let history = data(HISTORY);
    let pool = ["--kind", "slipstream", "--tick-spacing", "200", "--fee-pips", "3000"];
    let price = ["--sqrt-price", "2258127719792565547181614648221"];
    let done = home.json(&[&["pool", "replay", &history], &pool[..], &price].concat());
    assert_eq!((&done["events"], &done["mismatches"]), (&json!(159_360), &json!(0)));
    assert_eq!(done["events_by_kind"], json!({"swap": 141_107, "mint": 9_516, "burn": 8_737}));
    assert_eq!(text(&done["final"]["sqrt_price_x96"]), "3432731807116075811665117858459");
    assert_eq!(text(&done["final"]["liquidity"]), "82696101105165102513143");
    assert_eq!((&done["final"]["tick"], &done["final"]["initialised_ticks"]), (&json!(75_379), &json!(63)));
    let changes = done["fee_changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["to_pips"], &changes[0]["block"]), (1, &json!(500), &json!(120_487_238)));
}

#[test]
fn a_day_from_the_middle_of_a_pool_asks_for_its_state() {
    let day = data(RAW_DAY);
    let pool = ["--kind", "uniswap-v3", "--tick-spacing", "10", "--fee-pips", "500"];
    for price in [&[][..], &["--sqrt-price", "1662909073092105812178044170293496"]] {
        let answer = Home::new().assay(&[&["pool", "replay", &day], &pool[..], price].concat());
        answer.expect(2, &["line 2", "does not begin at the pool's creation", "--state"]);
    }
}

/// One recorded answer of every family; the engine's own tests compare them all.
#[test]
fn recorded_states_quote_the_recorded_answers() {
    let home = Home::new();
    let quotes = [
        ("1/uniswap_v3_wbtc_weth_block_24407242", "uniswap-v3", "WBTC WETH in 100000000", "32982764440913130895"),
        ("1/uniswap_v4_eth_usdc_block_24407242", "uniswap-v4", "ETH USDC out 1", "479617109"),
        ("1/balancer_weighted_usdc_weth_50_50", "balancer-weighted", "0 1 in 11108622980", "4707948342591065357"),
        ("1/balancer_weighted_dai_gp_weth_usdt_4_token", "balancer-weighted", "0 3 out 786695", "874796037219120832"),
        ("1/balancer_stable_bb_s_usd", "balancer-composable-stable", "2 1 in 300000000000", "299984999499"),
        ("1/curve_tripool_block_24407242", "curve-plain", "USDC USDT in 1383123557927", "1383863675206"),
        ("1/curve_tricrypto_block_24407242", "curve-crypto-three", "WBTC WETH in 1293487", "424301563080145871"),
        (
            "8453/aerodrome_v3_cbeth_weth_block_46875151",
            "slipstream",
            "0 1 in 140668057545414950912",
            "159101796699501569407",
        ),
        (
            "8453/aerodrome_v2_dola_usdbc_stable_block_46875151",
            "solidly-stable",
            "USDbC DOLA in 17864291106",
            "17756508337375211479925",
        ),
        (
            "8453/aerodrome_v2_tbtc_weth_volatile_block_46875151",
            "solidly-volatile",
            "0 WETH in 168067121479382400",
            "4784142339793624269",
        ),
    ];
    for (state, kind, question, expected) in quotes {
        let state = data(&format!("arbitrage/quotes/states/chain_data/{state}.json"));
        let [token_in, token_out, side, amount] = question.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{question}")
        };
        let (option, answer) = if side == "in" { ("--amount-in", "amount_out") } else { ("--amount-out", "amount_in") };
        let tokens = ["--token-in", token_in, "--token-out", token_out, option, amount];
        let done = home.json(&[&["quote", &state, "--live"], &tokens[..]].concat());
        assert_eq!((text(&done["kind"]), text(&done[answer])), (kind, expected), "{done}");
        assert!(done["block"].is_u64() && done["max_in_reason"].is_null() == done["max_in"].is_string());
    }
}
