//! Candles over the fake exchange's sockets, venue by venue and fault by fault: whatever goes
//! wrong, the feed is the canonical series.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use assay_lake::{Clock, ClosedCandle, ExchangeClient, LakeError, LiveFeed, LiveSettings, Origin, Venue};
use assay_testkit::{FakeExchange, Fault, Schedule, Series, SocketFault, generate_candles};
use assay_types::{Candle, Dataset, Timeframe};

const STEP: i64 = Timeframe::M1.ms();
const FIRST_MS: i64 = 1_700_000_400_000 / STEP * STEP;
/// Candles that were there before the feed began.
const BEFORE: usize = 5;
const COUNT: usize = 24;
const VENUES: [Venue; 4] = [Venue::Binance, Venue::CoinbaseAdvanced, Venue::Bybit, Venue::Kucoin];

struct Setup {
    exchange: FakeExchange,
    candles: Vec<Candle>,
    clock: Arc<AtomicI64>,
    dataset: Dataset,
    venue: Venue,
}

fn settings(exchange: &FakeExchange) -> LiveSettings {
    LiveSettings {
        socket_url: Some(exchange.socket_url()),
        silence_ms: 400,
        ping_ms: Some(60),
        backoff_ms: 10,
        max_backoff_ms: 40,
        grace_ms: 40,
        settle_ms: 10,
        missing_ms: STEP / 2,
        retry_ms: 20,
        overdue_ms: STEP / 4,
        ..LiveSettings::default()
    }
}

impl Setup {
    async fn new(venue: Venue, empty: &[usize]) -> Self {
        let candles = generate_candles(11, FIRST_MS, Timeframe::M1, COUNT + 1);
        let open_ms = |index: usize| FIRST_MS + index as i64 * STEP;
        let empty: BTreeSet<i64> = empty.iter().map(|index| open_ms(*index)).collect();
        let series = Series {
            candles: candles.clone(),
            timeframe: Some(Timeframe::M1),
            empty: empty.clone(),
            ..Series::default()
        };
        let clock = Arc::new(AtomicI64::new(open_ms(BEFORE) + 1_000));
        let exchange = FakeExchange::start(series, Schedule::calm(), clock.clone()).await;
        let candles = candles.into_iter().filter(|candle| !empty.contains(&candle.open_time_ms)).collect();
        let dataset = format!("{}/BTC-USDT/1m", venue.exchange()).parse().unwrap();
        Self { exchange, candles, clock, dataset, venue }
    }

    fn start(&self, after_ms: Option<i64>) -> LiveFeed {
        let clock = Clock::Simulated(self.clock.clone());
        let client = ExchangeClient::with(self.venue, &self.exchange.base_url(), clock, 5_000).unwrap();
        LiveFeed::start(client, &self.dataset, after_ms, settings(&self.exchange)).unwrap()
    }

    /// Lets `candles` close one after the other and gives what the feed told of each.
    async fn follow(&self, feed: &mut LiveFeed, candles: &[Candle]) -> Vec<ClosedCandle> {
        let mut heard = Vec::new();
        for candle in candles {
            // A second and a bit after the close, as sockets tell it.
            self.exchange.advance_to(candle.open_time_ms + STEP + 1_000);
            heard.push(self.take(feed).await);
        }
        heard
    }

    async fn take(&self, feed: &mut LiveFeed) -> ClosedCandle {
        match tokio::time::timeout(Duration::from_secs(20), feed.next()).await {
            Ok(Some(Ok(candle))) => candle,
            other => panic!("{}: {other:?}; {:?}", self.venue, feed.health()),
        }
    }

