//! Scalers and splits: nothing of the test reaches training, and bad splits are named.

use assay_features::{
    FeatureError, FeatureSpec, FeatureTable, Preset, ScalerKind, Split, SplitDates, feature_hash, fit,
};
use assay_types::{Candles, Price, Timeframe};

use crate::made;

fn dates(candles: &Candles, train: usize, test: usize, end: usize) -> SplitDates {
    let time = |index: usize| candles.open_time_ms[index];
    SplitDates { train_start_ms: time(train), test_start_ms: time(test), test_end_ms: time(end - 1) + 1 }
}

#[test]
fn training_features_do_not_change_with_the_test() {
    let candles = made::candles(&made::wavy(2_000));
    let mut other = candles.clone();
    for index in 1_500..2_000 {
        for column in [&mut other.open, &mut other.high, &mut other.low, &mut other.close] {
            column[index] = Price(column[index].0 * 3);
        }
    }
    for scaler in [ScalerKind::Standard, ScalerKind::MinMax, ScalerKind::Robust] {
        let spec = FeatureSpec { scaler, ..FeatureSpec::default() };
        let [(ours, tested), (theirs, tested_otherwise)] = [&candles, &other].map(|candles| {
            let table = FeatureTable::build(candles, &spec).unwrap();
            let split = Split::by_dates(candles, dates(candles, 0, 1_500, 2_000), table.warm_up(), false).unwrap();
            let scaling = fit(&table, &split.training_rows(), scaler).unwrap();
            (table.scaled(&scaling, split.train()), table.scaled(&scaling, split.test()))
        });
        assert!(ours.iter().all(|value| value.is_finite()));
        assert_eq!(ours, theirs, "{scaler:?}");
        assert_ne!(tested, tested_otherwise, "{scaler:?}");
    }
}

#[test]
fn scaled_training_columns_have_the_scaler_s_shape() {
    let candles = made::candles(&made::wavy(1_000));
    let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
    let split = Split::by_dates(&candles, dates(&candles, 0, 900, 1_000), table.warm_up(), false).unwrap();
    let width = table.names().len();
    for kind in [ScalerKind::Standard, ScalerKind::MinMax] {
        let scaling = fit(&table, &split.training_rows(), kind).unwrap();
        let rows = table.scaled(&scaling, split.train());
        for (column, name) in table.names().iter().enumerate() {
            let values: Vec<f64> = rows.iter().skip(column).step_by(width).map(|&value| f64::from(value)).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let spread = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
            match kind {
                _ if name == "gap" => assert_eq!((scaling.factor[column], mean), (1.0, 0.0)),
                ScalerKind::Standard => {
                    assert!(mean.abs() < 1e-6 && (spread - 1.0).abs() < 1e-4, "{name}: {mean} {spread}");
                }
                _ => assert!(values.iter().all(|value| (-1e-6..=1.000_001).contains(value)), "{name}"),
            }
        }
    }
    let early = Split::new(10..200, 300..320, 320..400).unwrap();
    let refused = fit(&table, &early.training_rows(), ScalerKind::Standard);
    assert!(matches!(refused, Err(FeatureError::NotFinite { row: 10, .. })), "{refused:?}");
    let late = Split::new(100..2_000, 2_000..2_010, 2_010..2_020).unwrap();
    assert!(matches!(fit(&table, &late.training_rows(), ScalerKind::Robust), Err(FeatureError::PastTheEnd { .. })));
}

