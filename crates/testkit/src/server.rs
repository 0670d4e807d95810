//! The fake exchange: serves a generated series in the shapes of five interfaces and
//! goes wrong as its schedule says.

use std::collections::{BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use assay_types::time::parse_utc;
use assay_types::{Candle, Price, Timeframe, Trade};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{Response, Uri};
use axum::routing::get;
use bytes::Bytes;
use futures::StreamExt;
use serde_json::Value;

use crate::faults::{Fault, Schedule};
use crate::shapes::{Shape, busy, candle_row, envelope, refusal, spoil, trade_row};
use crate::socket::{self, SocketFault, Sockets};

/// What is served.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// Candles, ascending.
    pub candles: Vec<Candle>,
    /// Their length; `None` serves trades only.
    pub timeframe: Option<Timeframe>,
    /// Open times of buckets without trades, which are left out.
    pub empty: BTreeSet<i64>,
    /// Aggregate trades, ascending.
    pub trades: Vec<Trade>,
}

/// A request that came in.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query.
    pub uri: String,
    /// The simulated time.
    pub at_ms: i64,
    /// Whether an earlier answer had asked to wait longer.
    pub too_early: bool,
}

pub(crate) struct Inner {
    series: Mutex<Series>,
    schedule: Mutex<Schedule>,
    count: AtomicU64,
    now_ms: Arc<AtomicI64>,
    wait_until_ms: AtomicI64,
    log: Mutex<Vec<Request>>,
    sockets: Sockets,
    address: SocketAddr,
}

/// A running fake exchange; it stops when dropped.
pub struct FakeExchange {
    inner: Arc<Inner>,
    address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeExchange {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl FakeExchange {
    /// Starts on a free port of loopback. `now_ms` is the simulated time that decides
    /// which candle is open; a client may share it as its clock.
    ///
    /// # Panics
    /// When loopback gives no port.
    pub async fn start(series: Series, schedule: Schedule, now_ms: Arc<AtomicI64>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let inner = Arc::new(Inner {
            series: Mutex::new(series),
            schedule: Mutex::new(schedule),
            count: AtomicU64::new(0),
            now_ms,
            wait_until_ms: AtomicI64::new(i64::MIN),
            log: Mutex::new(Vec::new()),
            sockets: Sockets::new(),
            address,
        });
        let router = Router::new()
            .route("/api/v3/klines", get(binance))
            .route("/api/v3/aggTrades", get(binance_trades))
            .route("/products/{id}/candles", get(coinbase_exchange))
            .route("/api/v3/brokerage/market/products/{id}/candles", get(coinbase_advanced))
            .route("/v5/market/kline", get(bybit))
            .route("/api/v1/market/candles", get(kucoin))
            .merge(socket::routes())
            .with_state(inner.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("a listening socket is served");
        });
        Self { inner, address, task }
    }

    /// Its address for a client.
    #[must_use]
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address for a socket.
    #[must_use]
    pub fn socket_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Moves the simulated time on; the sockets tell what closed by then.
    pub fn advance_to(&self, now_ms: i64) {
        self.inner.now_ms.fetch_max(now_ms, Ordering::SeqCst);
        self.inner.sockets.tick();
    }

    /// What goes wrong on the sockets, each fault once, by candle from 0.
    pub fn set_socket_faults(&self, faults: &[(usize, SocketFault)]) {
        self.inner.sockets.set_faults(faults);
    }

    /// Sockets that were joined so far.
    #[must_use]
    pub fn socket_connections(&self) -> u64 {
        self.inner.sockets.connections()
    }

    /// Replaces the schedule and counts requests from 0 again.
    pub fn reschedule(&self, schedule: Schedule) {
        *lock(&self.inner.schedule) = schedule;
        self.inner.count.store(0, Ordering::SeqCst);
    }

    /// Every request so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.inner.log).clone()
    }
}

type Parameters = HashMap<String, String>;
type Answer = Response<Body>;

fn number(parameters: &Parameters, name: &str) -> Option<i64> {
    parameters.get(name)?.parse().ok()
}

/// What a candle request asks for, in one form for all venues.
struct Asked {
    shape: Shape,
    symbol_ok: bool,
    timeframe: Option<Timeframe>,
    /// First and last open time, both included.
    from_ms: i64,
    last_ms: i64,
    limit: usize,
    /// The longest span in candles, beyond which the venue refuses.
    refuse_over: Option<i64>,
}

fn timeframe(word: Option<&String>, words: [&str; 6]) -> Option<Timeframe> {
    let at = words.iter().position(|known| Some(*known) == word.map(String::as_str))?;
    Timeframe::ALL.get(at).copied()
}

