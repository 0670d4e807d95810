//! The look-ahead check passes our features and names a planted leak.

use assay_features::lookahead::{check, cuts};
use assay_features::{FeatureSpec, FeatureTable};
use assay_types::Candles;
use proptest::prelude::*;

use crate::made;

fn candles(count: usize) -> Candles {
    made::candles(&made::wavy(count))
}

/// Our features, and one more column that `leak` makes of all closes.
fn with_column(candles: &Candles, name: &str, leak: impl Fn(&[f64], usize) -> f64) -> FeatureTable {
    let table = FeatureTable::build(candles, &FeatureSpec::default()).unwrap();
    let closes: Vec<f64> = candles.close.iter().map(|price| price.to_f64()).collect();
    let (mut names, mut columns) = (table.names().to_vec(), table.columns().to_vec());
    names.insert(3, name.to_owned());
    columns.insert(3, (0..closes.len()).map(|index| leak(&closes, index)).collect());
    FeatureTable::from_columns(candles, names, columns, table.warm_up())
}

#[test]
fn our_features_do_not_look_ahead() {
    let candles = candles(700);
    let build = |candles: &Candles| FeatureTable::build(candles, &FeatureSpec::default()).unwrap();
    assert_eq!(check(&candles, build, &cuts(candles.len(), 12)), Ok(()));
}

#[test]
fn a_one_candle_peek_is_named_with_its_first_row() {
    let candles = candles(300);
    let peek = |closes: &[f64], index: usize| closes.get(index + 1).unwrap_or(&closes[index]) / closes[index] - 1.0;
    let leak = check(&candles, |candles| with_column(candles, "tomorrow", peek), &[100, 200]).unwrap_err();
    assert_eq!((leak.column.as_str(), leak.row, leak.cut), ("tomorrow", 99, 100));
    assert!(leak.to_string().contains("looks ahead"), "{leak}");
}

#[test]
fn scaling_by_the_whole_dataset_is_a_leak() {
    let candles = candles(300);
    let mean = |closes: &[f64]| closes.iter().sum::<f64>() / closes.len() as f64;
    let leak = check(&candles, |c| with_column(c, "scaled_close", |closes, i| closes[i] - mean(closes)), &[150]);
    let leak = leak.unwrap_err();
    assert_eq!((leak.column.as_str(), leak.row), ("scaled_close", 0));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_peek_of_up_to_five_candles_is_caught(ahead in 1_usize..6, cut in 120_usize..250) {
        let candles = candles(260);
        let peek = |closes: &[f64], index: usize| closes.get(index + ahead).copied().unwrap_or(f64::NAN);
        let leak = check(&candles, |candles| with_column(candles, "peek", peek), &[cut]).unwrap_err();
        prop_assert_eq!((leak.column.as_str(), leak.row), ("peek", cut - ahead));
    }
}

#[test]
fn cuts_lie_inside() {
    assert_eq!(cuts(100, 3), [26, 52, 78]);
    assert_eq!(cuts(1, 3), Vec::<usize>::new());
    assert!(cuts(5, 10).iter().all(|&cut| cut < 5));
}
