//! The lake in a folder.

use assay_lake::{ALL_TIME, BlockingLake, Lake, LakeError, OnConflict, ProblemKind};
use assay_testkit::generate_candles;
use assay_types::{Candles, Dataset, Market, Qty, Timeframe};
use proptest::prelude::*;

const FIRST_MS: i64 = 1_704_000_000_000 / 3_600_000 * 3_600_000;

fn series(count: usize) -> Candles {
    let mut candles = Candles::new(Market::new("binance", "BTC-USDT").unwrap(), Timeframe::H1);
    generate_candles(1, FIRST_MS, Timeframe::H1, count).into_iter().for_each(|row| candles.push(row));
    candles
}

fn dataset() -> Dataset {
    "binance/BTC-USDT/1h".parse().unwrap()
}

struct Home {
    folder: tempfile::TempDir,
    lake: BlockingLake,
}

impl Home {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let lake = BlockingLake::open_local(folder.path()).unwrap();
        Self { folder, lake }
    }

    fn files(&self) -> Vec<std::path::PathBuf> {
        let folder = self.folder.path().join("candles/binance/BTC-USDT/1h");
        let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.retain(|path| path.extension().is_some_and(|extension| extension == "parquet"));
        files.sort();
        files
    }
}

#[test]
fn months_are_partitions_and_coverage_is_listed() {
    let home = Home::new();
    assert!(home.lake.list().unwrap().is_empty());
    let missing = home.lake.load(&dataset(), ALL_TIME).unwrap_err();
    assert!(matches!(missing, LakeError::NoDataset { .. }) && missing.to_string().contains("it is empty"), "{missing}");
    let candles = series(2_000);
    let report = home.lake.store_candles(&candles, OnConflict::Refuse).unwrap();
    assert_eq!((report.added, report.partitions.first().map(String::as_str)), (2_000, Some("2023-12")));
    assert_eq!(home.files().len(), report.partitions.len());
    assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap(), candles);
    let range = candles.open_time_ms[700]..candles.open_time_ms[1_500];
    assert_eq!(home.lake.load(&dataset(), range).unwrap(), candles.slice(700..1_500));
    let coverage = home.lake.list().unwrap().remove(0);
    assert_eq!((coverage.rows, coverage.missing, coverage.dataset), (2_000, 0, dataset()));
    assert_eq!((coverage.first_ms, coverage.last_ms), (candles.open_time_ms[0], candles.open_time_ms[1_999]));
    assert!(home.lake.check(&dataset()).unwrap().is_empty());
    let other = home.lake.load(&"binance/BTC-USDT/5m".parse().unwrap(), ALL_TIME).unwrap_err().to_string();
    assert!(other.contains("it holds binance/BTC-USDT/1h"), "{other}");
}

#[test]
fn a_contradiction_stores_nothing_unless_the_new_rows_may_win() {
    let home = Home::new();
    let candles = series(1_000);
    home.lake.store_candles(&candles.slice(0..900), OnConflict::Refuse).unwrap();
    let mut changed = candles.clone();
    changed.volume[899] = Qty(changed.volume[899].0 + 1);
    let error = home.lake.store_candles(&changed, OnConflict::Refuse).unwrap_err();
    assert!(
        matches!(error, LakeError::ConflictsWithStored { .. }) && error.to_string().contains("--replace"),
        "{error}"
    );
    assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap(), candles.slice(0..900));
    let report = home.lake.store_candles(&changed, OnConflict::Replace).unwrap();
    assert_eq!((report.added, report.replaced, report.unchanged), (100, 1, 899));
    assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap(), changed);
    // Files that were replaced are gone.
    assert_eq!(home.files().len(), home.lake.manifest(&dataset()).unwrap().partitions.len());
}

#[test]
fn impossible_candles_are_not_stored() {
    let home = Home::new();
    let mut candles = series(10);
    candles.low[3] = assay_types::Price(0);
    let error = home.lake.store_candles(&candles, OnConflict::Refuse).unwrap_err().to_string();
    assert!(error.contains("row 4") && error.contains("not above zero"), "{error}");
    let mut candles = series(10);
    candles.open_time_ms.swap(1, 2);
    assert!(home.lake.store_candles(&candles, OnConflict::Refuse).is_err());
    let mut candles = series(10);
    candles.open_time_ms[9] = i64::MAX / 3_600_000 * 3_600_000;
    assert!(home.lake.store_candles(&candles, OnConflict::Refuse).is_err());
    assert!(home.lake.list().unwrap().is_empty());
}