async fn binance(State(inner): State<Arc<Inner>>, Query(query): Query<Parameters>, uri: Uri) -> Answer {
    let limit = number(&query, "limit").unwrap_or(500).clamp(1, 1000);
    let asked = Asked {
        shape: Shape::Binance,
        symbol_ok: query.get("symbol").is_some_and(|symbol| symbol == "BTCUSDT"),
        timeframe: timeframe(query.get("interval"), ["1m", "5m", "15m", "1h", "4h", "1d"]),
        from_ms: number(&query, "startTime").unwrap_or(0),
        last_ms: number(&query, "endTime").unwrap_or(i64::MAX),
        limit: limit as usize,
        refuse_over: None,
    };
    serve_candles(&inner, &uri, &asked).await
}

async fn coinbase_exchange(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Parameters>,
    uri: Uri,
) -> Answer {
    let time = |name: &str| query.get(name).and_then(|text| parse_utc(text).ok());
    let asked = Asked {
        shape: Shape::CoinbaseExchange,
        symbol_ok: id == "BTC-USDT",
        timeframe: timeframe(query.get("granularity"), ["60", "300", "900", "3600", "-", "86400"]),
        from_ms: time("start").unwrap_or(0),
        last_ms: time("end").unwrap_or(i64::MAX),
        limit: 300,
        refuse_over: Some(300),
    };
    serve_candles(&inner, &uri, &asked).await
}

async fn coinbase_advanced(
    State(inner): State<Arc<Inner>>,
    Path(id): Path<String>,
    Query(query): Query<Parameters>,
    uri: Uri,
) -> Answer {
    let words = ["ONE_MINUTE", "FIVE_MINUTE", "FIFTEEN_MINUTE", "ONE_HOUR", "-", "ONE_DAY"];
    let asked = Asked {
        shape: Shape::CoinbaseAdvanced,
        symbol_ok: id == "BTC-USDT",
        timeframe: timeframe(query.get("granularity"), words),
        from_ms: number(&query, "start").unwrap_or(0) * 1000,
        last_ms: number(&query, "end").unwrap_or(i64::MAX / 1000) * 1000,
        limit: 350,
        refuse_over: Some(350),
    };
    serve_candles(&inner, &uri, &asked).await
}

async fn bybit(State(inner): State<Arc<Inner>>, Query(query): Query<Parameters>, uri: Uri) -> Answer {
    let spot = query.get("category").is_some_and(|category| category == "spot" || category == "linear");
    let limit = number(&query, "limit").unwrap_or(200).clamp(1, 1000);
    let asked = Asked {
        shape: Shape::Bybit,
        symbol_ok: spot && query.get("symbol").is_some_and(|symbol| symbol == "BTCUSDT"),
        timeframe: timeframe(query.get("interval"), ["1", "5", "15", "60", "240", "D"]),
        from_ms: number(&query, "start").unwrap_or(0),
        last_ms: number(&query, "end").unwrap_or(i64::MAX),
        limit: limit as usize,
        refuse_over: None,
    };
    serve_candles(&inner, &uri, &asked).await
}

async fn kucoin(State(inner): State<Arc<Inner>>, Query(query): Query<Parameters>, uri: Uri) -> Answer {
    let asked = Asked {
        shape: Shape::Kucoin,
        symbol_ok: query.get("symbol").is_some_and(|symbol| symbol == "BTC-USDT"),
        timeframe: timeframe(query.get("type"), ["1min", "5min", "15min", "1hour", "4hour", "1day"]),
        from_ms: number(&query, "startAt").unwrap_or(0) * 1000,
        // The end is excluded here.
        last_ms: number(&query, "endAt").unwrap_or(i64::MAX / 1000) * 1000 - 1,
        limit: 1500,
        refuse_over: None,
    };
    serve_candles(&inner, &uri, &asked).await
}

