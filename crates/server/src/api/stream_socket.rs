//! Signals over a WebSocket: from a cursor, then as they are stored.

#![allow(unused_qualifications, reason = "the macro that describes routes spells names out")]

use std::time::Duration;

use assay_gateway::{Message as GatewayMessage, Notice, Subscription};
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Extension, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Presented, Scope};
use crate::audience::{Hearing, hearing};
use crate::clock::now_ms;
use crate::extract::{ApiPath, ApiQuery};
use crate::parts::stopped;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Signals in one read of the table.
const PAGE: u32 = 100;
/// What is read of a listener at once, and its largest message; nothing it says is used.
const READ_BUFFER: usize = 1 << 10;
/// What waits to be written to one listener; the rest waits in the table.
const WRITE_BUFFER: usize = 64 << 10;
/// Between looks whether everything is stopped, while a message waits for its listener.
const STOP_POLL: Duration = Duration::from_millis(50);
/// Longest rest of a message that was on its way when everything was stopped; its listener is
/// let go then.
const MAX_REST: Duration = Duration::from_secs(60);
/// Between looks whether everything is stopped still.
const RESUME_POLL: Duration = Duration::from_millis(250);
/// The code of a close for a listener that does not keep up.
pub(crate) const TOO_SLOW: u16 = 4_008;
/// How long a listener that is sent away may take to hear why.
const FAREWELL: Duration = Duration::from_secs(30);
/// How often it is looked whether the listener's credential still holds.
const RECHECK: Duration = Duration::from_secs(2);
/// At each how manyth of these looks it is asked, too, whether the listener may still hear the model.
const HEARING_EVERY: u32 = 2;
/// The code for a credential that ended, or a model that is private now.
const NO_LONGER: u16 = 4_401;
/// The code for a server that stops.
const GOING_AWAY: u16 = 1_001;
/// The code for a failure here; the listener may come back.
const TRY_AGAIN: u16 = 1_013;

/// Where to begin.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct From {
    /// The last signal the listener has; left out, it gets only new ones.
    #[param(minimum = -1)]
    after: Option<i64>,
}

/// The first message of a stream. Signals follow as they are in `GET /v1/signals/{model_id}`, and
/// a `heartbeat` with the same fields and `at` at least every 30 s.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Hello {
    /// `hello`.
    r#type: &'static str,
    /// The model.
    model_id: String,
    /// `paper` or `live`; null before its first stream.
    #[schema(required)]
    mode: Option<&'static str>,
    /// The number of the next signal that is sent.
    next_seq: u64,
}

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(stream))
}

/// The signals of a model over a WebSocket, each as a text message. A listener that does not keep
/// up is closed with code 4008 and goes on with `after`.
#[utoipa::path(get, path = "/v1/stream/{model_id}", tag = "signals",
    params(("model_id" = String, Path, description = "The model"), From), responses(
    (status = 101, description = "A WebSocket; its first message", body = Hello),
    (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
))]
async fn stream(
    State(state): State<ServerState>,
    caller: Caller,
    presented: Option<Extension<Presented>>,
    ApiPath(model_id): ApiPath<String>,
    ApiQuery(from): ApiQuery<From>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Problem> {
    caller.require(Scope::Read)?;
    if from.after.is_some_and(|after| after < -1) {
        return Err(Problem::new(Code::BadRequest, "after counts from -1, which is before the first").field("after"));
    }
    let hearing = hearing(&state, &caller, &model_id).await?;
    let upgrade = upgrade.map_err(|error| {
        let detail = format!("this is a WebSocket: {}", error.body_text());
        Problem::new(Code::BadRequest, detail)
    })?;
    let place = state.signal_sockets.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::TooMany, "all places for listeners are taken; try again, or read GET /v1/signals")
    })?;
    let upgrade = upgrade
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(WRITE_BUFFER)
        .max_message_size(READ_BUFFER)
        .max_frame_size(READ_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let signals = state.live.hub.subscribe(&model_id);
        let presented = presented.map(|Extension(presented)| presented);
        let listener = Listener {
            state,
            caller,
            presented,
            socket,
            signals,
            model_id,
            hearing,
            next_seq: 0,
            is_held: false,
            rechecks: 0,
            _place: place,
            _counted: Counted::new(),
        };
        // Gone is gone: whoever comes back says from where.
        let _ = listener.serve(from.after).await;
    }))
}

/// A socket and how far it has come.
struct Listener {
    state: ServerState,
    caller: Caller,
    presented: Option<Presented>,
    socket: WebSocket,
    signals: Subscription,
    model_id: String,
    hearing: Hearing,
    next_seq: u64,
    /// Whether signals wait because everything is stopped.
    is_held: bool,
    rechecks: u32,
    _place: OwnedSemaphorePermit,
    _counted: Counted,
}

/// A socket among those that are open.
struct Counted(metrics::Gauge);

