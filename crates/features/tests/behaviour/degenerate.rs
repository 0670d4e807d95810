//! What every feature is worth when prices stand still or nothing is traded.

use crate::made::{self, Step};
use assay_features::{FeatureSpec, FeatureTable};

/// The last row of the default features over 200 candles of `step`, without the clock.
fn last_row(step: Step) -> Vec<(String, f64)> {
    let candles = made::candles(&[step; 200]);
    let table = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
    let clock = |name: &str| name.starts_with("hour") || name.starts_with("weekday");
    let columns = table.names().iter().zip(table.columns());
    columns.filter(|(name, _)| !clock(name)).map(|(name, column)| (name.clone(), column[199])).collect()
}

fn named(row: &[(String, f64)], name: &str) -> f64 {
    row.iter().find(|column| column.0 == name).unwrap().1
}

#[test]
fn flat_prices_give_zeros_and_the_middle_of_the_bands() {
    for volume in [0, 5_000] {
        let row = last_row(Step { change: 0, reach: (0, 0), volume, missing: 0 });
        for (name, value) in &row {
            let expected = if name == "bollinger_20_2_position" { 0.5 } else { 0.0 };
            assert!((value - expected).abs() < 1e-15, "{name} is {value} with volume {volume}");
        }
        for exact in ["rsi_14", "adx_14", "cci_14", "mfi_14", "stochastic_5_3_3_k", "bollinger_20_2_width", "return_1"]
        {
            assert_eq!(named(&row, exact), 0.0, "{exact}");
        }
    }
}

#[test]
fn without_volume_its_features_are_zero() {
    let row = last_row(Step { change: 10, reach: (5, 5), volume: 0, missing: 0 });
    for name in ["mfi_14", "obv_slope_14", "vwap_24_distance", "volume_z_score_20"] {
        assert_eq!(named(&row, name), 0.0, "{name}");
    }
    assert_eq!(named(&row, "rsi_14"), 100.0);
}

#[test]
fn a_steady_rise_on_constant_volume_is_at_the_top() {
    let row = last_row(Step { change: 10, reach: (0, 0), volume: 700, missing: 0 });
    for (name, value) in [("rsi_14", 100.0), ("mfi_14", 100.0), ("adx_14", 100.0), ("obv_slope_14", 1.0)] {
        assert!((named(&row, name) - value).abs() < 1e-9, "{name} is {}", named(&row, name));
    }
    assert_eq!(named(&row, "volume_z_score_20"), 0.0);
    assert!(named(&row, "bollinger_20_2_position") > 0.8);
    for name in ["ema_9_distance", "ema_50_distance", "sma_100_distance", "vwap_24_distance", "return_16"] {
        assert!(named(&row, name) > 0.0, "{name}");
    }
}

#[test]
fn a_gap_is_a_flag_and_changes_nothing_else() {
    let whole = [Step { change: 7, reach: (3, 4), volume: 900, missing: 0 }; 200];
    let mut holed = whole;
    holed[150].missing = 3;
    let build = |steps: &[Step]| FeatureTable::build(&made::candles(steps), &FeatureSpec::default()).unwrap();
    let (whole, holed) = (build(&whole), build(&holed));
    for (name, column) in whole.names().iter().zip(whole.columns()) {
        let other = holed.column(name).unwrap();
        match name.as_str() {
            "gap" => assert_eq!((column[150], other[150], other[151]), (0.0, 0.75, 0.0)),
            name if name.contains("_sin") || name.contains("_cos") => {}
            _ => assert_eq!(column[100..], other[100..], "{name}"),
        }
    }
}
