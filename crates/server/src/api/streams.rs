//! Streams: begin, watch, limit, publish, stop and resume them.

use assay_engine::{Limits, publish_phrase};
use assay_store::database::{DatabaseError, Stream, StreamMode, StreamStatus};
use assay_types::Money;
use assay_types::time::format_utc;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::runs::usable_run;
use crate::access::{Caller, Role, Scope};
use crate::audience::hearing;
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::live::{self, Comparison, NewStreamRequest, SourceRequest, limits_of};
use crate::page::{Page, PageQuery};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// The longest reason that is kept.
const MAX_REASON: usize = 300;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(start, list))
        .routes(routes!(show))
        .routes(routes!(stop))
        .routes(routes!(resume))
        .routes(routes!(limits))
        .routes(routes!(go_live))
        .routes(routes!(signal_file))
        .routes(routes!(comparison))
}

/// When a stream is halted; a limit that is null does not limit.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LimitsView {
    /// Largest value of the position, decimal text in quote money.
    #[serde(default)]
    max_exposure: Option<String>,
    /// Largest loss since the last close of the UTC day before, decimal text in quote money.
    #[serde(default)]
    daily_loss: Option<String>,
    /// Most signals that change the target within an hour.
    #[serde(default)]
    signals_per_hour: Option<u32>,
}

impl LimitsView {
    fn read(&self) -> Result<Limits, Problem> {
        let money = |name: &str, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            let wrong = || {
                let detail = format!("{name} `{}` is no amount above 0; write it as 250 or 250.50", shorten(text, 40));
                Problem::new(Code::BadRequest, detail).field(name)
            };
            let amount: Money = text.parse().map_err(|_| wrong())?;
            if amount > Money::ZERO { Ok(Some(amount)) } else { Err(wrong()) }
        };
        Ok(Limits {
            max_exposure: money("max_exposure", &self.max_exposure)?,
            daily_loss: money("daily_loss", &self.daily_loss)?,
            signals_per_hour: self.signals_per_hour,
        })
    }

    fn of(limits: &Limits) -> Self {
        let text = |amount: Option<Money>| amount.map(|amount| amount.to_string());
        Self {
            max_exposure: text(limits.max_exposure),
            daily_loss: text(limits.daily_loss),
            signals_per_hour: limits.signals_per_hour,
        }
    }
}

fn shorten(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

/// A stream to begin; it is a paper stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStreamBody {
    /// The run whose policy speaks: its id, or the first digits of it.
    #[schema(pattern = "^[0-9a-f]{1,32}$")]
    run_id: String,
    /// Where its candles come from.
    source: SourceRequest,
    /// When it is halted; left out: as the model's last stream, if it had one.
    #[serde(default)]
    limits: Option<LimitsView>,
    /// `loosen limits` and the first twelve digits of the model id, to allow more than the
    /// model's last stream was allowed.
    #[serde(default)]
    phrase: Option<String>,
}

/// A stream.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamView {
    /// Its id.
    stream_id: String,
    /// The model that speaks.
    model_id: String,
    /// The run that made it.
    run_id: String,
    /// The user it belongs to.
    owner: String,
    /// `paper` or `live`.
    mode: &'static str,
    /// Whether its candles are recorded ones.
    is_replayed: bool,
    /// `running`, `stopped`, `halted`, `ended` or `failed`.
    status: &'static str,
    /// Why it does not run; null while it does.
    #[schema(required)]
    reason: Option<String>,
    /// The series of candles: exchange/SYMBOL/timeframe.
    dataset: String,
    /// When it is halted.
    limits: LimitsView,
    /// Number of its first signal.
    first_seq: u64,
    /// Number of the model's next signal.
    next_seq: u64,
    /// When it began, ISO-8601 UTC.
    created_at: String,
    /// When it last changed, ISO-8601 UTC.
    updated_at: String,
}

