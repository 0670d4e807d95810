//! The event stream: what changed, numbered. A listener that was away reads on after the last
//! number it knows, so a cut connection leaves no gap.

#![allow(unused_qualifications, reason = "utoipa writes them")]

use std::sync::Arc;
use std::time::Duration;

use assay_store::database::{Event, MAX_EVENTS};
use assay_types::time::format_utc;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use futures::stream::{SplitSink, SplitStream};
use futures::{SinkExt as _, StreamExt as _};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::error::RecvError;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Presented, Scope};
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiQuery};
use crate::parts::stopped;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Largest message that a client may send; it has nothing to say.
const MAX_INBOUND: usize = 4_096;
/// Bytes that may wait for a socket's reader.
const MAX_WAITING: usize = 1 << 20;
/// Events that are read from the database at once.
const REPLAY_PAGE: u32 = 250;
/// How often a socket's credential is checked again.
const RECHECK: Duration = Duration::from_millis(500);
/// Longest wait for a reader to take the reason of the end.
const FAREWELL: Duration = Duration::from_secs(5);

const CLOSE_GOING_AWAY: u16 = 1001;
const CLOSE_TRY_AGAIN: u16 = 1013;
const CLOSE_CREDENTIAL_ENDED: u16 = 4401;
const CLOSE_TOO_SLOW: u16 = 4408;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(events))
}

/// What a listener wants.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct EventsQuery {
    /// Events after this number; those from now on when nothing is said.
    after: Option<u64>,
    /// Most events of an answer without a socket.
    #[param(minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

/// A message of the stream.
#[derive(Debug, Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
enum StreamMessage {
    /// The first message.
    Hello {
        /// Events after this number follow.
        after: u64,
    },
    /// Something changed.
    Event(EventView),
    /// All events up to a number were told, if they may be seen.
    Heartbeat {
        /// The number to go on after.
        seq: u64,
    },
    /// Events after a number are not kept any more: read the lists again.
    Torn {
        /// The number that was asked for.
        after: u64,
        /// The number that the stream goes on after.
        resumed_after: u64,
    },
}

/// Something that changed.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct EventView {
    /// Its number.
    seq: u64,
    /// When, ISO-8601 UTC.
    at: String,
    /// What kind of thing: `job`, `run`, `dataset`, `model`, `stream`, `destination`, `control`.
    topic: String,
    /// Which one: its id.
    subject: String,
    /// The thing.
    #[schema(value_type = Object)]
    payload: Box<RawValue>,
}

/// Events for those who do not hold a socket open.
#[derive(Debug, Serialize, ToSchema)]
struct EventsView {
    /// The events, ascending.
    events: Vec<EventView>,
    /// The number to ask for next.
    next_after: u64,
    /// Whether events before these are not kept any more.
    is_torn: bool,
}

/// Events after a number: as an answer, or, with an upgrade to a WebSocket, as a stream of
/// `hello`, `event`, `heartbeat` and `torn`.
#[utoipa::path(get, path = "/v1/events", tag = "events", params(EventsQuery), responses(
    (status = 101, description = "The stream follows, of messages as described", body = StreamMessage),
    (status = 200, description = "Events", body = EventsView),
))]
async fn events(
    State(state): State<ServerState>,
    caller: Caller,
    presented: Option<Extension<Presented>>,
    ApiQuery(query): ApiQuery<EventsQuery>,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    caller.require(Scope::Read)?;
    let last = state.platform.last_event().await?;
    let after = query.after.unwrap_or(last);
    if i64::try_from(after).is_err() {
        return Err(Problem::new(Code::BadRequest, "after is above 2^63 − 1").field("after"));
    }
    if !headers.contains_key(header::UPGRADE) {
        return poll(&state, &caller, after, last, query.limit).await;
    }
    let upgrade = upgrade.map_err(|error| Problem::new(Code::BadRequest, format!("no WebSocket: {error}")))?;
    let sockets = Arc::clone(&state.access.sockets);
    let place = sockets.try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooMany, "too many sockets are open; close some, or try later").retry_after(5)
    })?;
    let upgrade = upgrade.max_message_size(MAX_INBOUND).max_frame_size(MAX_INBOUND).max_write_buffer_size(MAX_WAITING);
    let presented = presented.map(|Extension(presented)| presented);
    Ok(upgrade.on_upgrade(move |socket| listen(socket, state, caller, presented, after, last, place)).into_response())
}