impl Counted {
    fn new() -> Self {
        let gauge = metrics::gauge!("assay_sockets", "stream" => "signals");
        gauge.increment(1);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

/// The listener is gone, or was sent away.
struct Gone;

impl Listener {
    async fn serve(mut self, after: Option<i64>) -> Result<(), Gone> {
        self.hello(after).await?;
        let interval = self.state.dispatcher.settings().heartbeat;
        let mut next_heartbeat = Instant::now() + interval;
        let mut is_behind = true;
        let mut stopping = self.state.stopping.subscribe();
        let mut recheck = tokio::time::interval(RECHECK);
        recheck.reset();
        loop {
            if is_behind {
                self.catch_up().await?;
                is_behind = false;
            }
            tokio::select! {
                notice = self.signals.next() => match notice {
                    Notice::Signal(signal) if signal.seq < self.next_seq => {}
                    Notice::Signal(signal) if signal.seq == self.next_seq && !self.is_stopped() => {
                        self.signal(&signal.mode, &signal.line).await?;
                    }
                    Notice::Signal(_) | Notice::Missed(_) => is_behind = true,
                },
                message = self.socket.recv() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(Gone),
                    Some(Ok(_)) => {}
                },
                () = sleep_until(next_heartbeat) => {
                    next_heartbeat = Instant::now() + interval;
                    // Signals that another process stored are not told of here.
                    is_behind = true;
                    let heartbeat = GatewayMessage::heartbeat(&self.model_id, self.next_seq, now_ms());
                    self.send(&heartbeat.body).await?;
                },
                _ = recheck.tick() => self.recheck().await?,
                () = stopped(&mut stopping) => return self.close(GOING_AWAY, "the server stops").await,
                // Nothing is read while nothing may be sent.
                () = sleep(RESUME_POLL), if self.is_held => is_behind = !self.state.live.stop.is_stopped(),
            }
        }
    }

    async fn hello(&mut self, after: Option<i64>) -> Result<(), Gone> {
        let next = self.state.platform.next_seq(&self.model_id).await;
        let stream = self.state.platform.stream_of_model(&self.model_id).await;
        let (Ok(next), Ok(stream)) = (next, stream) else { return self.close(TRY_AGAIN, "the database is away").await };
        self.next_seq = after.map_or(next, |after| next.min(after.saturating_add(1).max(0).unsigned_abs()));
        let hello = Hello {
            r#type: "hello",
            model_id: self.model_id.clone(),
            mode: stream.map(|stream| stream.mode.name()),
            next_seq: self.next_seq,
        };
        self.send(&serde_json::to_string(&hello).unwrap_or_default()).await
    }

    /// Sends a listener away whose credential has ended, or who may not hear the model any more.
    async fn recheck(&mut self) -> Result<(), Gone> {
        if let Some(presented) = &self.presented {
            match self.state.access.credentials.check_again(&self.state.platform, presented, now_ms()).await {
                Ok(caller) => self.caller = caller,
                Err(problem) if problem.code == Code::Unauthenticated => {
                    return self.close(NO_LONGER, "the credential has ended").await;
                }
                // The database is away; what is said comes from it too.
                Err(_) => return Ok(()),
            }
        }
        self.rechecks = self.rechecks.wrapping_add(1);
        if !self.rechecks.is_multiple_of(HEARING_EVERY) {
            return Ok(());
        }
        match hearing(&self.state, &self.caller, &self.model_id).await {
            Ok(hearing) => self.hearing = hearing,
            Err(problem) if problem.code == Code::NotFound => {
                return self.close(NO_LONGER, "the model may not be heard any more").await;
            }
            Err(_) => {}
        }
        Ok(())
    }

    fn is_stopped(&mut self) -> bool {
        self.is_held = self.state.live.stop.is_stopped();
        self.is_held
    }

    /// Sends what the table has beyond what was sent.
    async fn catch_up(&mut self) -> Result<(), Gone> {
        loop {
            let Ok(page) = self.state.platform.signals_from(&self.model_id, self.next_seq, PAGE).await else {
                return self.close(TRY_AGAIN, "the database is away; resume with ?after=").await;
            };
            self.is_held = false;
            for row in &page {
                if self.is_stopped() {
                    return Ok(());
                }
                self.next_seq = row.seq;
                self.signal(row.mode.name(), &row.signal).await?;
            }
            if page.len() < PAGE as usize {
                return Ok(());
            }
        }
    }

    /// Sends the signal `next_seq`; what was said on paper only to who may hear it.
    async fn signal(&mut self, mode: &str, line: &str) -> Result<(), Gone> {
        if mode == "live" || self.hearing.hears_paper {
            self.send(line).await?;
        }
        self.next_seq += 1;
        Ok(())
    }

    /// Sends a message; one that is on its way when everything is stopped rests until the resume.
    async fn send(&mut self, text: &str) -> Result<(), Gone> {
        let limit = self.state.dispatcher.settings().send_timeout;
        let (stop, mut stopping) = (self.state.live.stop.clone(), self.state.stopping.subscribe());
        let mut is_slow = false;
        {
            let mut sending = std::pin::pin!(self.socket.send(Message::Text(text.into())));
            let mut deadline = Instant::now() + limit;
            while !is_slow {
                match timeout(STOP_POLL, sending.as_mut()).await {
                    Ok(Ok(())) => return Ok(()),
                    Ok(Err(_)) => return Err(Gone),
                    Err(_) => is_slow = Instant::now() >= deadline,
                }
                if !stop.is_stopped() {
                    continue;
                }
                // Not polled, nothing more of it is written, and neither is a word of farewell: a
                // listener that is let go here reads on from where it was.
                let given_up = Instant::now() + MAX_REST;
                while stop.is_stopped() {
                    tokio::select! {
                        () = sleep(STOP_POLL) => {}
                        () = stopped(&mut stopping) => return Err(Gone),
                    }
                    if Instant::now() >= given_up {
                        return Err(Gone);
                    }
                }
                (is_slow, deadline) = (false, Instant::now() + limit);
            }
        }
        self.close(TOO_SLOW, "too slow; resume with ?after=").await
    }

    /// Says why the listener is sent away, if it takes that.
    async fn close(&mut self, code: u16, reason: &'static str) -> Result<(), Gone> {
        let frame = CloseFrame { code, reason: reason.into() };
        let _ = timeout(FAREWELL, self.socket.send(Message::Close(Some(frame)))).await;
        Err(Gone)
    }
}
