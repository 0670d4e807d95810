//! Back-fill from the fake exchange, venue by venue and fault by fault: whatever goes
//! wrong, the lake ends up with exactly the generated series.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use assay_lake::{ALL_TIME, Clock, ExchangeClient, Lake, LakeError, OnConflict, PAGES_PER_STORE, ProblemKind, Venue};
use assay_testkit::{FakeExchange, Fault, Schedule, Series, generate_candles};
use assay_types::{Candle, Candles, Dataset, Market, Timeframe};
use tempfile::TempDir;

const FIRST_MS: i64 = 1_700_000_400_000 / HOUR * HOUR;
const HOUR: i64 = Timeframe::H1.ms();
const TIMEOUT_MS: u64 = 20_000;

struct Setup {
    lake: Lake,
    exchange: FakeExchange,
    client: ExchangeClient,
    dataset: Dataset,
    /// Closed candles of the exchange.
    closed: Vec<Candle>,
    _folder: TempDir,
}

impl Setup {
    /// An exchange with `pages` full pages and a bit; its last candle is open.
    async fn new(venue: Venue, pages: i64, schedule: Schedule, timeout_ms: u64) -> Self {
        let count = (venue.page_rows() * pages + 50) as usize;
        let mut candles = generate_candles(7, FIRST_MS, Timeframe::H1, count);
        let now_ms = Arc::new(AtomicI64::new(FIRST_MS + (count as i64 - 1) * HOUR + HOUR / 2));
        let series = Series { candles: candles.clone(), timeframe: Some(Timeframe::H1), ..Series::default() };
        let exchange = FakeExchange::start(series, schedule, now_ms.clone()).await;
        let client = ExchangeClient::with(venue, &exchange.base_url(), Clock::Simulated(now_ms), timeout_ms).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_local(folder.path()).unwrap();
        candles.pop();
        let dataset = format!("{}/BTC-USDT/1h", venue.exchange()).parse().unwrap();
        Self { lake, exchange, client, dataset, closed: candles, _folder: folder }
    }

    async fn fetch(&self) -> Result<assay_lake::FetchReport, LakeError> {
        // The end lies before the waits of the simulated clock close more candles.
        let end = FIRST_MS + self.closed.len() as i64 * HOUR;
        self.lake.fetch(&self.client, &self.dataset, FIRST_MS..end, |_| ()).await
    }

    async fn stored(&self) -> Vec<Candle> {
        self.lake.load(&self.dataset, ALL_TIME).await.unwrap().iter().collect()
    }
}

fn schedule_early_and_late(fault: Fault) -> Schedule {
    Schedule::at(&[(0, fault), (2, fault), (3, fault)])
}

#[tokio::test]
async fn passing_faults_leave_no_trace() {
    let faults = [
        Fault::RateLimit { seconds: 7 },
        Fault::RateLimitUntil { seconds: 9 },
        Fault::RateLimitCode,
        Fault::Ban { seconds: 300 },
        Fault::ServerError(500),
        Fault::ServerError(503),
        Fault::CutConnection,
        Fault::OutOfOrder,
        Fault::Overlap,
        Fault::Html,
    ];
    for venue in Venue::ALL {
        for fault in faults {
            let setup = Setup::new(venue, 2, schedule_early_and_late(fault), TIMEOUT_MS).await;
            let report = setup.fetch().await.unwrap_or_else(|error| panic!("{venue} {fault:?}: {error}"));
            assert_eq!(setup.stored().await, setup.closed, "{venue} {fault:?}");
            assert_eq!(report.added, setup.closed.len() as u64, "{venue} {fault:?}");
            let requests = setup.exchange.requests();
            let early = requests.iter().find(|request| request.too_early);
            assert!(early.is_none(), "{venue} {fault:?} did not wait: {early:?}");
            let retried = !matches!(fault, Fault::OutOfOrder | Fault::Overlap);
            assert_eq!(requests.len(), if retried { 6 } else { 3 }, "{venue} {fault:?}");
        }
    }
}

#[tokio::test]
async fn a_slow_body_is_given_up_and_asked_for_again() {
    // All at once, because the time limit of a request is real time.
    let venues = Venue::ALL.map(|venue| async move {
        let schedule = Schedule::at(&[(1, Fault::SlowBody { wait_ms: 60_000 })]);
        let setup = Setup::new(venue, 1, schedule, 1_500).await;
        setup.fetch().await.unwrap();
        assert_eq!(setup.stored().await, setup.closed, "{venue}");
        assert!(setup.exchange.requests().len() > 2, "{venue}");
    });
    futures::future::join_all(venues).await;
}

