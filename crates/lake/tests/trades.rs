//! Back-fill of aggregate trades from the fake exchange.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;

use assay_lake::{ALL_TIME, Clock, ExchangeClient, Lake, LakeError, TradeKind, TradeSet, Venue, resample_trades};
use assay_testkit::{FakeExchange, Fault, Schedule, Series, generate_trades};
use assay_types::{Market, Timeframe, Trade};

const HOUR: i64 = 3_600_000;
/// A little before midnight, so that the trades fall into two partitions.
const FIRST_MS: i64 = 1_700_006_400_000 - 20 * 60_000;

struct Setup {
    lake: Lake,
    exchange: FakeExchange,
    client: ExchangeClient,
    market: Market,
    trades: Vec<Trade>,
    _folder: tempfile::TempDir,
}

impl Setup {
    async fn new(schedule: Schedule) -> Self {
        let trades = generate_trades(5, 900_001, FIRST_MS, 1_000, 4_321);
        let now_ms = Arc::new(AtomicI64::new(FIRST_MS + 100 * HOUR));
        let series = Series { trades: trades.clone(), ..Series::default() };
        let exchange = FakeExchange::start(series, schedule, now_ms.clone()).await;
        let client =
            ExchangeClient::with(Venue::Binance, &exchange.base_url(), Clock::Simulated(now_ms), 20_000).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_local(folder.path()).unwrap();
        Self { lake, exchange, client, market: Market::new("binance", "BTC-USDT").unwrap(), trades, _folder: folder }
    }

    async fn fetch(&self, from_ms: i64, to_ms: i64) -> Result<assay_lake::FetchReport, LakeError> {
        self.lake.fetch_trades(&self.client, &self.market, from_ms..to_ms, |_| ()).await
    }

    async fn stored(&self) -> Vec<Trade> {
        let set = TradeSet { market: self.market.clone(), kind: TradeKind::Aggregate };
        self.lake.load_trades(&set, ALL_TIME).await.unwrap()
    }
}

#[tokio::test]
async fn faults_leave_no_trace_and_the_ends_are_honoured() {
    let faults = [
        Fault::RateLimit { seconds: 3 },
        Fault::Ban { seconds: 200 },
        Fault::ServerError(500),
        Fault::CutConnection,
        Fault::OutOfOrder,
        Fault::Overlap,
        Fault::Html,
        Fault::NearLimit,
    ];
    for fault in faults {
        let setup = Setup::new(Schedule::at(&[(0, fault), (2, fault)])).await;
        let (from_ms, to_ms) = (FIRST_MS - 5 * HOUR, FIRST_MS + HOUR);
        let report = setup.fetch(from_ms, to_ms).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        let inside: Vec<Trade> = setup.trades.iter().filter(|trade| trade.time_ms < to_ms).copied().collect();
        assert!((3_000..4_300).contains(&inside.len()));
        assert_eq!(setup.stored().await, inside, "{fault:?}");
        assert_eq!((report.added as usize, report.partitions.len()), (inside.len(), 2), "{fault:?}");
        assert!(setup.exchange.requests().iter().all(|request| !request.too_early), "{fault:?}");
        // The rest, from the middle of what is stored.
        setup.fetch(FIRST_MS + HOUR / 2, FIRST_MS + 50 * HOUR).await.unwrap();
        assert_eq!(setup.stored().await, setup.trades, "{fault:?}");
    }
}

#[tokio::test]
async fn a_failed_run_is_completed_by_the_next() {
    for fault in [Fault::BadNumber, Fault::ShortRow, Fault::Contradiction, Fault::DropRow] {
        let setup = Setup::new(Schedule::at(&[(3, fault)])).await;
        let error = setup.fetch(FIRST_MS, FIRST_MS + 9 * HOUR).await.unwrap_err().to_string();
        assert!(error.contains("fromId=902001"), "{fault:?}: {error}");
        assert_eq!(setup.stored().await, setup.trades[..2_000], "{fault:?}");
        let before = setup.exchange.requests().len();
        setup.fetch(FIRST_MS, FIRST_MS + 9 * HOUR).await.unwrap();
        assert_eq!(setup.stored().await, setup.trades, "{fault:?}");
        // One look for the first trade, and only the pages that were missing.
        assert_eq!(setup.exchange.requests().len() - before, 4, "{fault:?}");
    }
}

#[tokio::test]
async fn holes_of_imported_trades_are_filled() {
    let setup = Setup::new(Schedule::calm()).await;
    let set = TradeSet { market: setup.market.clone(), kind: TradeKind::Aggregate };
    let kept: Vec<Trade> = setup.trades.iter().filter(|trade| trade.id % 1_000 > 300).copied().collect();
    setup.lake.store_trades(&set, &kept, assay_lake::OnConflict::Refuse).await.unwrap();
    let report = setup.fetch(FIRST_MS, FIRST_MS + 9 * HOUR).await.unwrap();
    assert_eq!(setup.stored().await, setup.trades);
    assert_eq!(report.added as usize, setup.trades.len() - kept.len());
}

#[tokio::test]
async fn fetched_trades_become_candles() {
    let setup = Setup::new(Schedule::calm()).await;
    let end = FIRST_MS + HOUR;
    setup.fetch(FIRST_MS, end).await.unwrap();
    let candles = resample_trades(&setup.market, &setup.stored().await, Timeframe::M1, end).unwrap();
    assert_eq!(candles.len(), 60);
    let first: Vec<&Trade> = setup.trades.iter().take_while(|trade| trade.time_ms < FIRST_MS + 60_000).collect();
    let candle = candles.get(0);
    assert_eq!(Some(candle.open), first.first().map(|trade| trade.price));
    assert_eq!(Some(candle.close), first.last().map(|trade| trade.price));
    assert_eq!(candle.volume.0, first.iter().map(|trade| trade.quantity.0).sum::<i128>());
}

#[tokio::test]
async fn only_binance_has_them_and_silence_is_no_error() {
    let setup = Setup::new(Schedule::calm()).await;
    let report = setup.fetch(FIRST_MS - 9 * HOUR, FIRST_MS - 5 * HOUR).await.unwrap();
    assert_eq!((report.added, report.pages), (0, 4));
    let client = ExchangeClient::with(Venue::Bybit, &setup.exchange.base_url(), Clock::System, 1_000).unwrap();
    let error = setup.lake.fetch_trades(&client, &setup.market, 0..1, |_| ()).await.unwrap_err();
    assert!(matches!(error, LakeError::Unsupported(_)), "{error}");
}
