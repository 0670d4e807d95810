//! Where signals are sent: webhooks, NATS and Kafka.

#![allow(unused_qualifications, reason = "the macro that describes routes spells names out")]

use assay_gateway::{GatewayError, seal_secret, signals_of, webhook_url};
use assay_store::database::{DeliveryOutcome, Destination, DestinationKind, LoggedDelivery, NewDestination};
use assay_types::Secret;
use assay_types::time::format_utc;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, NotKept, Role, Scope, Subject};
use crate::audience::hearing;
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery, Paging};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Destinations of one user.
pub(crate) const MAX_DESTINATIONS_PER_USER: u32 = 50;
/// Random bytes of a webhook's secret.
const SECRET_BYTES: usize = 32;

/// How a destination is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// One signed POST per signal.
    Webhook,
    /// The subject `assay.signals.MODEL` of the server's NATS JetStream.
    Nats,
    /// The topic `assay.signals.MODEL` of the server's Kafka.
    Kafka,
}

/// A destination to add.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRequest {
    /// The model whose signals it gets.
    #[schema(max_length = 128)]
    model_id: String,
    /// How it is spoken to.
    kind: Kind,
    /// Where a webhook is; nothing for the other kinds.
    #[schema(max_length = 2048)]
    url: Option<String>,
    /// The last signal it has already; left out, it gets only new ones.
    after: Option<i64>,
    /// Whether it gets heartbeats; left out, brokers do and webhooks do not.
    heartbeats: Option<bool>,
}

/// A destination.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Destination)]
struct DestinationView {
    /// Its id.
    destination_id: String,
    /// The model whose signals it gets.
    model_id: String,
    /// The user it belongs to.
    owner: String,
    /// How it is spoken to.
    kind: Kind,
    /// The URL, the subject or the topic.
    target: String,
    /// `active` or `paused`.
    status: &'static str,
    /// Whether it gets heartbeats.
    heartbeats: bool,
    /// The next signal it gets.
    next_seq: u64,
    /// Attempts that failed since the last that did not.
    failures: u64,
    /// When it is tried again, ISO-8601 UTC; null when nothing failed.
    #[schema(required)]
    retry_at: Option<String>,
    /// Why the last attempt failed.
    #[schema(required)]
    last_error: Option<String>,
    /// When it was added, ISO-8601 UTC.
    created_at: String,
    /// When it last changed, ISO-8601 UTC.
    updated_at: String,
}

/// A destination that was added.
#[derive(Debug, Serialize, ToSchema)]
struct Added {
    /// The destination.
    destination: DestinationView,
    /// The secret that signs its messages, shown this once; null for brokers.
    #[schema(required)]
    secret: Option<String>,
}

/// From where to send again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ReplayRequest {
    /// The first signal to send again; at most the one that comes next anyway.
    #[schema(minimum = 0)]
    from_seq: i64,
}

/// What came of a test.
#[derive(Debug, Serialize, ToSchema)]
struct TestResult {
    /// Whether the destination took the message.
    delivered: bool,
    /// Why it did not.
    #[schema(required)]
    detail: Option<String>,
    /// From sending to the answer, in ms.
    latency_ms: i64,
}

/// An attempt at a destination.
#[derive(Debug, Serialize, ToSchema)]
struct DeliveryView {
    /// Its place in the log.
    number: u64,
    /// The signal; null for a test.
    #[schema(required)]
    seq: Option<u64>,
    /// Which attempt at this signal it was, from 1.
    attempt: u64,
    /// `delivered`, `failed` or `test`.
    outcome: &'static str,
    /// Why it failed.
    #[schema(required)]
    detail: Option<String>,
    /// From the candle's close to the confirmation in ms; from the sending for a test.
    #[schema(required)]
    latency_ms: Option<i64>,
    /// When, ISO-8601 UTC.
    at: String,
}

/// Which destinations to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ListQuery {
    /// Those of one model.
    model_id: Option<String>,
    /// `next` of the page before; nothing for the first page.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(add, list))
        .routes(routes!(show, remove))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(replay))
        .routes(routes!(test))
        .routes(routes!(deliveries))
}