#[tokio::test]
async fn a_used_up_rate_is_waited_for() {
    for venue in [Venue::Binance, Venue::Bybit, Venue::Kucoin] {
        let setup = Setup::new(venue, 2, Schedule::repeated(Fault::NearLimit, 0, 2), TIMEOUT_MS).await;
        setup.fetch().await.unwrap();
        assert_eq!(setup.stored().await, setup.closed, "{venue}");
        assert!(setup.exchange.requests().iter().all(|request| !request.too_early), "{venue}");
    }
}

#[tokio::test]
async fn malformed_rows_are_named_and_a_second_run_completes() {
    for venue in Venue::ALL {
        for fault in [Fault::BadNumber, Fault::ShortRow, Fault::ImpossibleRow, Fault::Contradiction] {
            let setup = Setup::new(venue, 2, Schedule::at(&[(1, fault)]), TIMEOUT_MS).await;
            let error = setup.fetch().await.unwrap_err();
            let text = error.to_string();
            match fault {
                Fault::Contradiction => assert!(matches!(error, LakeError::ConflictingRows { .. }), "{text}"),
                _ => assert!(matches!(error, LakeError::Malformed { .. }), "{venue} {fault:?}: {text}"),
            }
            assert!(text.contains(&setup.exchange.base_url()) && text.contains("row"), "{text}");
            // The page before the bad one is kept.
            let kept = venue.page_rows() as usize;
            assert_eq!(setup.stored().await, setup.closed[..kept], "{venue} {fault:?}");
            let before = setup.exchange.requests().len();
            setup.fetch().await.unwrap();
            assert_eq!(setup.stored().await, setup.closed, "{venue} {fault:?}");
            assert_eq!(setup.exchange.requests().len() - before, 2, "{venue} {fault:?} asked for stored pages again");
        }
    }
}

#[tokio::test]
async fn a_killed_fetch_goes_on_where_it_stopped() {
    let pages = PAGES_PER_STORE as i64 + 3;
    let setup = Setup::new(Venue::CoinbaseExchange, pages, Schedule::calm(), TIMEOUT_MS).await;
    let end = FIRST_MS + setup.closed.len() as i64 * HOUR;
    let seen = Cell::new(0);
    let fetch = setup.lake.fetch(&setup.client, &setup.dataset, FIRST_MS..end, |_| seen.set(seen.get() + 1));
    let killed = tokio::select! {
        biased;
        () = std::future::poll_fn(|context| {
            context.waker().wake_by_ref();
            if seen.get() == PAGES_PER_STORE + 2 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        }) => true,
        _ = fetch => false,
    };
    assert!(killed);
    let stored = setup.stored().await;
    assert_eq!(stored, setup.closed[..PAGES_PER_STORE * Venue::CoinbaseExchange.page_rows() as usize]);
    let before = setup.exchange.requests().len();
    let report = setup.fetch().await.unwrap();
    assert_eq!(setup.stored().await, setup.closed);
    assert_eq!(report.added as usize, setup.closed.len() - stored.len());
    assert_eq!(setup.exchange.requests().len() - before, 4);
    let again = setup.fetch().await.unwrap();
    assert_eq!((again.added, again.pages), (0, 0));
}

#[tokio::test]
async fn the_open_candle_is_never_stored_and_comes_once_it_is_closed() {
    for venue in Venue::ALL {
        let setup = Setup::new(venue, 1, Schedule::calm(), TIMEOUT_MS).await;
        let far = FIRST_MS..FIRST_MS + 100_000 * HOUR;
        setup.lake.fetch(&setup.client, &setup.dataset, far.clone(), |_| ()).await.unwrap();
        assert_eq!(setup.stored().await, setup.closed, "{venue}");
        let Clock::Simulated(now) = setup.client.clock() else { panic!("the clock is simulated") };
        now.fetch_add(HOUR, Ordering::SeqCst);
        setup.lake.fetch(&setup.client, &setup.dataset, far, |_| ()).await.unwrap();
        let whole = generate_candles(7, FIRST_MS, Timeframe::H1, setup.closed.len() + 1);
        assert_eq!(setup.stored().await, whole, "{venue}");
    }
}

