//! The published vectors of R1 and R2 on the real reference candles.

use std::fs::File;
use std::path::PathBuf;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, TimeUnit};
use assay_sim::{Backtest, End, Rules, Strategy, Trials, backtest, measure};
use assay_types::time::format_utc;
use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};

/// The reference file, from the folder that `ASSAY_TEST_DATA` names.
#[expect(clippy::disallowed_methods, reason = "the place of the data is given by the environment")]
fn reference_candles() -> Candles {
    let folder = std::env::var("ASSAY_TEST_DATA").unwrap_or_else(|_| "../../../shared/data".to_owned());
    let path = PathBuf::from(folder).join("candles/binance_BTCUSDT_1h_2017-2024.feather");
    let file = File::open(&path).unwrap_or_else(|error| panic!("{}: {error}: set ASSAY_TEST_DATA", path.display()));
    let mut candles = Candles::new(Market::new("binance", "BTC-USDT").unwrap(), Timeframe::H1);
    for batch in arrow_ipc::reader::FileReader::try_new(file, None).unwrap() {
        append(&mut candles, &batch.unwrap());
    }
    candles
}

fn append(candles: &mut Candles, batch: &RecordBatch) {
    let column =
        |name: &str| batch.column_by_name(name).unwrap_or_else(|| panic!("no column {name} in {:?}", batch.schema()));
    let times = column("date");
    let unit_ms = match times.data_type() {
        DataType::Timestamp(TimeUnit::Millisecond, _) => 1.0,
        DataType::Timestamp(TimeUnit::Nanosecond, _) => 1e-6,
        other => panic!("the dates are {other}"),
    };
    let times =
        arrow_array::Int64Array::from(times.to_data().into_builder().data_type(DataType::Int64).build().unwrap());
    let times = (&times as &dyn Array).as_primitive::<Int64Type>();
    let values = ["open", "high", "low", "close", "volume"].map(|name| column(name).as_primitive::<Float64Type>());
    for row in 0..batch.num_rows() {
        let [open, high, low, close, volume] = values.map(|values| values.value(row));
        let price = |value| Price::from_f64(value).unwrap();
        candles.push(Candle {
            open_time_ms: (times.value(row) as f64 * unit_ms).round() as i64,
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: Qty::from_f64(volume).unwrap(),
        });
    }
}

fn run(candles: &Candles, strategy: &str) -> Backtest {
    let mut decider = strategy.parse::<Strategy>().unwrap().decider();
    let rules = Rules::new("0.01".parse().unwrap());
    backtest(candles, &rules, 0..candles.len(), |view| decider.decide(view)).unwrap()
}

#[test]
fn the_candles_have_the_published_hash() {
    let candles = reference_candles();
    assert_eq!(candles.len(), 58_419);
    assert_eq!(candles.data_hash().to_string(), "e79419a40917d9c08f654bcac426eaa437950332bfb011a302193be6aab9bbbb");
}

#[test]
fn the_three_policies_have_the_published_equity() {
    let candles = reference_candles();
    for (strategy, hash, last_equity, fills, end) in [
        (
            "long",
            "cc7b8376875f6ceef3d27be99313c6eb221bd1522c0ea8b6271959dc34f63578",
            15_045_434_599_543,
            1,
            End::Truncated,
        ),
        ("short", "4a0794c8095c305a67ef2a545f71fd54a0a6f92e037add763c964c763445fa1c", -134_473_769, 1, End::Terminated),
        (
            "sma-cross:24:168",
            "ceb5fcbb33c57caa75dc33b6a57f1a1fffef7782fb6b7b7bedd6fc43f944c53f",
            11_663_439_118_070,
            1_033,
            End::Truncated,
        ),
    ] {
        let result = run(&candles, strategy);
        assert_eq!(result.last_equity().0, last_equity, "{strategy}");
        assert_eq!((result.fills.len(), result.end), (fills, end), "{strategy}");
        assert_eq!(result.equity_hash().to_string(), hash, "{strategy}");
    }
}

#[test]
fn buy_and_hold_has_the_golden_metrics() {
    let candles = reference_candles();
    let rules = Rules { fee_ppm: 0, slippage_ticks: 0, ..Rules::new("0.01".parse().unwrap()) };
    let mut decider = Strategy::Long.decider();
    let result = backtest(&candles, &rules, 0..candles.len(), |view| decider.decide(view)).unwrap();
    let performance = measure(&candles, &rules, &result, &Trials::default()).unwrap();
    for (name, golden) in [
        ("sharpe", 0.910_455_370_165_320_5),
        ("sortino", 1.288_088_180_738_518_7),
        ("max_drawdown", -0.839_059_844_237_550_4),
        ("cagr", 0.501_833_672_988_745_6),
        ("calmar", 0.598_090_441_862_057_4),
        ("sharpe_daily", 0.927_229_375_687_072_8),
    ] {
        let value = performance.metrics.get(name).unwrap();
        assert!((value / golden - 1.0).abs() < 1e-12, "{name} is {value}, not {golden}");
    }
    // The golden time names the candle by its open; the row is at its close.
    let trough_ms = performance.worst_drawdowns[0].trough_ms - Timeframe::H1.ms();
    assert_eq!(format_utc(trough_ms), "2018-12-15T15:00:00Z");
}