/// Adds a destination, which gets signals at once. The answer shows a webhook's secret once.
#[utoipa::path(post, path = "/v1/destinations", tag = "signals", request_body = NewRequest, responses(
    (status = 201, description = "The destination", body = Added),
    (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
))]
async fn add(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(request): ApiJson<NewRequest>,
) -> Result<Response, Problem> {
    caller.require(Scope::Publish)?;
    let target = target(&state, &request)?;
    let after = request.after.map(|after| signal_number("after", after)).transpose()?;
    hearing(&state, &caller, &request.model_id).await?;
    let next = state.platform.next_seq(&request.model_id).await?;
    let destination_id = random_hex(16)?;
    let secret = match request.kind {
        Kind::Webhook => Some(Secret::new(format!("whsec_{}", random_hex(SECRET_BYTES)?))),
        Kind::Nats | Kind::Kafka => None,
    };
    let sealed = secret.as_ref().map(|secret| seal_secret(&state.vault, &destination_id, secret)).transpose();
    let new = NewDestination {
        secret: sealed.map_err(problem)?,
        destination_id,
        model_id: request.model_id,
        owner: caller.user_id,
        kind: request.kind.into(),
        target,
        heartbeats: request.heartbeats.unwrap_or(request.kind != Kind::Webhook),
        next_seq: after.map_or(next, |after| next.min(after + 1)),
    };
    let added = state.platform.insert_destination(&new, MAX_DESTINATIONS_PER_USER, now_ms()).await?;
    changed(&state);
    let subject = Subject(added.destination_id.clone());
    let secret = secret.map(|secret| secret.reveal().to_owned());
    let mut response = (StatusCode::CREATED, ApiJson(Added { destination: added.into(), secret })).into_response();
    response.extensions_mut().insert(NotKept);
    response.extensions_mut().insert(subject);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Your destinations; with the scope of an administrator everybody's.
#[utoipa::path(get, path = "/v1/destinations", tag = "signals", params(ListQuery), responses(
    (status = 200, description = "A page of destinations", body = Page<DestinationView>),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<ListQuery>,
) -> Result<ApiJson<Page<DestinationView>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = Paging::new(query.cursor.as_deref(), query.limit)?;
    let sees_all = caller.role == Role::Owner && caller.scopes.contains(&Scope::Admin);
    let owner = (!sees_all).then_some(caller.user_id.as_str());
    let (model, after) = (query.model_id.as_deref(), paging.after.unwrap_or(0));
    let rows = state.platform.destinations(owner, model, after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(rows, |row| row.number, DestinationView::from)))
}

/// One destination.
#[utoipa::path(get, path = "/v1/destinations/{destination_id}", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), responses(
    (status = 200, description = "The destination", body = DestinationView),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<ApiJson<DestinationView>, Problem> {
    caller.require(Scope::Read)?;
    Ok(ApiJson(find(&state, &caller, &id).await?.into()))
}

/// Removes a destination with its log of deliveries.
#[utoipa::path(delete, path = "/v1/destinations/{destination_id}", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), responses(
    (status = 204, description = "It is gone"),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn remove(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    caller.require(Scope::Publish)?;
    let destination = find(&state, &caller, &id).await?;
    state.platform.remove_destination(&destination.destination_id, now_ms()).await?;
    changed(&state);
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a destination; what is signalled meanwhile waits for it.
#[utoipa::path(post, path = "/v1/destinations/{destination_id}/pause", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), responses(
    (status = 200, description = "The destination", body = DestinationView),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn pause(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<ApiJson<DestinationView>, Problem> {
    set_active(&state, &caller, &id, false).await
}

/// Lets a destination go on at once, from where it was.
#[utoipa::path(post, path = "/v1/destinations/{destination_id}/resume", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), responses(
    (status = 200, description = "The destination", body = DestinationView),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn resume(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<ApiJson<DestinationView>, Problem> {
    set_active(&state, &caller, &id, true).await
}

/// Sends signals again, from the one that is named on.
#[utoipa::path(post, path = "/v1/destinations/{destination_id}/replay", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), request_body = ReplayRequest, responses(
    (status = 200, description = "The destination", body = DestinationView),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn replay(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiJson(request): ApiJson<ReplayRequest>,
) -> Result<ApiJson<DestinationView>, Problem> {
    caller.require(Scope::Publish)?;
    let from_seq = signal_number("from_seq", request.from_seq)?;
    let destination = find(&state, &caller, &id).await?;
    let next = state.platform.next_seq(&destination.model_id).await?;
    if from_seq > next {
        let detail = format!("from_seq is {from_seq}, and the next signal of the model is {next}; give at most that");
        return Err(Problem::new(Code::BadRequest, detail).field("from_seq"));
    }
    let rewound = state.platform.rewind_destination(&destination.destination_id, from_seq, now_ms()).await?;
    changed(&state);
    rewound.map(|destination| ApiJson(destination.into())).ok_or_else(|| Problem::not_found("destination", &id))
}

/// Sends a destination one message that says it is a test.
#[utoipa::path(post, path = "/v1/destinations/{destination_id}/test", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination")), responses(
    (status = 200, description = "What came of it", body = TestResult),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Everything is stopped", body = Problem, content_type = "application/problem+json"),
))]
async fn test(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<ApiJson<TestResult>, Problem> {
    caller.require(Scope::Publish)?;
    let destination = find(&state, &caller, &id).await?;
    let tested = state.dispatcher.test(&destination).await.map_err(problem)?;
    Ok(ApiJson(TestResult {
        delivered: tested.failure.is_none(),
        detail: tested.failure,
        latency_ms: tested.latency_ms,
    }))
}

/// The last attempts at a destination, newest first.
#[utoipa::path(get, path = "/v1/destinations/{destination_id}/deliveries", tag = "signals",
    params(("destination_id" = String, Path, description = "The destination"), PageQuery), responses(
    (status = 200, description = "A page of attempts", body = Page<DeliveryView>),
    (status = 404, description = "No such destination", body = Problem, content_type = "application/problem+json"),
))]
async fn deliveries(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<DeliveryView>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    let destination = find(&state, &caller, &id).await?;
    let rows = state.platform.deliveries(&destination.destination_id, paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(rows, |row| row.number, DeliveryView::from)))
}