    /// Waits until the feed has joined the socket, so that what follows is told there.
    async fn joined(&self, connections: u64) {
        let wait = async {
            while self.exchange.socket_connections() < connections {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.unwrap();
    }
}

fn plain(heard: &[ClosedCandle]) -> Vec<Candle> {
    heard.iter().map(|closed| closed.candle).collect()
}

#[tokio::test]
async fn a_calm_socket_tells_each_candle_as_it_closes() {
    for venue in VENUES {
        let setup = Setup::new(venue, &[]).await;
        let mut feed = setup.start(None);
        setup.joined(1).await;
        let heard = setup.follow(&mut feed, &setup.candles[BEFORE..COUNT]).await;
        assert_eq!(plain(&heard), setup.candles[BEFORE..COUNT], "{venue}");
        let health = feed.health();
        let flagged = matches!(venue, Venue::Binance | Venue::Bybit);
        let origin = if flagged { Origin::Socket } else { Origin::Confirmed };
        assert!(heard.iter().all(|closed| closed.origin == origin), "{venue}: {heard:?}");
        assert_eq!((health.filled(), health.gaps(), health.connects()), (0, 0, 1), "{venue}");
        if flagged {
            assert!(setup.exchange.requests().is_empty(), "{venue} asks REST without need");
        }
        for closed in &heard {
            let delay_ms = closed.received_at_ms - closed.candle.open_time_ms - STEP;
            assert!((0..=1_000).contains(&delay_ms), "{venue}: {delay_ms}");
        }
    }
}

#[tokio::test]
async fn whatever_goes_wrong_the_feed_is_the_canonical_series() {
    use SocketFault::{Drop, Duplicate, Impossible, Late, Malformed, OutOfOrder, Silence, Skew};
    let faults =
        [Drop, Duplicate, Late, OutOfOrder, Malformed, Impossible, Silence, Skew { ms: 4_000 }, Skew { ms: -4_000 }];
    let cases = VENUES.into_iter().flat_map(|venue| faults.map(|fault| (venue, fault)));
    let cases = cases.map(|(venue, fault)| async move {
        let setup = Setup::new(venue, &[]).await;
        setup.exchange.set_socket_faults(&[(8, fault), (9, fault), (13, fault)]);
        let mut feed = setup.start(None);
        setup.joined(1).await;
        let heard = setup.follow(&mut feed, &setup.candles[BEFORE..COUNT]).await;
        assert_eq!(plain(&heard), setup.candles[BEFORE..COUNT], "{venue} {fault:?}");
        let health = feed.health();
        let flagged = matches!(venue, Venue::Binance | Venue::Bybit);
        match fault {
            Drop | Silence => assert!(health.connects() > 1, "{venue} {fault:?} {health:?}"),
            Malformed => assert!(health.malformed() > 0, "{venue} {health:?}"),
            Impossible if flagged => assert!(health.malformed() > 0, "{venue} {health:?}"),
            Duplicate if flagged => assert!(health.duplicates() > 0, "{venue} {health:?}"),
            Skew { ms } => assert!((health.skew_ms() - ms).abs() <= 1_000, "{venue} {ms} {health:?}"),
            _ => {}
        }
    });
    futures::future::join_all(cases).await;
}

#[tokio::test]
async fn a_burst_out_of_order_comes_out_in_order() {
    for venue in VENUES {
        let setup = Setup::new(venue, &[]).await;
        setup.exchange.set_socket_faults(&[
            (6, SocketFault::OutOfOrder),
            (9, SocketFault::Late),
            (12, SocketFault::Duplicate),
        ]);
        let mut feed = setup.start(None);
        setup.joined(1).await;
        let mut heard = Vec::new();
        for end in [8, 11, 12, 20] {
            setup.exchange.advance_to(setup.candles[end].open_time_ms + STEP + 500);
            while heard.len() <= end - BEFORE {
                heard.push(setup.take(&mut feed).await.candle);
            }
        }
        assert_eq!(heard, setup.candles[BEFORE..=20], "{venue}");
    }
}

#[tokio::test]
async fn what_closed_while_nobody_listened_is_filled_first() {
    for venue in VENUES {
        let setup = Setup::new(venue, &[]).await;
        // It goes on after the second candle, though three more are closed already.
        let mut feed = setup.start(Some(setup.candles[1].open_time_ms));
        let mut heard = Vec::new();
        for _ in 2..BEFORE {
            heard.push(setup.take(&mut feed).await);
        }
        assert!(heard.iter().all(|closed| closed.origin != Origin::Socket), "{venue}: {heard:?}");
        setup.joined(1).await;
        heard.extend(setup.follow(&mut feed, &setup.candles[BEFORE..12]).await);
        assert_eq!(plain(&heard), setup.candles[2..12], "{venue}");
        assert!((2..=3).contains(&feed.health().filled()), "{venue}");
        // Dropped, and taken up again much later.
        drop(feed);
        setup.exchange.advance_to(setup.candles[19].open_time_ms + STEP + 10);
        let mut feed = setup.start(Some(setup.candles[11].open_time_ms));
        let mut later = Vec::new();
        for _ in 12..20 {
            later.push(setup.take(&mut feed).await.candle);
        }
        assert_eq!(later, setup.candles[12..20], "{venue}");
    }
}

#[tokio::test]
async fn a_real_gap_stays_a_gap() {
    let cases = VENUES.map(|venue| async move {
        let setup = Setup::new(venue, &[9, 10, 15]).await;
        let mut feed = setup.start(None);
        setup.joined(1).await;
        let expected: Vec<Candle> = setup
            .candles
            .iter()
            .filter(|candle| candle.open_time_ms >= FIRST_MS + BEFORE as i64 * STEP)
            .copied()
            .collect();
        let expected = &expected[..12];
        let heard = setup.follow(&mut feed, expected).await;
        assert_eq!(plain(&heard), expected, "{venue}");
        assert_eq!(feed.health().gaps(), 3, "{venue}");
    });
    futures::future::join_all(cases).await;
}

#[tokio::test]
async fn rest_that_fails_for_a_while_delays_and_loses_nothing() {
    for venue in [Venue::Binance, Venue::Kucoin] {
        let setup = Setup::new(venue, &[]).await;
        setup.exchange.set_socket_faults(&[(7, SocketFault::Malformed), (8, SocketFault::Drop)]);
        setup.exchange.reschedule(Schedule::repeated(Fault::ServerError(503), 0, 9));
        let mut feed = setup.start(None);
        let mut heard = Vec::new();
        for candle in &setup.candles[BEFORE..COUNT] {
            setup.exchange.advance_to(candle.open_time_ms + STEP + 1_000);
            heard.push(setup.take(&mut feed).await.candle);
        }
        assert_eq!(heard, setup.candles[BEFORE..COUNT], "{venue}");
    }
}

#[tokio::test]
async fn what_no_socket_offers_is_refused_at_once() {
    let setup = Setup::new(Venue::CoinbaseExchange, &[]).await;
    let client = ExchangeClient::with(setup.venue, &setup.exchange.base_url(), Clock::System, 5_000).unwrap();
    let refused = LiveFeed::start(client, &setup.dataset, None, settings(&setup.exchange)).unwrap_err();
    assert!(matches!(&refused, LakeError::Unsupported(text) if text.contains("coinbase-advanced")), "{refused}");
    let client =
        ExchangeClient::with(Venue::CoinbaseAdvanced, &setup.exchange.base_url(), Clock::System, 5_000).unwrap();
    let four_hours = "coinbase/BTC-USD/4h".parse().unwrap();
    assert!(matches!(
        LiveFeed::start(client, &four_hours, None, LiveSettings::default()),
        Err(LakeError::Unsupported(_))
    ));
    // An unknown symbol is told by REST, and ends the feed.
    let setup = Setup::new(Venue::Bybit, &[]).await;
    let client =
        ExchangeClient::with(Venue::Bybit, &setup.exchange.base_url(), Clock::Simulated(setup.clock.clone()), 5_000)
            .unwrap();
    let unknown = "bybit/NO-SUCH/1m".parse().unwrap();
    let mut feed = LiveFeed::start(client, &unknown, Some(FIRST_MS), settings(&setup.exchange)).unwrap();
    assert!(matches!(feed.next().await, Some(Err(LakeError::Refused { .. }))));
    assert!(feed.next().await.is_none());
}
