//! One candle at a time, all at once, or stopped and resumed anywhere: the same bits.

use assay_features::archive::Archive;
use assay_features::indicator::{Indicator, MAX_COLUMNS};
use assay_features::{Bars, FEATURES, FeatureError, FeatureSpec, FeatureStream, FeatureTable, RAW, StreamState};
use assay_types::{Candles, Timeframe};
use proptest::prelude::*;

use crate::made;

fn bits(row: &[f64]) -> Vec<u64> {
    row.iter().map(|value| if value.is_nan() { u64::MAX } else { value.to_bits() }).collect()
}

fn table_row(table: &FeatureTable, index: usize) -> Vec<u64> {
    let mut row = vec![0.0; table.names().len()];
    table.row(index, &mut row);
    bits(&row)
}

/// Streams `candles[from..]` and compares each row with the table's.
fn continues(stream: &mut FeatureStream, table: &FeatureTable, candles: &Candles, from: usize) {
    for (index, candle) in candles.iter().enumerate().skip(from) {
        let row = bits(stream.update(&candle).unwrap());
        assert_eq!(row, table_row(table, index), "row {index}, columns {:?}", table.names());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn stream_and_table_agree_at_every_split(steps in made::steps(1..120), at in 0.0..1.0_f64) {
        let candles = made::candles(&steps);
        let spec = FeatureSpec::default();
        let table = FeatureTable::build(&candles, &spec).unwrap();
        continues(&mut FeatureStream::new(&spec, candles.timeframe).unwrap(), &table, &candles, 0);
        let split = (at * (candles.len() + 1) as f64) as usize;
        let (_, stream) = FeatureTable::build_with_stream(&candles.slice(0..split), &spec).unwrap();
        let text = serde_json::to_string(&stream.state().unwrap()).unwrap();
        let state: StreamState = serde_json::from_str(&text).unwrap();
        let mut resumed = FeatureStream::resume(&state).unwrap();
        prop_assert_eq!(resumed.seen(), split as u64);
        continues(&mut resumed, &table, &candles, split);
        continues(&mut stream.clone(), &table, &candles, split);
    }

    #[test]
    fn every_indicator_agrees_at_any_two_cuts(
        steps in made::steps(40..160), a in 0.0..1.0_f64, b in 0.0..1.0_f64,
    ) {
        let bars = Bars::from(&made::candles(&steps));
        let place = |share: f64| (share * (bars.len() + 1) as f64) as usize;
        let cuts = [place(a.min(b)), place(a.max(b))];
        for feature in FEATURES.iter().chain(RAW) {
            let width = feature.columns.len();
            let mut one = (feature.start)(Timeframe::H1);
            let mut many = (feature.start)(Timeframe::H1);
            let mut filled = vec![vec![0.0; bars.len()]; width];
            for range in [0..cuts[0], cuts[0]..cuts[1], cuts[1]..bars.len()] {
                let mut parts: Vec<&mut [f64]> = filled.iter_mut().map(|column| &mut column[range.clone()]).collect();
                many.fill(&bars, range, &mut parts);
                many = stored_and_restored(&*many, (feature.start)(Timeframe::H1));
            }
            let mut row = [0.0; MAX_COLUMNS];
            for index in 0..bars.len() {
                one.update(&bars.get(index), &mut row[..width]);
                let other: Vec<f64> = filled.iter().map(|column| column[index]).collect();
                prop_assert_eq!(bits(&row[..width]), bits(&other), "{} at {}, cuts {:?}", feature.id, index, cuts);
                for (value, warm_up) in row.iter().zip(feature.warm_ups) {
                    prop_assert_eq!(value.is_nan(), index < *warm_up, "{} at {}: warm-up", feature.id, index);
                    prop_assert!(!value.is_infinite(), "{} at {}: {:?}", feature.id, index, row);
                }
            }
        }
    }
}

/// An indicator fresh from the list with the state of `indicator`.
fn stored_and_restored(indicator: &dyn Indicator, mut fresh: Box<dyn Indicator>) -> Box<dyn Indicator> {
    let mut words = Vec::new();
    indicator.boxed_clone().archive(&mut Archive::writer(&mut words));
    let mut reader = Archive::reader(&words);
    fresh.archive(&mut reader);
    assert!(reader.is_complete());
    fresh
}

fn hourly(count: usize) -> Candles {
    made::candles(&made::wavy(count))
}

#[test]
fn a_stream_refuses_candles_out_of_order_and_stays_as_it_was() {
    let candles = hourly(130);
    let spec = FeatureSpec::default();
    let table = FeatureTable::build(&candles, &spec).unwrap();
    let (_, mut stream) = FeatureTable::build_with_stream(&candles.slice(0..120), &spec).unwrap();
    assert!(stream.is_warm());
    for index in [119, 3] {
        let refused = stream.update(&candles.get(index));
        assert!(matches!(refused, Err(FeatureError::OutOfOrder { .. })));
    }
    continues(&mut stream, &table, &candles, 120);
}

#[test]
fn a_damaged_state_is_refused() {
    let candles = hourly(10);
    let (_, stream) = FeatureTable::build_with_stream(&candles, &FeatureSpec::default()).unwrap();
    let good = stream.state().unwrap();
    assert!(FeatureStream::resume(&good).is_ok());
    let with = |change: &dyn Fn(&mut StreamState)| {
        let mut state = good.clone();
        change(&mut state);
        state
    };
    let words: [&dyn Fn(&mut StreamState); 5] = [
        &|state| state.words = state.words[16..].to_owned(),
        &|state| state.words.push_str(&"0".repeat(16)),
        &|state| state.words = state.words[2..].to_owned(),
        &|state| state.words = "zz".to_owned(),
        &|state| state.versions[0] = "adx@0".to_owned(),
    ];
    for change in words {
        let mut bad = with(change);
        assert!(matches!(FeatureStream::resume(&bad), Err(FeatureError::State(_))));
        bad.hash = bad.expected_hash();
        assert!(matches!(FeatureStream::resume(&bad), Err(FeatureError::State(_))), "with a hash that matches");
    }
    for place in (0..good.words.len()).step_by(97) {
        let other = if good.words.as_bytes()[place] == b'7' { "8" } else { "7" };
        let bad = with(&|state| state.words.replace_range(place..=place, other));
        assert!(matches!(FeatureStream::resume(&bad), Err(FeatureError::State(_))), "digit {place}");
    }
    let early = with(&|state| state.last_ms = None);
    assert!(matches!(FeatureStream::resume(&early), Err(FeatureError::State(_))));
}

#[test]
fn columns_do_not_depend_on_their_neighbours() {
    let candles = hourly(200);
    let full = FeatureTable::build(&candles, &FeatureSpec::default()).unwrap();
    let columns = ["gap", "macd_12_26_9_signal", "rsi_14"].map(str::to_owned).to_vec();
    let spec = FeatureSpec { columns, ..FeatureSpec::default() };
    let few = FeatureTable::build(&candles, &spec).unwrap();
    assert_eq!(few.warm_up(), 33);
    for name in few.names() {
        assert_eq!(bits(few.column(name).unwrap()), bits(full.column(name).unwrap()), "{name}");
    }
    let mut stream = FeatureStream::new(&spec, candles.timeframe).unwrap();
    continues(&mut stream, &few, &candles, 0);
}