async fn serve_candles(inner: &Inner, uri: &Uri, asked: &Asked) -> Answer {
    let fault = inner.arrive(uri);
    let series = lock(&inner.series).clone();
    let shape = asked.shape;
    let refused = |message: &str| plain(refusal(shape, message));
    if !asked.symbol_ok {
        return refused("Invalid symbol.");
    }
    let (Some(step), true) = (asked.timeframe.map(Timeframe::ms), asked.timeframe == series.timeframe) else {
        return refused("Invalid interval.");
    };
    if asked.refuse_over.is_some_and(|most| (asked.last_ms - asked.from_ms) / step + 1 > most) {
        return refused(
            "granularity too small for the requested time range. Count of aggregations requested exceeds the limit",
        );
    }
    let now_ms = inner.now_ms.load(Ordering::SeqCst);
    let printed: Vec<Candle> = series
        .candles
        .iter()
        .filter(|row| row.open_time_ms <= now_ms && !series.empty.contains(&row.open_time_ms))
        .map(|row| if row.open_time_ms + step > now_ms { half_formed(row) } else { *row })
        .collect();
    let first = printed.partition_point(|row| row.open_time_ms < asked.from_ms);
    let end = printed.partition_point(|row| row.open_time_ms <= asked.last_ms).max(first);
    // Venues that answer newest first cut a long page at its old end.
    let newest_first = shape != Shape::Binance;
    let span = if newest_first {
        first.max(end.saturating_sub(asked.limit))..end
    } else {
        first..end.min(first + asked.limit)
    };
    let mut rows: Vec<Candle> = printed[span.clone()].to_vec();
    match fault {
        Some(Fault::Overlap) => {
            rows = printed[span.start.saturating_sub(3)..(span.end + 3).min(printed.len())].to_vec();
            rows.extend_from_within(..rows.len().min(5));
        }
        Some(Fault::DropRow) if rows.len() > 2 => _ = rows.remove(rows.len() / 2),
        Some(Fault::Contradiction) if !rows.is_empty() => {
            let row = rows[rows.len() / 2];
            rows.push(Candle { volume: assay_types::Qty(row.volume.0 + 1), ..row });
        }
        _ => {}
    }
    if newest_first {
        rows.reverse();
    }
    let json = rows.iter().map(|row| candle_row(shape, row, step)).collect();
    inner.answer(shape, fault, json).await
}

/// The candle as it looks while it is open.
pub(crate) fn half_formed(row: &Candle) -> Candle {
    let close = Price((row.open.0 + row.high.0) / 2);
    Candle { close, low: row.low.min(close), volume: assay_types::Qty(row.volume.0 / 2), ..*row }
}

async fn binance_trades(State(inner): State<Arc<Inner>>, Query(query): Query<Parameters>, uri: Uri) -> Answer {
    let fault = inner.arrive(&uri);
    if query.get("symbol").is_none_or(|symbol| symbol != "BTCUSDT") {
        return plain(refusal(Shape::BinanceTrades, "Invalid symbol."));
    }
    let now_ms = inner.now_ms.load(Ordering::SeqCst);
    let limit = number(&query, "limit").unwrap_or(500).clamp(1, 1000) as usize;
    let trades = lock(&inner.series).trades.clone();
    let printed = trades.iter().filter(|trade| trade.time_ms <= now_ms);
    let mut rows: Vec<Trade> = match (number(&query, "fromId"), number(&query, "startTime"), number(&query, "endTime"))
    {
        (Some(id), None, None) => printed.filter(|trade| trade.id >= id as u64).take(limit).copied().collect(),
        (None, Some(from), Some(to)) if to - from < 3_600_000 => {
            printed.filter(|trade| (from..=to).contains(&trade.time_ms)).take(limit).copied().collect()
        }
        _ => return plain(refusal(Shape::BinanceTrades, "Combination of parameters invalid.")),
    };
    match fault {
        Some(Fault::Overlap) => rows.extend_from_within(..rows.len().min(5)),
        Some(Fault::DropRow) if rows.len() > 2 => _ = rows.remove(rows.len() / 2),
        Some(Fault::Contradiction) if !rows.is_empty() => {
            let row = rows[rows.len() / 2];
            rows.push(Trade { price: Price(row.price.0 + 1), ..row });
        }
        _ => {}
    }
    inner.answer(Shape::BinanceTrades, fault, rows.iter().map(trade_row).collect()).await
}

