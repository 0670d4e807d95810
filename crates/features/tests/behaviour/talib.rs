//! Every raw column against TA-Lib's recorded answers (R5): same warm-up, values
//! within 1e-10 of the column's scale.

use assay_features::{Bar, Bars, FEATURES, RAW, raw_columns};

const CANDLES: &str = include_str!("../../../../testdata/talib/candles.csv");
const EXPECTED: &str = include_str!("../../../../testdata/talib/expected.csv");
const TOLERANCE: f64 = 1e-10;
const OSCILLATOR_SCALE: f64 = 100.0;

fn bars() -> Bars {
    let mut bars = Bars::default();
    for (index, line) in CANDLES.lines().skip(1).enumerate() {
        let values: Vec<f64> = line.split(',').map(|text| text.parse().unwrap()).collect();
        let [open, high, low, close, volume] = values[..] else { panic!("five fields: {line}") };
        bars.push(Bar { open_time_ms: index as i64 * 60_000, open, high, low, close, volume });
    }
    bars
}

/// TA-Lib's columns by name; an empty field is a value that does not exist yet.
fn expected() -> Vec<(&'static str, Vec<Option<f64>>)> {
    let mut lines = EXPECTED.lines().filter(|line| !line.starts_with('#'));
    let mut columns: Vec<_> = lines.next().unwrap().split(',').map(|name| (name, Vec::new())).collect();
    for line in lines {
        for (column, text) in columns.iter_mut().zip(line.split(',')) {
            column.1.push(if text.is_empty() { None } else { Some(text.parse().unwrap()) });
        }
    }
    columns
}

/// Prices are compared on the scale of the close, oscillators on 100, volume on itself.
fn scale(column: &str, close: f64) -> f64 {
    const PRICES: [&str; 8] = ["sma", "ema", "macd", "bollinger", "atr", "true", "standard", "momentum"];
    match column.split('_').next().unwrap() {
        name if PRICES.contains(&name) => close,
        "obv" => 0.0,
        _ => OSCILLATOR_SCALE,
    }
}

#[test]
fn raw_columns_equal_talib() {
    let bars = bars();
    let mut table = Vec::new();
    raw_columns(&bars, &mut table);
    let names: Vec<&str> = RAW.iter().flat_map(|call| call.columns).copied().collect();
    let warm_ups = RAW.iter().flat_map(|call| call.warm_ups).copied();
    let expected = expected();
    assert_eq!(names, expected.iter().map(|column| column.0).collect::<Vec<_>>());
    for ((warm_up, ours), (name, theirs)) in warm_ups.zip(&table).zip(&expected) {
        assert_eq!(ours.len(), theirs.len());
        assert_eq!(theirs.iter().take_while(|value| value.is_none()).count(), warm_up, "{name}: warm-up");
        for (row, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let Some(b) = b else {
                assert!(a.is_nan(), "{name} at {row}: {a} during warm-up");
                continue;
            };
            let limit = TOLERANCE * b.abs().max(scale(name, bars.close[row]));
            assert!((a - b).abs() <= limit, "{name} at {row}: {a} instead of {b}, limit {limit:e}");
        }
    }
}

#[test]
fn features_made_of_talib_values_share_its_warm_up() {
    let raw: Vec<_> = RAW.iter().flat_map(|call| call.columns.iter().zip(call.warm_ups)).collect();
    let mut shared = 0;
    for (name, warm_up) in FEATURES.iter().flat_map(|feature| feature.columns.iter().zip(feature.warm_ups)) {
        let name = name.trim_end_matches("_distance");
        if let Some((_, theirs)) = raw.iter().find(|column| *column.0 == name) {
            assert_eq!(warm_up, *theirs, "{name}");
            shared += 1;
        }
    }
    assert!(shared > 8, "only {shared} columns share a name");
}
