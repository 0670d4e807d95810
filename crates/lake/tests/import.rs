//! Small files of every kind and every fault.

use std::io::Write;
use std::sync::Arc;

use arrow_array::{
    ArrayRef, Decimal128Array, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use assay_lake::{ImportOptions, ImportReport, LakeError, import_candles, parse_candles, parse_trades};
use assay_types::{Candles, Market, Timeframe};
use bytes::Bytes;
use proptest::prelude::*;

const HEADER: &str = "timestamp,open,high,low,close,volume\n";
const HOUR: i64 = Timeframe::H1.ms();
const FIRST_MS: i64 = 1_700_002_800_000;

fn market() -> Market {
    Market::new("kucoin", "BTC-USDT").unwrap()
}

fn read(text: impl AsRef<[u8]>, options: ImportOptions) -> Result<(Candles, ImportReport), LakeError> {
    parse_candles("x.csv", Bytes::copy_from_slice(text.as_ref()), &market(), Timeframe::H1, options)
}

fn strict(text: impl AsRef<[u8]>) -> Result<(Candles, ImportReport), LakeError> {
    read(text, ImportOptions::default())
}

fn rows(count: i64) -> String {
    let row = |at: i64| format!("{},{}.5,{}.75,9.25,{}.5,0.{at}\n", FIRST_MS + at * HOUR, at + 10, at + 12, at + 11);
    (0..count).map(row).collect()
}

fn expected() -> Candles {
    strict(format!("{HEADER}{}", rows(5))).unwrap().0
}

#[test]
fn headers_banners_separators_and_gzip_change_nothing() {
    let body = rows(5);
    let with = |header: &str, body: &str| format!("{header}{body}");
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(with(HEADER, &body).as_bytes()).unwrap();
    let semicolons = with(HEADER, &body).replace(',', ";");
    let texts: Vec<Vec<u8>> = vec![
        with("\u{feff}Open Time,Open,High,Low,Close,Volume BTC\n", &body).into(),
        with(&format!("Data from somewhere, UTC\n\n# note\n{HEADER}"), &body).into(),
        with(HEADER, &body).replace('\n', "\r\n").into(),
        with(HEADER, body.trim_end()).into(),
        semicolons.into(),
        with(HEADER, &body).replace(',', "\t").into(),
        zipped.finish().unwrap(),
    ];
    for text in texts {
        let (candles, report) =
            strict(&text).unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&text)));
        assert_eq!(candles, expected());
        assert_eq!((report.rows, report.duplicates, report.reordered), (5, 0, 0));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("any name at all");
    std::fs::write(&path, with(HEADER, &body)).unwrap();
    let (candles, _) = import_candles(&path, &market(), Timeframe::H1, ImportOptions::default()).unwrap();
    assert_eq!(candles, expected());
    let missing = import_candles(&folder.path().join("none"), &market(), Timeframe::H1, ImportOptions::default());
    assert!(matches!(missing, Err(LakeError::Io { .. })));
    let directory = import_candles(folder.path(), &market(), Timeframe::H1, ImportOptions::default());
    assert!(directory.unwrap_err().to_string().contains("folder"));
}

#[test]
fn a_published_binance_file_needs_no_header() {
    let row = |at: i64| {
        let open = (FIRST_MS + at * HOUR) * 1000;
        format!("{open},{}.5,{}.75,9.25,{}.5,0.{at},{},0.1,5,0.2,0.3,0\n", at + 10, at + 12, at + 11, open + 1)
    };
    let text: String = (0..5).map(row).collect();
    assert_eq!(strict(text).unwrap().0, expected());
}

#[test]
fn order_and_doubled_rows_are_counted() {
    let body = rows(5);
    let lines: Vec<&str> = body.lines().collect();
    let text =
        |order: &[usize]| HEADER.to_owned() + &order.iter().map(|at| format!("{}\n", lines[*at])).collect::<String>();
    for (order, duplicates, reordered) in [
        (vec![4, 3, 2, 1, 0], 0, 0),
        (vec![0, 1, 3, 2, 4], 0, 1),
        (vec![0, 1, 1, 2, 3, 4, 4], 2, 0),
        (vec![4, 3, 1, 2, 0, 2], 1, 2),
    ] {
        let (candles, report) = strict(text(&order)).unwrap();
        assert_eq!(candles, expected(), "{order:?}");
        assert_eq!((report.duplicates, report.reordered), (duplicates, reordered), "{order:?}");
    }
}