async fn view(state: &ServerState, stream: &Stream) -> Result<StreamView, Problem> {
    let source = live::source_of(stream)?;
    Ok(StreamView {
        stream_id: stream.stream_id.clone(),
        model_id: stream.model_id.clone(),
        run_id: stream.run_id.clone(),
        owner: stream.owner.clone(),
        mode: stream.mode.name(),
        is_replayed: source.is_replay(),
        status: stream.status.name(),
        reason: stream.reason.clone(),
        dataset: source.dataset().to_string(),
        limits: LimitsView::of(&limits_of(stream)?),
        first_seq: stream.first_seq,
        next_seq: state.platform.next_seq(&stream.model_id).await?.max(stream.first_seq),
        created_at: format_utc(stream.created_at),
        updated_at: format_utc(stream.updated_at),
    })
}

/// The stream, if the caller may see it.
async fn visible(state: &ServerState, caller: &Caller, stream_id: &str) -> Result<Stream, Problem> {
    caller.require(Scope::Read)?;
    let known = stream_id.len() == 32 && stream_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stream = if known { state.platform.stream(stream_id).await? } else { None };
    let missing = || Problem::not_found("stream", &shorten(stream_id, 64));
    let stream = stream.ok_or_else(missing)?;
    if caller.may_see(&stream.owner) {
        return Ok(stream);
    }
    // A live stream is everyone's, unless its model is private.
    match hearing(state, caller, &stream.model_id).await {
        Ok(_) if stream.mode == StreamMode::Live => Ok(stream),
        Err(problem) if problem.code != Code::NotFound => Err(problem),
        _ => Err(missing()),
    }
}

/// The stream, if the caller may read everything that it said, on paper too.
async fn readable(state: &ServerState, caller: &Caller, stream_id: &str) -> Result<Stream, Problem> {
    let stream = visible(state, caller, stream_id).await?;
    if caller.may_see(&stream.owner) {
        return Ok(stream);
    }
    let paper = Some(StreamMode::Paper);
    let first =
        state.platform.signals_of_mode(&stream.model_id, paper, i64::MIN..i64::MAX, stream.first_seq, 1).await?;
    if first.iter().any(|signal| signal.stream_id == stream.stream_id) {
        let detail = "this stream began on paper, and what it said there is its owner's; read GET /v1/signals";
        return Err(Problem::new(Code::Forbidden, detail));
    }
    Ok(stream)
}

/// The stream, if the caller may change it.
async fn own(state: &ServerState, caller: &Caller, stream_id: &str) -> Result<Stream, Problem> {
    caller.require(Scope::Publish)?;
    let stream = visible(state, caller, stream_id).await?;
    if caller.may_see(&stream.owner) {
        return Ok(stream);
    }
    Err(Problem::new(Code::Forbidden, "this stream belongs to another user"))
}

fn conflict(error: DatabaseError) -> Problem {
    match error {
        DatabaseError::StreamState { .. } | DatabaseError::ModelTaken { .. } => {
            Problem::new(Code::Conflict, error.to_string())
        }
        other => other.into(),
    }
}

async fn changed(state: &ServerState, stream: &Stream) -> Result<ApiJson<StreamView>, Problem> {
    state.live.changed.notify_one();
    state.events_appended.notify_waiters();
    Ok(ApiJson(view(state, stream).await?))
}

/// Begin a paper stream: the run's policy speaks at each close from now on.
#[utoipa::path(post, path = "/v1/streams", tag = "streams", request_body = NewStreamBody, responses(
    (status = 201, description = "It begins", body = StreamView),
))]
async fn start(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(body): ApiJson<NewStreamBody>,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Scope::Publish)?;
    let limits = body.limits.map(|limits| limits.read()).transpose()?;
    let run_id = usable_run(&state, &caller, "run_id", &body.run_id).await?;
    let request =
        NewStreamRequest { run_id, owner: caller.user_id.clone(), source: body.source, limits, phrase: body.phrase };
    let stream = live::start_stream(&state, request).await.map_err(|error| match error {
        assay_jobs::JobError::Database(error) => conflict(error),
        other => other.into(),
    })?;
    Ok((StatusCode::CREATED, changed(&state, &stream).await?))
}

