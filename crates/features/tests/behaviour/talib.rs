//! Every raw column against TA-Lib's recorded answers (R5): same warm-up, values
//! within 1e-10 of the column's scale.

use assay_features::{Bar, Bars, FEATURES, RAW, raw_columns};

use crate::answers;

const CANDLES: &str = include_str!("../../../../testdata/talib/candles.csv");
const EXPECTED: &str = include_str!("../../../../testdata/talib/expected.csv");

fn bars() -> Bars {
    let mut bars = Bars::default();
    for (index, line) in CANDLES.lines().skip(1).enumerate() {
        let values: Vec<f64> = line.split(',').map(|text| text.parse().unwrap()).collect();
        let [open, high, low, close, volume] = values[..] else { panic!("five fields: {line}") };
        bars.push(Bar { open_time_ms: index as i64 * 60_000, open, high, low, close, volume });
    }
    bars
}

#[test]
fn raw_columns_equal_talib() {
    let bars = bars();
    let mut table = Vec::new();
    raw_columns(&bars, &mut table);
    let names: Vec<&str> = RAW.iter().flat_map(|call| call.columns).copied().collect();
    let warm_ups = RAW.iter().flat_map(|call| call.warm_ups).copied();
    let expected = answers::read(EXPECTED);
    assert_eq!(names, expected.iter().map(|column| column.0).collect::<Vec<_>>());
    for ((warm_up, ours), (name, theirs)) in warm_ups.zip(&table).zip(&expected) {
        assert_eq!(ours.len(), theirs.len());
        assert_eq!(theirs.iter().take_while(|value| value.is_none()).count(), warm_up, "{name}: warm-up");
        for (row, (a, b)) in ours.iter().zip(theirs).enumerate() {
            let Some(b) = b else {
                assert!(a.is_nan(), "{name} at {row}: {a} during warm-up");
                continue;
            };
            answers::assert_equal(name, row, bars.close[row], *a, *b);
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