async fn poll(
    state: &ServerState,
    caller: &Caller,
    after: u64,
    last: u64,
    limit: Option<u32>,
) -> Result<Response, Problem> {
    let limit = limit.unwrap_or(100);
    if !(1..=MAX_EVENTS).contains(&limit) {
        let detail = format!("limit is {limit}; give 1 to {MAX_EVENTS}");
        return Err(Problem::new(Code::BadRequest, detail).field("limit"));
    }
    if after > last {
        let view = EventsView { events: Vec::new(), next_after: last, is_torn: true };
        return Ok(ApiJson(view).into_response());
    }
    let page = state.platform.events_after(after, limit).await?;
    let next_after = page.events.last().map_or(after, |event| event.seq);
    let events = page.events.iter().filter(|event| is_for(caller, event)).map(EventView::of).collect();
    Ok(ApiJson(EventsView { events, next_after, is_torn: page.is_torn }).into_response())
}

/// Why a socket ended.
enum End {
    /// The client left.
    Left,
    /// The server says why.
    Closed(u16, &'static str),
}

/// One listener.
struct Listener {
    state: ServerState,
    caller: Caller,
    presented: Option<Presented>,
    sink: SplitSink<WebSocket, Message>,
    inbound: SplitStream<WebSocket>,
    /// The last number that was told or passed over.
    after: u64,
    _place: OwnedSemaphorePermit,
}

async fn listen(
    socket: WebSocket,
    state: ServerState,
    caller: Caller,
    presented: Option<Presented>,
    after: u64,
    last: u64,
    place: OwnedSemaphorePermit,
) {
    let gauge = metrics::gauge!("assay_sockets", "stream" => "events");
    gauge.increment(1);
    let (sink, inbound) = socket.split();
    let mut listener = Listener { state, caller, presented, sink, inbound, after, _place: place };
    let end = match listener.run(last).await {
        Ok(never) => match never {},
        Err(end) => end,
    };
    if let End::Closed(code, reason) = end {
        let frame = CloseFrame { code, reason: reason.into() };
        let farewell = async {
            if listener.sink.send(Message::Close(Some(frame))).await.is_ok() {
                // The other side's answer, so that the reason is read before the end.
                while let Some(Ok(_)) = listener.inbound.next().await {}
            }
        };
        let _ = tokio::time::timeout(FAREWELL, farewell).await;
    }
    gauge.decrement(1);
}

impl Listener {
    async fn run(&mut self, last: u64) -> Result<std::convert::Infallible, End> {
        let limits = self.state.access.options.limits;
        let mut live = self.state.feed.subscribe();
        let mut stopping = self.state.stopping.subscribe();
        self.send(&StreamMessage::Hello { after: self.after }).await?;
        if self.after > last {
            // A number of another database, or of one that was restored.
            self.tear(last).await?;
        }
        self.replay().await?;
        let mut heartbeat = tokio::time::interval(limits.heartbeat);
        heartbeat.reset();
        let mut recheck = tokio::time::interval(RECHECK);
        loop {
            tokio::select! {
                message = self.inbound.next() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Left),
                    Some(Ok(_)) => {}
                },
                event = live.recv() => match event {
                    Ok(event) if event.seq <= self.after => {}
                    Ok(event) if event.seq == self.after + 1 => {
                        self.tell(&event).await?;
                        self.flush().await?;
                    }
                    Ok(_) | Err(RecvError::Lagged(_)) => self.replay().await?,
                    Err(RecvError::Closed) => return Err(End::Closed(CLOSE_GOING_AWAY, "the server stops")),
                },
                _ = heartbeat.tick() => {
                    // A heartbeat promises that nothing before it is missing.
                    self.replay().await?;
                    self.send(&StreamMessage::Heartbeat { seq: self.after }).await?;
                }
                _ = recheck.tick() => self.recheck().await?,
                () = stopped(&mut stopping) => {
                    return Err(End::Closed(CLOSE_GOING_AWAY, "the server stops"));
                }
            }
        }
    }

    /// Tells what the database has after the last number.
    async fn replay(&mut self) -> Result<(), End> {
        loop {
            let page = self.state.platform.events_after(self.after, REPLAY_PAGE).await;
            let page = page.map_err(|error| {
                tracing::warn!(%error, "events cannot be read");
                End::Closed(CLOSE_TRY_AGAIN, "the database is away: come again")
            })?;
            if page.is_torn
                && let Some(first) = page.events.first()
            {
                self.tear(first.seq - 1).await?;
            }
            let count = page.events.len();
            for event in &page.events {
                self.tell(event).await?;
            }
            self.flush().await?;
            if count < REPLAY_PAGE as usize {
                return Ok(());
            }
        }
    }

    async fn tear(&mut self, resumed_after: u64) -> Result<(), End> {
        let torn = StreamMessage::Torn { after: self.after, resumed_after };
        self.after = resumed_after;
        self.send(&torn).await
    }

    /// Puts an event behind those that wait to be sent.
    async fn tell(&mut self, event: &Event) -> Result<(), End> {
        if is_for(&self.caller, event) {
            self.feed(&StreamMessage::Event(EventView::of(event))).await?;
        }
        self.after = event.seq;
        Ok(())
    }

    async fn send(&mut self, message: &StreamMessage) -> Result<(), End> {
        self.feed(message).await?;
        self.flush().await
    }

    async fn feed(&mut self, message: &StreamMessage) -> Result<(), End> {
        let text = serde_json::to_string(message).map_err(|_| End::Closed(CLOSE_TRY_AGAIN, "an event is damaged"))?;
        let limit = self.state.access.options.limits.send_timeout;
        taken(tokio::time::timeout(limit, self.sink.feed(Message::Text(text.into()))).await)
    }

    async fn flush(&mut self) -> Result<(), End> {
        let limit = self.state.access.options.limits.send_timeout;
        taken(tokio::time::timeout(limit, self.sink.flush()).await)
    }

    async fn recheck(&mut self) -> Result<(), End> {
        let Some(presented) = &self.presented else { return Ok(()) };
        match self.state.access.credentials.check_again(&self.state.platform, presented, now_ms()).await {
            Ok(caller) => {
                self.caller = caller;
                Ok(())
            }
            Err(problem) if problem.code == Code::Unauthenticated => {
                Err(End::Closed(CLOSE_CREDENTIAL_ENDED, "the credential has ended"))
            }
            // The database is away; what is told comes from it too.
            Err(_) => Ok(()),
        }
    }
}

fn taken<T>(sent: Result<Result<(), axum::Error>, T>) -> Result<(), End> {
    match sent {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Left),
        Err(_) => Err(End::Closed(CLOSE_TOO_SLOW, "the reader does not keep up: resume after the last number")),
    }
}

fn is_for(caller: &Caller, event: &Event) -> bool {
    event.event.owner.as_ref().is_none_or(|owner| caller.may_see(owner))
}

impl EventView {
    fn of(event: &Event) -> Self {
        let payload = RawValue::from_string(event.event.payload.clone());
        Self {
            seq: event.seq,
            at: format_utc(event.at),
            topic: event.event.topic.clone(),
            subject: event.event.subject.clone(),
            payload: payload.unwrap_or_else(|_| RawValue::NULL.to_owned()),
        }
    }
}