/// Streams, the newest first: the caller's own and the live ones.
#[utoipa::path(get, path = "/v1/streams", tag = "streams", params(PageQuery), responses(
    (status = 200, description = "Streams", body = Page<StreamView>),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<StreamView>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    let everyone = caller.role == Role::Owner && caller.scopes.contains(&Scope::Admin);
    let visible_to = (!everyone).then_some(caller.user_id.as_str());
    let rows = state.platform.streams(visible_to, paging.after, paging.fetch()).await?;
    let page = paging.page(rows, |stream| stream.number, |stream| stream);
    let mut items = Vec::with_capacity(page.items.len());
    for stream in &page.items {
        items.push(view(&state, stream).await?);
    }
    Ok(ApiJson(Page { items, next: page.next }))
}

/// A stream.
#[utoipa::path(get, path = "/v1/streams/{stream_id}", tag = "streams",
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The stream", body = StreamView),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
) -> Result<ApiJson<StreamView>, Problem> {
    let stream = visible(&state, &caller, &stream_id).await?;
    Ok(ApiJson(view(&state, &stream).await?))
}

/// Why something is done.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReasonBody {
    /// In the caller's words.
    #[serde(default)]
    #[schema(max_length = 300)]
    pub reason: Option<String>,
}

impl ReasonBody {
    /// The reason, if it is not too long.
    pub fn checked(self) -> Result<Option<String>, Problem> {
        match self.reason {
            Some(reason) if reason.chars().count() > MAX_REASON || reason.contains('\0') => {
                let detail = format!("the reason is longer than {MAX_REASON} characters, or holds a zero byte");
                Err(Problem::new(Code::BadRequest, detail).field("reason"))
            }
            reason => Ok(reason),
        }
    }
}

/// Stop a stream: it speaks no more until it is resumed.
#[utoipa::path(post, path = "/v1/streams/{stream_id}/stop", tag = "streams", request_body = ReasonBody,
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "It is stopped", body = StreamView),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It does not run", body = Problem, content_type = "application/problem+json"),
))]
async fn stop(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
    ApiJson(body): ApiJson<ReasonBody>,
) -> Result<ApiJson<StreamView>, Problem> {
    let stream = own(&state, &caller, &stream_id).await?;
    let reason = body.checked()?;
    let changing = state.platform.set_stream_status(&stream.stream_id, StreamStatus::Stopped, reason, now_ms());
    changed(&state, &changing.await.map_err(conflict)?).await
}

/// Resume a stream that is stopped, halted or failed: it holds at each close that it missed
/// and goes on.
#[utoipa::path(post, path = "/v1/streams/{stream_id}/resume", tag = "streams", request_body = ReasonBody,
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "It goes on", body = StreamView),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It runs or ended, or another stream speaks for its model", body = Problem, content_type = "application/problem+json"),
))]
async fn resume(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
    ApiJson(body): ApiJson<ReasonBody>,
) -> Result<ApiJson<StreamView>, Problem> {
    let stream = own(&state, &caller, &stream_id).await?;
    body.checked()?;
    let changing = state.platform.set_stream_status(&stream.stream_id, StreamStatus::Running, None, now_ms());
    changed(&state, &changing.await.map_err(conflict)?).await
}

/// New limits of a stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LimitsBody {
    /// The limits; each that is left out or null does not limit.
    limits: LimitsView,
    /// `loosen limits` and the first twelve digits of the model id, to allow more than before.
    #[serde(default)]
    phrase: Option<String>,
}

/// Change the limits of a stream. Tighter ones are taken at once, looser ones only with the
/// typed phrase.
#[utoipa::path(post, path = "/v1/streams/{stream_id}/limits", tag = "streams", request_body = LimitsBody,
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "They hold from the next close on", body = StreamView),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "They would be looser, or changed in the meantime", body = Problem, content_type = "application/problem+json"),
))]
async fn limits(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
    ApiJson(body): ApiJson<LimitsBody>,
) -> Result<ApiJson<StreamView>, Problem> {
    let stream = own(&state, &caller, &stream_id).await?;
    let next = body.limits.read()?;
    let next = limits_of(&stream)?
        .changed_to(&next, &stream.model_id, body.phrase.as_deref())
        .map_err(|loosened| Problem::new(Code::Conflict, loosened.to_string()).field(loosened.field))?;
    if stream.mode == StreamMode::Live && !next.is_complete() {
        let detail = "a live stream needs all limits: max_exposure, daily_loss and signals_per_hour";
        return Err(Problem::new(Code::Conflict, detail).field("limits"));
    }
    set_limits(&state, &stream, &next, false).await
}

