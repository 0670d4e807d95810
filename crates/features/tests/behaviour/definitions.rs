//! Feature columns against their definitions, written out plainly: from TA-Lib's
//! recorded answers where it has the indicator, from each window alone otherwise.

use assay_features::{FeatureSpec, FeatureTable};
use assay_types::{Candle, Candles, Market, Timeframe};

use crate::answers;

const CANDLES: &str = include_str!("../../../../testdata/talib/candles.csv");
const EXPECTED: &str = include_str!("../../../../testdata/talib/expected.csv");

/// What a feature does to TA-Lib's value.
type Reshape<'a> = &'a dyn Fn(f64) -> f64;

fn candles() -> Candles {
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").unwrap(), Timeframe::H1);
    for (index, line) in CANDLES.lines().skip(1).enumerate() {
        let fields: Vec<&str> = line.split(',').collect();
        let price = |at: usize| fields[at].parse().unwrap();
        let (open, high, low, close) = (price(0), price(1), price(2), price(3));
        let open_time_ms = index as i64 * Timeframe::H1.ms();
        let candle = Candle { open_time_ms, open, high, low, close, volume: fields[4].parse().unwrap() };
        candle.check(Timeframe::H1).unwrap();
        candles.push(candle);
    }
    candles
}

fn assert_near(name: &str, row: usize, ours: f64, expected: f64) {
    let limit = 1e-9 * expected.abs().max(1.0);
    assert!((ours - expected).abs() <= limit, "{name} at {row}: {ours} instead of {expected}");
}

#[test]
fn features_are_talib_s_values_reshaped() {
    let candles = candles();
    let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
    let answers = answers::read(EXPECTED);
    let talib = |name: &str, row: usize| answers.iter().find(|column| column.0 == name).unwrap().1[row];
    for row in 0..candles.len() {
        let close = candles.close[row].to_f64();
        for name in ["rsi_14", "adx_14", "cci_14", "mfi_14", "stochastic_5_3_3_k", "stochastic_5_3_3_d"] {
            let ours = table.column(name).unwrap()[row];
            talib(name, row).map_or_else(|| assert!(ours.is_nan()), |value| assert_near(name, row, ours, value));
        }
        let reshaped: [(&str, &str, Reshape); 8] = [
            ("return_1", "roc_1", &|value| value / 100.0),
            ("return_4", "roc_4", &|value| value / 100.0),
            ("return_16", "roc_16", &|value| value / 100.0),
            ("macd_12_26_9_line", "macd_12_26_9_line", &|value| value / close),
            ("macd_12_26_9_histogram", "macd_12_26_9_histogram", &|value| value / close),
            ("ema_21_distance", "ema_21", &|value| close / value - 1.0),
            ("ema_50_distance", "ema_50", &|value| close / value - 1.0),
            ("atr_14", "atr_14", &|value| value / close),
        ];
        for (name, raw, shape) in reshaped {
            let ours = table.column(name).unwrap()[row];
            talib(raw, row).map_or_else(|| assert!(ours.is_nan()), |value| assert_near(name, row, ours, shape(value)));
        }
        let bands = ["upper", "middle", "lower"].map(|band| talib(&format!("bollinger_20_2_{band}"), row));
        if let [Some(upper), Some(middle), Some(lower)] = bands {
            let flat = upper - lower < 1e-6;
            let position = if flat { 0.5 } else { (close - lower) / (upper - lower) };
            assert_near("position", row, table.column("bollinger_20_2_position").unwrap()[row], position);
            assert_near("width", row, table.column("bollinger_20_2_width").unwrap()[row], (upper - lower) / middle);
        }
    }
}

#[test]
fn other_features_follow_from_their_window_alone() {
    let candles = candles();
    let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
    let at = |row: usize| {
        let [high, low, close] = [&candles.high, &candles.low, &candles.close].map(|column| column[row].to_f64());
        (close, (high + low + close) / 3.0, candles.volume[row].to_f64())
    };
    let or_zero = |value: f64| if value.is_finite() { value } else { 0.0 };
    let sum = |row: usize, count: usize, term: &dyn Fn(usize) -> f64| (row + 1 - count..=row).map(term).sum::<f64>();
    for row in 100..candles.len() {
        let (close, _, volume) = at(row);
        let near = |name: &str, expected: f64| assert_near(name, row, table.column(name).unwrap()[row], expected);
        near("sma_100_distance", close / (sum(row, 100, &|i| at(i).0) / 100.0) - 1.0);
        let sign = |i: usize| if at(i).0 == at(i - 1).0 { 0.0 } else { (at(i).0 - at(i - 1).0).signum() };
        near("obv_slope_14", or_zero(sum(row, 14, &|i| sign(i) * at(i).2) / sum(row, 14, &|i| at(i).2)));
        near(
            "vwap_24_distance",
            or_zero(close / (sum(row, 24, &|i| at(i).1 * at(i).2) / sum(row, 24, &|i| at(i).2)) - 1.0),
        );
        let mean = sum(row, 20, &|i| at(i).2) / 20.0;
        let deviation = (sum(row, 20, &|i| (at(i).2 - mean).powi(2)) / 20.0).sqrt();
        near("volume_z_score_20", if deviation < 1e-9 { 0.0 } else { (volume - mean) / deviation });
        near("volatility_24", (sum(row, 24, &|i| libm::log(at(i).0 / at(i - 1).0).powi(2)) / 24.0).sqrt());
    }
}