#[test]
fn gaps_and_empty_bars_are_data() {
    let text =
        format!("{HEADER}{FIRST_MS},1,1,1,1,0\n{},1,1,1,1,0\n{},1,2,1,1,0\n", FIRST_MS + HOUR, FIRST_MS + 5 * HOUR);
    let (candles, report) = strict(text).unwrap();
    assert_eq!(report.gaps.iter().map(|gap| gap.missing).collect::<Vec<_>>(), [3]);
    assert!(candles.volume.iter().all(|volume| volume.0 == 0));
}

#[test]
fn bad_rows_are_named_and_can_be_left_out() {
    let bad = [
        ("NaN,1,1,1,1", "open"),
        ("1,1,0,1,1", "low 0 is not above zero"),
        ("1,1,-1,1,1", "not above zero"),
        ("1,1,2,1,1", "do not enclose"),
        ("1,1,1,1,-1", "negative"),
        ("1,1,1,,1", "close is missing"),
        ("1,1,1,1,inf", "volume"),
        ("1,1,1,1", "shorter than the header"),
        ("1,1e20,1,1,1", "above 1e15"),
    ];
    for (fields, reason) in bad {
        let text = format!("{HEADER}{}{},{fields}\n", rows(5), FIRST_MS + 5 * HOUR);
        let error = strict(&text).unwrap_err().to_string();
        assert!(error.contains("x.csv: 1 of 6 rows"), "{error}");
        assert!(error.contains("row 7") && error.contains(reason) && error.contains("--skip-bad"), "{error}");
        let (candles, report) = read(&text, ImportOptions { skip_rejected: true, ..ImportOptions::default() }).unwrap();
        assert_eq!(candles, expected());
        assert_eq!((report.rejected.len(), report.rejected[0].line), (1, 7), "{fields}");
    }
    let off_grid = format!("{HEADER}{}{},1,1,1,1,1\n", rows(5), FIRST_MS + 5 * HOUR + 1);
    assert!(strict(off_grid).unwrap_err().to_string().contains("1h grid"));
    let all_bad = format!("{HEADER}1700002800,1,1,1,1,x\n");
    let options = ImportOptions { skip_rejected: true, ..ImportOptions::default() };
    assert!(read(all_bad, options).unwrap_err().to_string().contains("no candles"));
}