async fn set_limits(
    state: &ServerState,
    stream: &Stream,
    limits: &Limits,
    go_live: bool,
) -> Result<ApiJson<StreamView>, Problem> {
    let text = serde_json::to_string(limits).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
    let setting = state.platform.set_stream_limits(&stream.stream_id, &stream.limits, &text, go_live, now_ms());
    changed(state, &setting.await.map_err(conflict)?).await
}

/// Publishing a stream.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct GoLiveBody {
    /// `publish live` and the first twelve digits of the model id.
    phrase: String,
    /// All limits; none may be looser than it is.
    limits: LimitsView,
}

/// Publish a stream to consumers. Needs the typed phrase and every limit; orders stay in the
/// consumers' hands.
#[utoipa::path(post, path = "/v1/streams/{stream_id}/go-live", tag = "streams", request_body = GoLiveBody,
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "Signals from the next close on are live", body = StreamView),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It is replayed, the phrase is another one, or limits are missing or looser", body = Problem, content_type = "application/problem+json"),
))]
async fn go_live(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
    ApiJson(body): ApiJson<GoLiveBody>,
) -> Result<ApiJson<StreamView>, Problem> {
    let stream = own(&state, &caller, &stream_id).await?;
    if live::source_of(&stream)?.is_replay() {
        let detail = "its candles are recorded ones: only streams of an exchange can be published";
        return Err(Problem::new(Code::Conflict, detail));
    }
    let expected = publish_phrase(&stream.model_id);
    if body.phrase != expected {
        let detail = format!("publishing is live for everyone: type the phrase `{expected}`");
        return Err(Problem::new(Code::Conflict, detail).field("phrase"));
    }
    let limits = limits_of(&stream)?
        .changed_to(&body.limits.read()?, &stream.model_id, None)
        .map_err(|loosened| Problem::new(Code::Conflict, loosened.to_string()).field(loosened.field))?;
    if !limits.is_complete() {
        let detail = "a live stream needs all limits: max_exposure, daily_loss and signals_per_hour";
        return Err(Problem::new(Code::Conflict, detail).field("limits"));
    }
    set_limits(&state, &stream, &limits, true).await
}

/// The signal file of a stream so far, for `assay audit`.
#[utoipa::path(get, path = "/v1/streams/{stream_id}/signal-file", tag = "streams",
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "The signed header, then one line per close", body = String, content_type = "application/x-ndjson"),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It has said nothing yet", body = Problem, content_type = "application/problem+json"),
))]
async fn signal_file(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
) -> Result<impl IntoResponse, Problem> {
    let stream = readable(&state, &caller, &stream_id).await?;
    has_spoken(&state, &stream).await?;
    let text = live::signal_file(&state, &stream).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text))
}

/// A stream beside the replay of the same candles: each difference with its cause.
#[utoipa::path(get, path = "/v1/streams/{stream_id}/comparison", tag = "streams",
    params(("stream_id" = String, Path, description = "Its id")), responses(
    (status = 200, description = "Every difference", body = Comparison),
    (status = 404, description = "There is none, or it may not be seen", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It has said nothing yet", body = Problem, content_type = "application/problem+json"),
))]
async fn comparison(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(stream_id): ApiPath<String>,
) -> Result<ApiJson<Comparison>, Problem> {
    let stream = readable(&state, &caller, &stream_id).await?;
    has_spoken(&state, &stream).await?;
    Ok(ApiJson(live::compare(&state, &stream).await?))
}

async fn has_spoken(state: &ServerState, stream: &Stream) -> Result<(), Problem> {
    if state.platform.next_seq(&stream.model_id).await? > stream.first_seq {
        return Ok(());
    }
    Err(Problem::new(Code::Conflict, format!("stream {} has said nothing yet", stream.stream_id)))
}
