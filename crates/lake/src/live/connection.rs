//! The task behind a feed: connects, listens, pings, fills holes, and connects again.

use std::collections::VecDeque;
use std::future::pending;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_types::{Candle, Dataset};
use futures::future::BoxFuture;
use futures::{FutureExt, SinkExt, StreamExt};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

use super::sequencer::{Arrival, Sequencer};
use super::{ClosedCandle, FeedHealth, LiveSettings, Origin};
use crate::LakeError;
use crate::exchange::{ClosedRule, ExchangeClient, Heard, PageError, SocketRequest, Told};
use crate::fetch::windows;

/// The longest message that is read.
const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Messages from which the skew is told; the quickest of them counts.
const SKEW_SAMPLES: usize = 32;
/// How often our own clock is looked at.
const TICK: Duration = Duration::from_millis(100);
/// Malformed messages in a row after which the connection is given up.
const MAX_MALFORMED: u32 = 20;
/// Messages whose time is further from our clock than this are not believed.
const MAX_SKEW_MS: i64 = 600_000;

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

type Socket = WebSocketStream<Box<dyn Stream>>;
type Filling = BoxFuture<'static, (Range<i64>, i64, Result<Vec<Candle>, LakeError>)>;

/// Why a connection is over.
enum Over {
    /// It failed; another may do better.
    Lost(String),
    /// Nobody listens any more.
    Unwanted,
    /// The exchange will never serve this.
    Refused(LakeError),
}

/// A feed at work.
pub(super) struct Connection {
    client: Arc<ExchangeClient>,
    dataset: Dataset,
    settings: LiveSettings,
    rule: ClosedRule,
    health: Arc<FeedHealth>,
    sender: mpsc::Sender<Result<ClosedCandle, LakeError>>,
    sequencer: Sequencer,
    skews: VecDeque<i64>,
    filling: Option<Filling>,
    /// When the hole there is will be asked for.
    ask_at: Option<Instant>,
    /// Up to where the exchange, not our own clock, told that candles are closed.
    heard_to_ms: i64,
    fill_failures: u32,
}

impl Connection {
    pub fn new(
        client: ExchangeClient,
        dataset: Dataset,
        after_ms: Option<i64>,
        settings: LiveSettings,
        rule: ClosedRule,
        health: Arc<FeedHealth>,
        sender: mpsc::Sender<Result<ClosedCandle, LakeError>>,
    ) -> Self {
        let step_ms = dataset.timeframe.ms();
        let open_now_ms = client.clock().now_ms().div_euclid(step_ms) * step_ms;
        let next_ms = after_ms.map_or(open_now_ms, |after_ms| after_ms + step_ms);
        Self {
            client: Arc::new(client),
            settings,
            rule,
            health,
            sender,
            sequencer: Sequencer::new(step_ms, next_ms),
            dataset,
            skews: VecDeque::new(),
            filling: None,
            ask_at: None,
            heard_to_ms: 0,
            fill_failures: 0,
        }
    }

    pub async fn run(mut self) {
        let mut failures = 0;
        loop {
            // What closed while there was no connection is filled first.
            self.sequencer.passed(self.now_ms());
            self.ask_soon(Duration::ZERO);
            let connects = self.health.connects();
            let over = match self.connect().await {
                Ok((socket, request)) => self.listen(socket, &request).await,
                Err(over) => over,
            };
            match over {
                Over::Unwanted => return,
                Over::Refused(error) => {
                    self.health.failed(error.to_string());
                    // Nobody listening is as good as told.
                    let _ = self.sender.send(Err(error)).await;
                    return;
                }
                Over::Lost(text) => self.health.failed(text),
            }
            failures = if self.health.connects() > connects { 0 } else { failures + 1 };
            let wait_ms = self.settings.backoff_ms.saturating_mul(1 << failures.min(20));
            let wait = Duration::from_millis(wait_ms.min(self.settings.max_backoff_ms));
            if let Some(Over::Refused(error)) = self.wait_and_fill(wait).await {
                let _ = self.sender.send(Err(error)).await;
                return;
            }
            if self.sender.is_closed() {
                return;
            }
        }
    }