#[tokio::test]
async fn the_end_is_honoured_and_empty_buckets_are_gaps() {
    for venue in Venue::ALL {
        let now_ms = Arc::new(AtomicI64::new(FIRST_MS + 10_000 * HOUR));
        let candles = generate_candles(9, FIRST_MS, Timeframe::H1, 700);
        let empty: BTreeSet<i64> = [3, 4, 5, 200, 301, 302, 449].map(|at| FIRST_MS + at * HOUR).into();
        let series = Series {
            candles: candles.clone(),
            timeframe: Some(Timeframe::H1),
            empty: empty.clone(),
            ..Series::default()
        };
        let exchange = FakeExchange::start(series, Schedule::calm(), now_ms.clone()).await;
        let client = ExchangeClient::with(venue, &exchange.base_url(), Clock::Simulated(now_ms), TIMEOUT_MS).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let lake = Lake::open_local(folder.path()).unwrap();
        let dataset: Dataset = format!("{}/BTC-USDT/1h", venue.exchange()).parse().unwrap();
        // Both ends off the grid: the first candle opens after the start, the last before the end.
        let range = FIRST_MS + HOUR / 2..FIRST_MS + 499 * HOUR + 1;
        let mut percents = Vec::new();
        lake.fetch(&client, &dataset, range.clone(), |progress| percents.push(progress.percent)).await.unwrap();
        assert!(percents.is_sorted() && percents.last() == Some(&100.0), "{percents:?}");
        let expected: Vec<Candle> =
            candles[1..500].iter().filter(|row| !empty.contains(&row.open_time_ms)).copied().collect();
        assert_eq!(lake.load(&dataset, ALL_TIME).await.unwrap().iter().collect::<Vec<_>>(), expected, "{venue}");
        let coverage = lake.list().await.unwrap().remove(0);
        assert_eq!((coverage.missing, coverage.gaps.len()), (7, 4), "{venue}");
        assert_eq!(lake.fetch(&client, &dataset, range, |_| ()).await.unwrap().added, 0, "{venue}");
    }
}

#[tokio::test]
async fn a_row_left_out_of_a_page_comes_with_the_next_run() {
    for venue in Venue::ALL {
        let setup = Setup::new(venue, 1, Schedule::at(&[(0, Fault::DropRow)]), TIMEOUT_MS).await;
        setup.fetch().await.unwrap();
        assert_eq!(setup.stored().await.len(), setup.closed.len() - 1, "{venue}");
        let report = setup.fetch().await.unwrap();
        assert_eq!((report.added, report.pages), (1, 1), "{venue}");
        assert_eq!(setup.stored().await, setup.closed, "{venue}");
    }
}

#[tokio::test]
async fn what_cannot_succeed_ends_with_the_reason() {
    for venue in Venue::ALL {
        let setup = Setup::new(venue, 1, Schedule::repeated(Fault::ServerError(502), 1, 100), TIMEOUT_MS).await;
        let error = setup.fetch().await.unwrap_err();
        assert!(matches!(error, LakeError::Request { attempts: 8, .. }) && error.is_retryable(), "{error}");
        assert_eq!(setup.stored().await.len() as i64, venue.page_rows(), "{venue}");

        setup.exchange.reschedule(Schedule::at(&[(0, Fault::RateLimit { seconds: 7_200 })]));
        let error = setup.fetch().await.unwrap_err().to_string();
        assert!(error.contains("wait until"), "{error}");

        let market = Market::new(venue.exchange(), "NO-SUCH").unwrap();
        let unknown = Dataset { market, timeframe: Timeframe::H1 };
        setup.exchange.reschedule(Schedule::calm());
        let error = setup.lake.fetch(&setup.client, &unknown, FIRST_MS..FIRST_MS + HOUR, |_| ()).await.unwrap_err();
        assert!(matches!(error, LakeError::Refused { .. }) && error.to_string().contains("Invalid symbol"), "{error}");

        // Nothing of this range is closed yet: there is nothing to do.
        let future = FIRST_MS + 50_000 * HOUR..FIRST_MS + 60_000 * HOUR;
        let report = setup.lake.fetch(&setup.client, &setup.dataset, future, |_| ()).await.unwrap();
        assert_eq!((report.added, report.pages), (0, 0), "{venue}");

        let range = FIRST_MS..FIRST_MS;
        let error = setup.lake.fetch(&setup.client, &setup.dataset, range, |_| ()).await.unwrap_err();
        assert!(matches!(error, LakeError::EmptyRange { .. }), "{error}");
    }
}