#[test]
fn contradictions_columns_symbols_and_timeframes_are_refused() {
    let twice = format!("{HEADER}{}{FIRST_MS},10.5,12.75,9.25,11.5,7\n", rows(5));
    let options = ImportOptions { skip_rejected: true, ignore_unknown_columns: true };
    let error = read(&twice, options).unwrap_err();
    assert!(matches!(error, LakeError::ConflictingRows { first_line: 2, second_line: 7, .. }), "{error}");

    let error = strict("a,b,c\n1,2,3\n").unwrap_err();
    assert!(matches!(error, LakeError::Columns { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("`a`, `b`, `c`") && text.contains("close") && text.contains("needed"), "{text}");

    let extra = format!("timestamp,open,high,low,close,volume,mood\n{}", rows(5).replace('\n', ",good\n"));
    let error = strict(&extra).unwrap_err();
    assert!(matches!(&error, LakeError::UnknownColumns { unknown, .. } if unknown == "`mood`"), "{error}");
    assert_eq!(read(&extra, options).unwrap().0, expected());

    let other = format!("timestamp,open,high,low,close,volume,symbol\n{}", rows(5).replace('\n', ",ETH/USDT\n"));
    assert!(matches!(strict(&other), Err(LakeError::Symbol { line: 2, .. })));
    let same = other.replace("ETH/USDT", "btc_usdt");
    assert_eq!(strict(same).unwrap().0, expected());

    let daily = parse_candles("x", Bytes::from(format!("{HEADER}{}", rows(5))), &market(), Timeframe::M5, options);
    assert!(matches!(daily, Err(LakeError::Spacing { closest_ms: HOUR, .. })));
    for text in ["", HEADER, "just words\n", "\n\n\n"] {
        assert!(strict(text).is_err(), "{text:?}");
    }
    assert!(strict([0_u8, 1, 2, 3]).is_err() && strict([0xff_u8; 9]).is_err());
}

#[test]
fn the_base_volume_is_the_one_named_after_the_base() {
    let text = format!(
        "date,symbol,open,high,low,close,Volume BTC,Volume USDT\n{}",
        rows(5)
            .lines()
            .map(|line| {
                let fields: Vec<&str> = line.split(',').collect();
                format!("{},BTCUSDT,{},123456.7\n", fields[0], fields[1..].join(","))
            })
            .collect::<String>()
    );
    assert_eq!(strict(text).unwrap().0, expected());
}

/// The five candles in typed columns.
fn batch(prices: impl Fn(Vec<f64>) -> ArrayRef, times: ArrayRef) -> RecordBatch {
    let candles = expected();
    let floats = |column: &[assay_types::Price]| prices(column.iter().map(|price| price.to_f64()).collect());
    let volume: ArrayRef = Arc::new(StringArray::from_iter_values(candles.volume.iter().map(ToString::to_string)));
    RecordBatch::try_from_iter([
        ("date", times),
        ("open", floats(&candles.open)),
        ("high", floats(&candles.high)),
        ("low", floats(&candles.low)),
        ("close", floats(&candles.close)),
        ("volume", volume),
    ])
    .unwrap()
}

fn times() -> Vec<i64> {
    expected().open_time_ms
}

fn batches() -> Vec<RecordBatch> {
    let micro: ArrayRef = Arc::new(TimestampMicrosecondArray::from_iter_values(times().iter().map(|ms| ms * 1000)));
    let whole: ArrayRef = Arc::new(Int64Array::from(times()));
    let seconds: ArrayRef = Arc::new(Int32Array::from_iter_values(times().iter().map(|ms| (ms / 1000) as i32)));
    let doubles = |values: Vec<f64>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
    let singles =
        |values: Vec<f64>| -> ArrayRef { Arc::new(Float32Array::from_iter_values(values.iter().map(|v| *v as f32))) };
    let decimals = |values: Vec<f64>| -> ArrayRef {
        let array = Decimal128Array::from_iter_values(values.iter().map(|value| (value * 100.0) as i128));
        Arc::new(array.with_precision_and_scale(20, 2).unwrap())
    };
    vec![batch(doubles, micro), batch(singles, whole), batch(decimals, seconds)]
}

fn feather(batch: &RecordBatch, compression: Option<CompressionType>) -> Vec<u8> {
    let options = IpcWriteOptions::default().try_with_compression(compression).unwrap();
    let mut writer = FileWriter::try_new_with_options(Vec::new(), batch.schema_ref(), options).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

fn parquet(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = parquet::arrow::ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
    writer.write(batch).unwrap();
    writer.into_inner().unwrap()
}

#[test]
fn typed_columns_of_every_kind_give_the_same_candles() {
    for batch in batches() {
        for compression in [None, Some(CompressionType::LZ4_FRAME), Some(CompressionType::ZSTD)] {
            assert_eq!(strict(feather(&batch, compression)).unwrap().0, expected());
        }
        assert_eq!(strict(parquet(&batch)).unwrap().0, expected());
        let mut stream = StreamWriter::try_new(Vec::new(), batch.schema_ref()).unwrap();
        stream.write(&batch).unwrap();
        assert_eq!(strict(stream.into_inner().unwrap()).unwrap().0, expected());
    }
}

#[test]
fn cut_off_files_are_a_clear_error() {
    let batch = &batches()[0];
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(format!("{HEADER}{}", rows(5)).as_bytes()).unwrap();
    for bytes in [
        feather(batch, None),
        feather(batch, Some(CompressionType::LZ4_FRAME)),
        parquet(batch),
        zipped.finish().unwrap(),
    ] {
        for keep in [8, bytes.len() / 2, bytes.len() - 1] {
            let error = strict(&bytes[..keep]).unwrap_err();
            assert!(matches!(error, LakeError::Format { .. }), "{error}");
            assert!(error.to_string().starts_with("x.csv: "), "{error}");
        }
    }
}

#[test]
fn trades_of_every_shape_and_fault() {
    let read =
        |text: &str| parse_trades("t", Bytes::copy_from_slice(text.as_bytes()), &market(), ImportOptions::default());
    let header = "id,timestamp,price,amount,side\n";
    let csv =
        format!("{header}8,1700000000500,10.5,2,sell\n7,1700000000000,10,1.25,buy\n7,1700000000000,10,1.25,buy\n");
    let (trades, report) = read(&csv).unwrap();
    assert_eq!((report.rows, report.duplicates), (2, 1));
    let json = r#"[{"id":"7","timestamp":1700000000000,"price":10,"amount":1.25,"side":"buy","symbol":"BTC/USDT"},
        {"info":{"a":8,"p":"10.5","q":"2.0","T":1700000000500,"m":true},"id":"8","price":10.4999999}]"#;
    assert_eq!(read(json).unwrap().0, trades);
    let maker = "trade_id,time,price,qty,is_buyer_maker\n7,1700000000,10,1.25,False\n8,1700000000.5,10.5,2,True\n";
    assert!(read(maker).unwrap_err().to_string().contains("row 3"));
    for bad in [
        "7,1700000000000,0,1,buy",
        "7,1700000000000,1,0,buy",
        "7,1700000000000,1,1,both",
        "-7,1700000000000,1,1,buy",
        "7,1,1,1,buy",
    ] {
        let error = read(&format!("{header}{bad}\n")).unwrap_err();
        assert!(matches!(error, LakeError::Rejected { .. }), "{bad}: {error}");
    }
    let differs = format!("{header}7,1700000000000,10,1,buy\n7,1700000000000,11,1,buy\n");
    assert!(matches!(read(&differs), Err(LakeError::ConflictingRows { .. })));
    for text in ["[", "[1]", "[{}]", r#"[{"id":"7"}"#, "[]"] {
        assert!(read(text).is_err(), "{text}");
    }
}

fn whole_files() -> Vec<Vec<u8>> {
    let batch = &batches()[0];
    vec![
        format!("{HEADER}{}", rows(5)).into_bytes(),
        feather(batch, None),
        feather(batch, Some(CompressionType::LZ4_FRAME)),
        feather(batch, Some(CompressionType::ZSTD)),
        parquet(batch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_bytes_make_the_importers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), mark in 0_usize..5) {
        let marks: [&[u8]; 5] = [b"", b"ARROW1\0\0", b"PAR1", &[0xff; 4], b"timestamp,open,high,low,close,volume\n"];
        let bytes = Bytes::from([marks[mark], &bytes].concat());
        let _ = parse_candles("x", bytes.clone(), &market(), Timeframe::H1, ImportOptions::default());
        let _ = parse_trades("x", bytes, &market(), ImportOptions::default());
    }

    #[test]
    fn no_change_to_a_file_makes_the_importers_panic(
        which in 0_usize..5, changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..8), keep in any::<usize>()
    ) {
        let mut bytes = whole_files().swap_remove(which);
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        if keep % 3 == 0 {
            bytes.truncate(keep % bytes.len());
        }
        let options = ImportOptions { skip_rejected: true, ignore_unknown_columns: true };
        let _ = parse_candles("x", bytes.into(), &market(), Timeframe::H1, options);
    }

    #[test]
    fn no_text_makes_the_importers_panic(text in "[0-9a-z,;:.\\-\\[\\]{}\"\n ]{0,200}") {
        let _ = strict(format!("{HEADER}{text}"));
        let _ = parse_trades("x", Bytes::from(format!("[{text}")), &market(), ImportOptions::default());
    }
}