    /// Our time, corrected by what is known of the exchange's clock.
    fn now_ms(&self) -> i64 {
        self.client.clock().now_ms() + self.health.skew_ms()
    }

    async fn connect(&mut self) -> Result<(Socket, SocketRequest), Over> {
        let (venue, limit) = (self.client.venue(), Duration::from_millis(self.settings.connect_ms));
        let request = venue.socket(
            &self.client,
            &self.dataset.market,
            self.dataset.timeframe,
            self.settings.socket_url.as_deref(),
        );
        let request = request
            .await
            .map_err(|error| if error.is_retryable() { Over::Lost(error.to_string()) } else { Over::Refused(error) })?;
        let lost = |detail: String| Over::Lost(format!("cannot connect to {venue}: {detail}"));
        let opening = async {
            let mut socket = open(&request.url).await?;
            for message in &request.subscribe {
                socket.send(Message::text(message.clone())).await.map_err(|error| error.to_string())?;
            }
            Ok::<_, String>(socket)
        };
        match timeout(limit, opening).await {
            Ok(Ok(socket)) => {
                self.health.connects.fetch_add(1, Ordering::Relaxed);
                Ok((socket, request))
            }
            Ok(Err(detail)) => Err(lost(detail)),
            Err(_) => Err(lost(format!("no answer within {} ms", self.settings.connect_ms))),
        }
    }