#[test]
fn the_training_side_is_cut_as_documented() {
    let candles = made::candles(&made::wavy(2_000));
    let split = Split::by_dates(&candles, dates(&candles, 0, 1_500, 2_000), 99, false).unwrap();
    // 1,401 usable candles: the last 280 less 99 validate.
    assert_eq!((split.train(), split.validation(), split.test()), (99..1_220, 1_319..1_500, 1_500..2_000));
    let later = Split::by_dates(&candles, dates(&candles, 500, 1_500, 1_800), 99, false).unwrap();
    assert_eq!((later.train(), later.validation(), later.test()), (500..1_300, 1_399..1_500, 1_500..1_800));
    let text = serde_json::to_string(&later).unwrap();
    assert_eq!(text, r#"{"train":[500,1300],"validation":[1399,1500],"test":[1500,1800]}"#);
    assert_eq!(serde_json::from_str::<Split>(&text).unwrap(), later);
    assert!(serde_json::from_str::<Split>(&text.replace("1399", "1299")).is_err());
}

#[test]
fn bad_splits_are_named() {
    let candles = made::candles(&made::wavy(1_000));
    let good = dates(&candles, 0, 800, 1_000);
    let by = |dates, warm_up| Split::by_dates(&candles, dates, warm_up, false);
    let swapped = SplitDates { train_start_ms: good.test_start_ms, test_start_ms: good.train_start_ms, ..good };
    assert!(matches!(by(swapped, 10), Err(FeatureError::Overlap { .. })));
    let ended = SplitDates { test_end_ms: good.test_start_ms, ..good };
    assert!(matches!(by(ended, 10), Err(FeatureError::Overlap { .. })));
    let year = 365 * 86_400_000;
    let future =
        SplitDates { test_start_ms: good.test_end_ms + year, test_end_ms: good.test_end_ms + 2 * year, ..good };
    assert!(matches!(by(future, 10), Err(FeatureError::EmptyPart { part: "test", candles: 0, .. })));
    let short = dates(&candles, 750, 800, 1_000);
    assert!(matches!(by(short, 10), Err(FeatureError::EmptyPart { part: "validation", candles: 50, needed: 55, .. })));
    assert!(by(dates(&candles, 745, 800, 1_000), 10).is_ok());
    assert!(matches!(by(short, 2_000), Err(FeatureError::EmptyPart { part: "train", .. })));
    assert!(matches!(Split::new(0..10, 5..20, 20..30), Err(FeatureError::Overlap { .. })));
    assert!(matches!(Split::new(0..10, 10..10, 20..30), Err(FeatureError::EmptyPart { .. })));
}

#[test]
fn gaps_on_the_training_side_need_permission() {
    let mut steps = made::wavy(1_000);
    steps[400].missing = 2;
    steps[500].missing = 5;
    steps[900].missing = 7;
    let candles = made::candles(&steps);
    let dates = dates(&candles, 0, 800, 1_000);
    let refused = Split::by_dates(&candles, dates, 20, false).unwrap_err();
    assert!(matches!(refused, FeatureError::Gaps { count: 2, missing: 7, .. }), "{refused}");
    assert!(refused.to_string().contains("allow_gaps"));
    assert!(Split::by_dates(&candles, dates, 20, true).is_ok());
    let after = SplitDates { train_start_ms: candles.open_time_ms[500], ..dates };
    assert!(Split::by_dates(&candles, after, 20, false).is_ok(), "a gap before the first training candle is none");
}

#[test]
fn presets_shrink_with_a_notice() {
    let long = made::candles(&made::wavy(9_000));
    let (dates, notice) = Preset::Short.dates(&long, 99).unwrap();
    assert_eq!(notice, None);
    let split = Split::by_dates(&long, dates, 99, false).unwrap();
    assert_eq!((split.train().start, split.test()), (9_000 - 2 * 4_383, 9_000 - 4_383..9_000));
    let (dates, notice) = Preset::Medium.dates(&long, 99).unwrap();
    assert!(notice.unwrap().contains("shrunk to 4450 a side"));
    let split = Split::by_dates(&long, dates, 99, false).unwrap();
    assert_eq!((split.train().start, split.test()), (100, 4_550..9_000));
    assert!(matches!(Preset::Long.dates(&long.slice(0..100), 99), Err(FeatureError::EmptyPart { .. })));
}

#[test]
fn the_published_hash_comes_out() {
    let candles = made::candles(&made::wavy(1_000));
    assert_eq!(candles.timeframe, Timeframe::H1);
    let split = Split::by_dates(&candles, dates(&candles, 0, 800, 1_000), 99, false).unwrap();
    let spec = FeatureSpec::default();
    let hash = feature_hash(assay_types::Hash::of(b"candles"), &spec, &split).unwrap();
    assert_eq!(hash.to_string(), "13f9b8d87c9a311cc208f64411b5c62c4888cae8107126d50e8571c5a51e51fc");
    assert_eq!(spec.columns.len(), 28);
}