impl Inner {
    pub(crate) fn sockets(&self) -> &Sockets {
        &self.sockets
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    pub(crate) fn timeframe(&self) -> Option<Timeframe> {
        lock(&self.series).timeframe
    }

    /// The candles that exist, and their length.
    pub(crate) fn canonical(&self) -> (Vec<Candle>, i64) {
        let series = lock(&self.series);
        let exists = |candle: &&Candle| !series.empty.contains(&candle.open_time_ms);
        let step_ms = series.timeframe.map_or(60_000, Timeframe::ms);
        (series.candles.iter().filter(exists).copied().collect(), step_ms)
    }

    /// Counts and logs a request, and says what goes wrong with it.
    fn arrive(&self, uri: &Uri) -> Option<Fault> {
        let at_ms = self.now_ms.load(Ordering::SeqCst);
        let too_early = at_ms < self.wait_until_ms.load(Ordering::SeqCst);
        lock(&self.log).push(Request { uri: uri.to_string(), at_ms, too_early });
        lock(&self.schedule).fault(self.count.fetch_add(1, Ordering::SeqCst))
    }

    /// Asks to wait, and remembers it.
    fn ask_to_wait(&self, status: u16, wait_ms: i64, header: String) -> Answer {
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        self.wait_until_ms.store(now_ms + wait_ms, Ordering::SeqCst);
        let body = Body::from(r#"{"code":-1003,"msg":"Too much request weight used"}"#);
        Response::builder().status(status).header("Retry-After", header).body(body).expect("a plain answer")
    }

    async fn answer(&self, shape: Shape, fault: Option<Fault>, mut rows: Vec<Value>) -> Answer {
        let middle = rows.len() / 2;
        let now_ms = self.now_ms.load(Ordering::SeqCst);
        match fault {
            Some(Fault::RateLimit { seconds }) => return self.ask_to_wait(429, seconds * 1000, seconds.to_string()),
            Some(Fault::RateLimitUntil { seconds }) => {
                // A date names whole seconds.
                let until = jiff::Timestamp::from_second((now_ms + 999) / 1000 + seconds).expect("a time of this era");
                let date = until.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
                return self.ask_to_wait(429, until.as_millisecond() - now_ms, date);
            }
            Some(Fault::Ban { seconds }) => return self.ask_to_wait(418, seconds * 1000, seconds.to_string()),
            Some(Fault::RateLimitCode) => return plain(busy(shape)),
            Some(Fault::ServerError(status)) => return plain((status, Value::String("bad gateway".to_owned()))),
            Some(Fault::Html) => return body_of(Body::from("<html>Please wait</html>"), None),
            Some(Fault::OutOfOrder) => {
                // A fixed mix: every second row first, from the back.
                let (even, odd): (Vec<_>, Vec<_>) = rows.into_iter().enumerate().partition(|(index, _)| index % 2 == 0);
                rows = odd.into_iter().rev().chain(even).map(|(_, row)| row).collect();
            }
            Some(Fault::BadNumber) if !rows.is_empty() => spoil(shape, &mut rows[middle], Some("NaN".into())),
            Some(Fault::ShortRow) if !rows.is_empty() => spoil(shape, &mut rows[middle], None),
            Some(Fault::ImpossibleRow) if !rows.is_empty() => spoil(shape, &mut rows[middle], Some("0.5".into())),
            _ => {}
        }
        let text = Bytes::from(envelope(shape, rows).to_string());
        let half = text.slice(..text.len() / 2);
        let rest = text.slice(text.len() / 2..);
        match fault {
            Some(Fault::CutConnection) => {
                let parts = [Ok(half), Err(std::io::Error::other("cut"))];
                body_of(Body::from_stream(futures::stream::iter(parts)), Some(text.len()))
            }
            Some(Fault::SlowBody { wait_ms }) => {
                let late = async move {
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                    Ok::<_, std::io::Error>(rest)
                };
                let parts = futures::stream::iter([Ok(half)]).chain(futures::stream::once(late));
                body_of(Body::from_stream(parts), Some(text.len()))
            }
            Some(Fault::NearLimit) => {
                let until_ms = (now_ms / 60_000 + 1) * 60_000;
                self.wait_until_ms.store(until_ms, Ordering::SeqCst);
                let mut answer = body_of(Body::from(text), None);
                let mut set = |name: &'static str, value: i64| answer.headers_mut().insert(name, value.into());
                match shape {
                    Shape::Bybit => {
                        set("x-bapi-limit-status", 0);
                        set("x-bapi-limit-reset-timestamp", until_ms);
                    }
                    Shape::Kucoin => {
                        set("gw-ratelimit-remaining", 2);
                        set("gw-ratelimit-reset", until_ms - now_ms);
                    }
                    _ => _ = set("x-mbx-used-weight-1m", 5_990),
                }
                answer
            }
            _ => body_of(Body::from(text), None),
        }
    }
}

fn plain((status, value): (u16, Value)) -> Answer {
    Response::builder().status(status).body(Body::from(value.to_string())).expect("a plain answer")
}

fn body_of(body: Body, length: Option<usize>) -> Answer {
    let mut builder = Response::builder().header("Content-Type", "application/json");
    if let Some(length) = length {
        builder = builder.header("Content-Length", length);
    }
    builder.body(body).expect("a plain answer")
}