    async fn listen(&mut self, mut socket: Socket, request: &SocketRequest) -> Over {
        let silence = Duration::from_millis(self.settings.silence_ms);
        let mut pings = interval(Duration::from_millis(self.settings.ping_ms.unwrap_or(request.ping_ms).max(1)));
        let mut ticks = interval(TICK);
        pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        pings.reset();
        let mut heard_at = Instant::now();
        let mut malformed = 0;
        loop {
            if let Err(over) = self.deliver().await {
                return over;
            }
            tokio::select! {
                () = self.sender.closed() => return Over::Unwanted,
                message = socket.next() => {
                    heard_at = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => match self.hear(text.as_str(), request) {
                            Ok(()) => malformed = 0,
                            Err(PageError::Refused(detail)) => {
                                let venue = self.client.venue();
                                return Over::Lost(format!("{venue} refuses: {detail}"));
                            }
                            Err(_) => {
                                self.health.malformed.fetch_add(1, Ordering::Relaxed);
                                malformed += 1;
                                if malformed >= MAX_MALFORMED {
                                    return Over::Lost(format!("{malformed} messages in a row cannot be read"));
                                }
                            }
                        },
                        Some(Ok(Message::Close(_))) | None => return Over::Lost("the exchange hung up".to_owned()),
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Over::Lost(error.to_string()),
                    }
                }
                answer = filling(&mut self.filling) => {
                    if let Err(over) = self.filled(answer) {
                        return over;
                    }
                }
                () = due(self.ask_at) => self.fill(),
                _ = pings.tick() => {
                    let message = request.ping.as_ref().map_or(Message::Ping(Vec::new().into()), |text| Message::text(text.clone()));
                    if let Err(error) = socket.send(message).await {
                        return Over::Lost(error.to_string());
                    }
                }
                _ = ticks.tick() => self.look_at_clock(),
                () = sleep_until(heard_at + silence) => {
                    return Over::Lost(format!("nothing came for {} ms", self.settings.silence_ms));
                }
            }
        }
    }

    /// Fills holes while there is no connection, for `wait`.
    async fn wait_and_fill(&mut self, wait: Duration) -> Option<Over> {
        let end = Instant::now() + wait;
        loop {
            if let Err(over) = self.deliver().await {
                return Some(over);
            }
            tokio::select! {
                () = sleep_until(end) => return None,
                answer = filling(&mut self.filling) => {
                    if let Err(over) = self.filled(answer) {
                        return Some(over);
                    }
                }
                () = due(self.ask_at) => self.fill(),
                () = sleep(TICK) => self.look_at_clock(),
            }
        }
    }

    fn hear(&mut self, text: &str, request: &SocketRequest) -> Result<(), PageError> {
        let Heard { sent_ms, told } = self.client.venue().hear(text, request)?;
        let timeframe = self.dataset.timeframe;
        for told in &told {
            if let Told::Closed(candle) = told
                && let Err(error) = candle.check(timeframe)
            {
                return Err(PageError::Row(0, error.to_string()));
            }
        }
        let clock_ms = self.client.clock().now_ms();
        let is_early = |time_ms: i64| time_ms.saturating_sub(clock_ms) > MAX_SKEW_MS;
        let opens = told.iter().map(|told| match told {
            Told::Closed(candle) => candle.open_time_ms,
            Told::Forming(open_ms) => *open_ms,
        });
        if let Some(time_ms) = sent_ms.into_iter().chain(opens).find(|time_ms| is_early(*time_ms)) {
            let apart_s = time_ms.saturating_sub(clock_ms) / 1000;
            self.health.failed(format!("the exchange's clock is {apart_s} s ahead of ours: set this machine's clock"));
            return Err(PageError::Row(0, "a time in the future".to_owned()));
        }
        if let Some(sent_ms) = sent_ms {
            self.note_skew(sent_ms);
            self.heard_to_ms = self.heard_to_ms.max(sent_ms);
        }
        for told in told {
            match told {
                Told::Closed(candle) => {
                    let now_ms = self.now_ms();
                    match self.sequencer.arrive(candle, now_ms, Origin::Socket) {
                        Arrival::New => {}
                        Arrival::Duplicate => _ = self.health.duplicates.fetch_add(1, Ordering::Relaxed),
                        Arrival::Contradiction => _ = self.health.contradictions.fetch_add(1, Ordering::Relaxed),
                    }
                }
                Told::Forming(open_ms) => self.heard_to_ms = self.heard_to_ms.max(open_ms),
            }
        }
        self.sequencer.passed(self.heard_to_ms);
        let wait_ms = match self.rule {
            ClosedRule::Flagged => self.settings.grace_ms,
            ClosedRule::ByTime => self.settings.settle_ms,
        };
        self.ask_soon(Duration::from_millis(wait_ms));
        Ok(())
    }

    /// The quickest of the last messages tells how far the clocks are apart.
    fn note_skew(&mut self, sent_ms: i64) {
        self.skews.push_back(sent_ms - self.client.clock().now_ms());
        if self.skews.len() > SKEW_SAMPLES {
            self.skews.pop_front();
        }
        let skew_ms = self.skews.iter().copied().max().unwrap_or(0);
        self.health.skew_ms.store(skew_ms, Ordering::Relaxed);
    }

    fn look_at_clock(&mut self) {
        let step_ms = self.dataset.timeframe.ms();
        if self.now_ms() >= self.sequencer.next_ms() + step_ms + self.settings.overdue_ms {
            self.sequencer.passed(self.now_ms() - self.settings.overdue_ms);
            self.ask_soon(Duration::ZERO);
        }
    }

    /// Plans to ask for the hole, if there is one and that is not planned yet.
    fn ask_soon(&mut self, wait: Duration) {
        if self.sequencer.hole().is_none() {
            self.ask_at = None;
        } else if self.filling.is_none() && self.ask_at.is_none() {
            self.ask_at = Some(Instant::now() + wait);
        }
    }

    /// Asks REST for the first page of the hole.
    fn fill(&mut self) {
        self.ask_at = None;
        let Some(hole) = self.sequencer.hole().filter(|_| self.filling.is_none()) else { return };
        let span_ms = self.client.venue().page_rows() * self.dataset.timeframe.ms();
        let Some(window) = windows(&[hole], span_ms).into_iter().next() else { return };
        let (client, dataset) = (self.client.clone(), self.dataset.clone());
        // What the exchange said to be closed is closed, whatever our clock says.
        let asked_ms = self.now_ms().max(window.end);
        self.filling = Some(
            async move {
                let rows = client.candles_closed_by(&dataset, window.clone(), asked_ms).await;
                (window, asked_ms, rows)
            }
            .boxed(),
        );
    }

    fn filled(
        &mut self,
        (window, asked_ms, rows): (Range<i64>, i64, Result<Vec<Candle>, LakeError>),
    ) -> Result<(), Over> {
        self.filling = None;
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) if error.is_retryable() || matches!(error, LakeError::Malformed { .. }) => {
                self.health.failed(error.to_string());
                self.fill_failures += 1;
                let wait_ms = self.settings.retry_ms.saturating_mul(1 << self.fill_failures.min(10));
                self.ask_soon(Duration::from_millis(wait_ms.min(self.settings.max_backoff_ms)));
                return Ok(());
            }
            Err(error) => return Err(Over::Refused(error)),
        };
        self.fill_failures = 0;
        let now_ms = self.now_ms();
        let step_ms = self.dataset.timeframe.ms();
        let mut complete_to = window.start;
        for candle in rows {
            let is_last = candle.open_time_ms + step_ms == self.heard_to_ms.div_euclid(step_ms) * step_ms;
            let origin = match self.rule {
                ClosedRule::ByTime if is_last => Origin::Confirmed,
                _ => Origin::Backfill,
            };
            complete_to = candle.open_time_ms + step_ms;
            if self.sequencer.arrive(candle, now_ms, origin) == Arrival::New && origin == Origin::Backfill {
                self.health.filled.fetch_add(1, Ordering::Relaxed);
            }
        }
        // REST may be behind: what it lacks at the end counts only after a while.
        let settled_ms = (asked_ms - self.settings.missing_ms).div_euclid(step_ms) * step_ms;
        self.sequencer.complete_to(complete_to.max(settled_ms.min(window.end)));
        self.ask_soon(Duration::from_millis(if complete_to > window.start { 0 } else { self.settings.retry_ms }));
        Ok(())
    }

    /// Hands on what is in order.
    async fn deliver(&mut self) -> Result<(), Over> {
        while let Some(candle) = self.sequencer.next() {
            self.health.gaps.store(self.sequencer.gaps(), Ordering::Relaxed);
            self.sender.send(Ok(candle)).await.map_err(|_| Over::Unwanted)?;
        }
        // A candle that waited hides the hole behind it until it is handed on.
        self.ask_soon(Duration::ZERO);
        Ok(())
    }
}

