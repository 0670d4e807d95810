//! Resampling against the files that pandas made (`testdata/resample/generate.py`).

use std::path::PathBuf;

use assay_lake::{ImportOptions, import_candles, import_trades, resample_candles, resample_trades};
use assay_types::{Candles, Market, Timeframe};

fn golden(name: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/resample")).join(name)
}

fn market() -> Market {
    Market::new("synthetic", "BTC-USD").unwrap()
}

fn candles(name: &str, timeframe: Timeframe) -> Candles {
    import_candles(&golden(name), &market(), timeframe, ImportOptions::default()).unwrap().0
}

#[test]
fn minutes_make_the_candles_that_pandas_makes() {
    let minutes = candles("minutes.csv", Timeframe::M1);
    assert!(minutes.gaps().len() > 100);
    for timeframe in &Timeframe::ALL[1..] {
        let expected = candles(&format!("minutes_to_{timeframe}.csv"), *timeframe);
        assert_eq!(resample_candles(&minutes, *timeframe).unwrap(), expected, "{timeframe}");
    }
}

#[test]
fn trades_make_the_candles_that_pandas_makes() {
    let (trades, _) = import_trades(&golden("trades.csv"), &market(), ImportOptions::default()).unwrap();
    let end = trades.last().unwrap().time_ms;
    for timeframe in Timeframe::ALL {
        // Eight hours of trades fill no second day, and the first counts as complete.
        let expected = candles(&format!("trades_to_{timeframe}.csv"), timeframe);
        assert_eq!(resample_trades(&market(), &trades, timeframe, end).unwrap(), expected, "{timeframe}");
    }
}