async fn set_active(
    state: &ServerState,
    caller: &Caller,
    id: &str,
    is_active: bool,
) -> Result<ApiJson<DestinationView>, Problem> {
    caller.require(Scope::Publish)?;
    let destination = find(state, caller, id).await?;
    let changed_row = state.platform.set_destination_active(&destination.destination_id, is_active, now_ms()).await?;
    changed(state);
    changed_row.map(|destination| ApiJson(destination.into())).ok_or_else(|| Problem::not_found("destination", id))
}

async fn find(state: &ServerState, caller: &Caller, id: &str) -> Result<Destination, Problem> {
    // What a database cannot hold is not there.
    let found = if id.contains('\0') { None } else { state.platform.destination(id).await? };
    found.filter(|destination| caller.may_see(&destination.owner)).ok_or_else(|| Problem::not_found("destination", id))
}

/// Tells the couriers and those who watch the event stream.
fn changed(state: &ServerState) {
    state.dispatcher.destinations_changed();
    state.events_appended.notify_waiters();
}

fn target(state: &ServerState, request: &NewRequest) -> Result<String, Problem> {
    let subject = signals_of(&request.model_id).map_err(|error| problem(error).field("model_id"))?;
    let settings = state.dispatcher.settings();
    let absent = |what: &str| {
        let detail = format!("this server has no {what}; start it with one, or use a webhook");
        Problem::new(Code::BadRequest, detail).field("kind")
    };
    match (request.kind, &request.url) {
        (Kind::Webhook, Some(url)) => {
            let url = webhook_url(url, settings.allow_private_webhooks);
            url.map(String::from).map_err(|error| problem(error).field("url"))
        }
        (Kind::Webhook, None) => Err(Problem::new(Code::BadRequest, "a webhook needs a url").field("url")),
        (Kind::Nats | Kind::Kafka, Some(_)) => {
            let detail = "the server knows its brokers; a url is for webhooks alone";
            Err(Problem::new(Code::BadRequest, detail).field("url"))
        }
        (Kind::Nats, None) if settings.nats_url.is_none() => Err(absent("NATS")),
        (Kind::Kafka, None) if settings.kafka_brokers.is_empty() => Err(absent("Kafka")),
        (Kind::Nats | Kind::Kafka, None) => Ok(subject),
    }
}

fn signal_number(field: &str, number: i64) -> Result<u64, Problem> {
    let wrong = || Problem::new(Code::BadRequest, format!("{field} is {number}; signals count from 0")).field(field);
    u64::try_from(number).map_err(|_| wrong())
}

fn random_hex(bytes: usize) -> Result<String, Problem> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random)
        .map_err(|error| Problem::new(Code::Internal, format!("the system gives no randomness: {error}")))?;
    Ok(hex::encode(random))
}

fn problem(error: GatewayError) -> Problem {
    match error {
        GatewayError::Database(error) => error.into(),
        GatewayError::Store(error) => error.into(),
        GatewayError::Stopped => Problem::new(Code::Stopped, error.to_string()),
        GatewayError::Target(_) => Problem::new(Code::BadRequest, error.to_string()),
        GatewayError::Http(_) => Problem::new(Code::Internal, error.to_string()),
    }
}

impl From<Kind> for DestinationKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Webhook => Self::Webhook,
            Kind::Nats => Self::Nats,
            Kind::Kafka => Self::Kafka,
        }
    }
}

impl From<Destination> for DestinationView {
    fn from(row: Destination) -> Self {
        let kind = match row.kind {
            DestinationKind::Webhook => Kind::Webhook,
            DestinationKind::Nats => Kind::Nats,
            DestinationKind::Kafka => Kind::Kafka,
        };
        Self {
            destination_id: row.destination_id,
            model_id: row.model_id,
            owner: row.owner,
            kind,
            target: row.target,
            status: if row.is_active { "active" } else { "paused" },
            heartbeats: row.heartbeats,
            next_seq: row.next_seq,
            failures: row.failures,
            retry_at: (row.retry_at > 0).then(|| format_utc(row.retry_at)),
            last_error: row.last_error,
            created_at: format_utc(row.created_at),
            updated_at: format_utc(row.updated_at),
        }
    }
}

impl From<LoggedDelivery> for DeliveryView {
    fn from(row: LoggedDelivery) -> Self {
        let LoggedDelivery { number, delivery } = row;
        let outcome: DeliveryOutcome = delivery.outcome;
        Self {
            number,
            seq: delivery.seq,
            attempt: delivery.attempt,
            outcome: outcome.name(),
            detail: delivery.detail,
            latency_ms: delivery.latency_ms,
            at: format_utc(delivery.at),
        }
    }
}
