//! Feature sets through the binary: computed once, mended when damaged.

use crate::series::{DATASET, csv, hours, import, with_candles};
use crate::support::{Home, text};

const BUILD: [&str; 4] = ["features", "build", "--dataset", DATASET];
const TICK: [&str; 2] = ["--set", "tick=0.01"];

fn table(home: &Home, hash: &str) -> std::path::PathBuf {
    home.file("features").join(hash).join("table.parquet")
}

#[test]
fn a_second_request_computes_nothing() {
    let home = with_candles(2_000);
    let arguments = [&BUILD[..], &TICK].concat();
    let first = home.json(&arguments);
    let hash = text(&first["feature_hash"]);
    let written = std::fs::metadata(table(&home, hash)).unwrap().modified().unwrap();
    let second = home.json(&arguments);
    assert_eq!((first["computed"].as_bool(), second["computed"].as_bool()), (Some(true), Some(false)));
    assert_eq!(second["feature_hash"], first["feature_hash"]);
    assert_eq!(std::fs::metadata(table(&home, hash)).unwrap().modified().unwrap(), written);
    home.assay(&arguments).expect(0, &["nothing computed"]);
    // Another scaler is another set; so are other columns and other dates.
    for other in ["scaler=robust", "features=[\"rsi_14\"]", "test_start=2024-03-01"] {
        let built = home.json(&[&arguments[..], &["--set", other]].concat());
        assert_ne!(built["feature_hash"], first["feature_hash"], "{other}");
        assert_eq!(built["computed"].as_bool(), Some(true), "{other}");
    }
    // Training keys that features do not depend on change nothing.
    let built = home.json(&[&arguments[..], &["--set", "learning_rate=0.01"]].concat());
    assert_eq!((&built["feature_hash"], built["computed"].as_bool()), (&first["feature_hash"], Some(false)));
}

#[test]
fn a_damaged_table_is_computed_again_with_a_note() {
    let home = with_candles(2_000);
    let arguments = [&BUILD[..], &TICK].concat();
    let first = home.json(&arguments);
    let path = table(&home, text(&first["feature_hash"]));
    let good = std::fs::read(&path).unwrap();
    let mut bad = good.clone();
    let middle = bad.len() / 2;
    bad[middle] ^= 1;
    for damaged in [bad, good[..good.len() / 2].to_vec(), Vec::new()] {
        std::fs::write(&path, damaged).unwrap();
        let output = home.command(&[&arguments[..], &["--json"]].concat()).output().unwrap();
        let answer = crate::support::Answer::of(&output).expect(0, &["damaged", "computing the features again"]);
        assert_eq!(answer.json()["computed"].as_bool(), Some(true));
        assert!(std::fs::read(&path).unwrap() == good, "the same candles give the same table");
    }
    std::fs::remove_file(&path).unwrap();
    assert_eq!(home.json(&arguments)["computed"].as_bool(), Some(true), "a missing table is made again");
}

#[test]
fn tables_are_written_as_asked_and_the_future_does_not_reach_training_rows() {
    let home = with_candles(2_000);
    let out = home.file("table.csv").display().to_string();
    let arguments = [&BUILD[..], &TICK, &["--set", "test_start=2024-03-01", "--out", &out]].concat();
    let built = home.json(&arguments);
    let page = std::fs::read_to_string(&out).unwrap();
    assert_eq!(page.lines().count(), 2_001);
    let columns = built["columns"].as_array().unwrap().len();
    assert!(page.lines().all(|line| line.split(',').count() == columns + 1), "{}", page.lines().next().unwrap());
    home.assay(&[&BUILD[..], &TICK, &["--out", "table.xlsx"]].concat()).expect(2, &[".csv or .parquet"]);
    // The candles after the split change: the scaler and the rows before it do not.
    let mut changed = hours(2_000);
    for row in &mut changed[1_500..] {
        (row.open, row.high, row.low, row.close) = (row.close, row.close, row.close, row.close);
    }
    let other = Home::new();
    import(&other, &csv(&changed));
    let other_out = other.file("table.csv").display().to_string();
    let other_arguments: Vec<&str> = arguments.iter().map(|&a| if a == out { &other_out } else { a }).collect();
    let other_built = other.json(&other_arguments);
    assert_ne!(other_built["data_hash"], built["data_hash"]);
    let rows = |page: &str| page.lines().take(1_440).map(str::to_owned).collect::<Vec<_>>();
    let other_page = std::fs::read_to_string(&other_out).unwrap();
    assert!(rows(&page) == rows(&other_page) && page != other_page);
    let scaling = |home: &Home, hash: &str| {
        let path = home.file("features").join(hash).join("features.json");
        let beside: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        beside["scaling"].clone()
    };
    let (hash, other_hash) = (text(&built["feature_hash"]), text(&other_built["feature_hash"]));
    assert_eq!(scaling(&home, hash), scaling(&other, other_hash));
}