#[tokio::test]
async fn names_and_limits_of_the_venues() {
    for venue in Venue::ALL {
        assert_eq!(venue.name().parse::<Venue>().unwrap(), venue);
        assert_eq!(Venue::of_exchange(venue.exchange()).unwrap().exchange(), venue.exchange());
    }
    assert!("mtgox".parse::<Venue>().is_err() && Venue::of_exchange("mtgox").is_none());
    let setup = Setup::new(Venue::CoinbaseExchange, 1, Schedule::calm(), TIMEOUT_MS).await;
    let range = FIRST_MS..FIRST_MS + 40 * HOUR;
    for (dataset, word) in [("coinbase/BTC-USDT/4h", "resample"), ("binance/BTC-USDT/1h", "not a dataset of coinbase")]
    {
        let dataset = dataset.parse().unwrap();
        let error = setup.lake.fetch(&setup.client, &dataset, range.clone(), |_| ()).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let setup = Setup::new(Venue::Bybit, 1, Schedule::calm(), TIMEOUT_MS).await;
    let dataset: Dataset = "bybit/BTC-USDT-PERP/1h".parse().unwrap();
    setup.lake.fetch(&setup.client, &dataset, range, |_| ()).await.unwrap();
    assert!(setup.exchange.requests()[0].uri.contains("category=linear&symbol=BTCUSDT&"));
    assert_eq!(setup.lake.load(&dataset, ALL_TIME).await.unwrap().len(), 40);
}

#[tokio::test]
async fn repair_fetches_only_what_is_damaged_or_missing() {
    for venue in Venue::ALL {
        let setup = Setup::new(venue, 2, Schedule::calm(), TIMEOUT_MS).await;
        let mut candles = Candles::new(setup.dataset.market.clone(), Timeframe::H1);
        setup
            .closed
            .iter()
            .enumerate()
            .filter(|(at, _)| !(40..45).contains(at))
            .for_each(|(_, row)| candles.push(*row));
        setup.lake.store_candles(&candles, OnConflict::Refuse).await.unwrap();
        let manifest = setup.lake.manifest(&setup.dataset).await.unwrap();
        let folder = setup._folder.path().join("candles").join(setup.dataset.to_string());
        let damaged = manifest.partitions.values().nth(1).unwrap();
        std::fs::write(folder.join(&damaged.file), b"PAR1 not any more").unwrap();
        let problems = setup.lake.check(&setup.dataset).await.unwrap();
        let kinds: Vec<ProblemKind> = problems.iter().map(|problem| problem.kind).collect();
        assert_eq!(kinds, [ProblemKind::Gap, ProblemKind::HashMismatch], "{venue}");
        let report = setup.lake.repair(&setup.client, &setup.dataset).await.unwrap();
        assert_eq!((report.repaired.len(), report.left.len(), report.added), (2, 0, 5), "{venue} {report:?}");
        assert!(setup.lake.check(&setup.dataset).await.unwrap().is_empty());
        assert_eq!(setup.stored().await, setup.closed, "{venue}");
    }
}

#[tokio::test]
async fn repair_keeps_what_the_exchange_cannot_replace() {
    let setup = Setup::new(Venue::Binance, 1, Schedule::calm(), TIMEOUT_MS).await;
    // The lake also has candles from before the exchange's first one.
    let mut candles = Candles::new(setup.dataset.market.clone(), Timeframe::H1);
    let older = generate_candles(3, FIRST_MS - 10 * HOUR, Timeframe::H1, 10);
    older.iter().chain(&setup.closed).for_each(|row| candles.push(*row));
    setup.lake.store_candles(&candles, OnConflict::Refuse).await.unwrap();
    let manifest = setup.lake.manifest(&setup.dataset).await.unwrap();
    let folder = setup._folder.path().join("candles").join(setup.dataset.to_string());
    let first = manifest.partitions.values().next().unwrap();
    std::fs::remove_file(folder.join(&first.file)).unwrap();
    let report = setup.lake.repair(&setup.client, &setup.dataset).await.unwrap();
    assert_eq!((report.repaired.len(), report.left.len()), (0, 1), "{report:?}");
    assert_eq!(setup.lake.manifest(&setup.dataset).await.unwrap(), manifest);
    // The file the user still has brings it back.
    setup.lake.store_candles(&candles, OnConflict::Replace).await.unwrap();
    assert!(setup.lake.check(&setup.dataset).await.unwrap().is_empty());
}