async fn filling(filling: &mut Option<Filling>) -> (Range<i64>, i64, Result<Vec<Candle>, LakeError>) {
    match filling {
        Some(filling) => filling.await,
        None => pending().await,
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// Opens a socket, over TLS where the address says so.
async fn open(url: &str) -> Result<Socket, String> {
    let parts = reqwest::Url::parse(url).map_err(|error| error.to_string())?;
    let host = parts.host_str().ok_or("the address has no host")?.to_owned();
    let is_secure = parts.scheme() == "wss";
    let port = parts.port().unwrap_or(if is_secure { 443 } else { 80 });
    let stream = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
    stream.set_nodelay(true).map_err(|error| error.to_string())?;
    let stream: Box<dyn Stream> = if is_secure {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_platform_verifier())
            .map_err(|error| error.to_string())?
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from(host).map_err(|error| error.to_string())?;
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        Box::new(connector.connect(name, stream).await.map_err(|error| error.to_string())?)
    } else {
        Box::new(stream)
    };
    let limits =
        WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE_BYTES)).max_frame_size(Some(MAX_MESSAGE_BYTES));
    // The address may hold a token, which an error would repeat.
    let (socket, _) = client_async_with_config(url, stream, Some(limits))
        .await
        .map_err(|_| "the exchange does not open a WebSocket there".to_owned())?;
    Ok(socket)
}
