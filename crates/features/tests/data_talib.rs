//! Raw columns on real candles against TA-Lib's recorded answers, through thousands of
//! candles of running state. Needs the folder named by `ASSAY_TEST_DATA`.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "a test reads its data and fails where it stands")]

#[path = "behaviour/answers.rs"]
mod answers;

use assay_features::{Bar, Bars, raw_columns};

const EXPECTED: &str = include_str!("../../../testdata/talib/expected_kucoin.csv");
/// The recorded rows are the last of each thousand.
const EVERY: usize = 1_000;

fn bars() -> Bars {
    let folder = std::env::var("ASSAY_TEST_DATA").expect("ASSAY_TEST_DATA names the folder of test data");
    let path = format!("{folder}/candles/kucoin_BTCUSDT_1h_2023-2026.csv");
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut bars = Bars::default();
    for (index, line) in text.lines().skip(1).enumerate() {
        let values: Vec<f64> = line.split(',').skip(1).map(|text| text.parse().unwrap()).collect();
        let [open, high, low, close, volume] = values[..] else { panic!("five fields: {line}") };
        bars.push(Bar { open_time_ms: index as i64, open, high, low, close, volume });
    }
    bars
}

#[test]
fn raw_columns_equal_talib_on_real_candles() {
    let bars = bars();
    let mut table = Vec::new();
    raw_columns(&bars, &mut table);
    let expected = answers::read(EXPECTED);
    assert_eq!(expected.len(), table.len());
    for (ours, (name, theirs)) in table.iter().zip(&expected) {
        assert_eq!(theirs.len(), bars.len() / EVERY);
        for (at, value) in theirs.iter().enumerate() {
            let row = (at + 1) * EVERY - 1;
            answers::assert_equal(name, row, bars.close[row], ours[row], value.unwrap());
        }
    }
}