#[test]
fn every_kind_of_damage_is_found_and_named() {
    let home = Home::new();
    let candles = series(3_000);
    home.lake.store_candles(&candles, OnConflict::Refuse).unwrap();
    let files = home.files();
    let mut bytes = std::fs::read(&files[1]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&files[1], bytes).unwrap();
    std::fs::remove_file(&files[2]).unwrap();
    std::fs::write(files[3].with_file_name("2020-01-left-over.parquet"), b"x").unwrap();
    let problems = home.lake.check(&dataset()).unwrap();
    let kinds: Vec<ProblemKind> = problems.iter().map(|problem| problem.kind).collect();
    assert_eq!(kinds, [ProblemKind::UnnamedFile, ProblemKind::HashMismatch, ProblemKind::MissingPartition]);
    assert!(problems[1].object.ends_with(files[1].file_name().unwrap().to_str().unwrap()));
    let error = home.lake.load(&dataset(), ALL_TIME).unwrap_err();
    assert!(matches!(error, LakeError::HashMismatch { .. }), "{error}");
    // What does not touch the damage still loads.
    assert_eq!(home.lake.load(&dataset(), candles.open_time_ms[0]..candles.open_time_ms[5]).unwrap().len(), 5);
    // The same rows bring back what they cover, and the left-over goes.
    assert!(home.lake.store_candles(&candles, OnConflict::Refuse).is_err());
    home.lake.store_candles(&candles, OnConflict::Replace).unwrap();
    assert!(home.lake.check(&dataset()).unwrap().is_empty());
    assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap(), candles);
}

#[test]
fn a_partition_with_wrong_rows_is_corrupt_even_when_its_hash_is_right() {
    let home = Home::new();
    home.lake.store_candles(&series(200), OnConflict::Refuse).unwrap();
    let folder = home.folder.path().join("candles/binance/BTC-USDT/1h");
    let manifest = folder.join("manifest.json");
    let text = std::fs::read_to_string(&manifest).unwrap();
    std::fs::write(&manifest, text.replace("\"2023-12\"", "\"2023-11\"")).unwrap();
    let problems = home.lake.check(&dataset()).unwrap();
    assert!(problems.iter().any(|problem| problem.kind == ProblemKind::CorruptPartition), "{problems:?}");
    assert!(matches!(home.lake.load(&dataset(), ALL_TIME), Err(LakeError::CorruptPartition { .. })));
    std::fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    let error = home.lake.load(&dataset(), ALL_TIME).unwrap_err();
    assert!(matches!(error, LakeError::Manifest { .. }), "{error}");
}

#[test]
fn a_second_writer_is_told_to_wait() {
    let home = Home::new();
    home.lake.store_candles(&series(10), OnConflict::Refuse).unwrap();
    let lock = home.folder.path().join("locks/binance_BTC-USDT_1h.lock");
    let held = std::fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let error = home.lake.store_candles(&series(20), OnConflict::Refuse).unwrap_err();
    assert!(matches!(error, LakeError::Locked { .. }) && error.is_retryable(), "{error}");
    assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap().len(), 10);
    drop(held);
    home.lake.store_candles(&series(20), OnConflict::Refuse).unwrap();
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // The kernel's own tree refuses new folders to everyone, also to root.
    let error = Lake::open_local("/sys/kernel/assay-lake").unwrap_err();
    assert!(error.to_string().starts_with("/sys/kernel/assay-lake: "), "{error}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, b"x").unwrap();
    let error = Lake::open_local(&file).unwrap_err();
    assert!(matches!(error, LakeError::Io { .. }), "{error}");
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    let error = LakeError::Io { path: "/data".into(), source: full }.to_string();
    assert!(error.contains("free some space") && error.contains("/data"), "{error}");
    let read_only = std::io::Error::from(std::io::ErrorKind::ReadOnlyFilesystem);
    assert!(LakeError::Io { path: "/data".into(), source: read_only }.to_string().contains("--home"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn the_data_hash_knows_no_chunks_and_no_order(cuts in proptest::collection::btree_set(1_usize..1_500, 0..6), turn in 0_usize..7) {
        let candles = series(1_500);
        let home = Home::new();
        let mut bounds: Vec<usize> = std::iter::once(0).chain(cuts).chain([1_500]).collect();
        bounds.dedup();
        let mut chunks: Vec<Candles> = bounds.windows(2).map(|pair| candles.slice(pair[0]..pair[1])).collect();
        let turn = turn % chunks.len();
        chunks.rotate_left(turn);
        for chunk in &chunks {
            home.lake.store_candles(chunk, OnConflict::Refuse).unwrap();
        }
        prop_assert_eq!(home.lake.load(&dataset(), ALL_TIME).unwrap().data_hash(), candles.data_hash());
        // Equal rows are equal files, whatever way they came.
        let whole = Home::new();
        whole.lake.store_candles(&candles, OnConflict::Refuse).unwrap();
        prop_assert_eq!(home.lake.manifest(&dataset()).unwrap(), whole.lake.manifest(&dataset()).unwrap());
    }
}
