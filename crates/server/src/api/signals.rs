//! Stored signals, by model.

use assay_store::database::StreamMode;
use assay_types::time::{format_utc, parse_utc};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::audience::hearing;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(signals))
}

/// Which signals.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct SignalsQuery {
    /// First close, ISO-8601 UTC.
    start: Option<String>,
    /// Just after the last close, ISO-8601 UTC.
    end: Option<String>,
    /// Number of the first signal; instead of a cursor.
    from_seq: Option<u64>,
    /// The last so many signals; instead of a cursor.
    #[param(minimum = 1, maximum = 200)]
    last: Option<u32>,
    /// `next` of the page before; nothing for the first page.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// A stored signal.
#[derive(Debug, Serialize, ToSchema)]
struct SignalView {
    /// Its number among the model's signals.
    seq: u64,
    /// `paper` or `live`.
    mode: &'static str,
    /// The stream that spoke.
    stream_id: String,
    /// The candle's close, ISO-8601 UTC.
    closed_at: String,
    /// When the candle arrived, ISO-8601 UTC.
    received_at: String,
    /// When the signal was stored, ISO-8601 UTC.
    stored_at: String,
    /// From the close to the stored signal, milliseconds; of recorded candles from the moment
    /// the candle was taken.
    latency_ms: i64,
    /// Equity of the paper account at this close, decimal text in quote money.
    equity: String,
    /// The signal, field for field as it was signed.
    #[schema(value_type = Object)]
    signal: Box<RawValue>,
}

/// Signals of a model in ascending order: live ones, and the caller's own paper ones.
#[utoipa::path(get, path = "/v1/signals/{model_id}", tag = "streams", params(
    ("model_id" = String, Path, description = "The model: its weights hash"), SignalsQuery,
), responses(
    (status = 200, description = "Signals", body = Page<SignalView>),
    (status = 404, description = "The model has no stream that may be seen", body = Problem, content_type = "application/problem+json"),
))]
async fn signals(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(model_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<SignalsQuery>,
) -> Result<ApiJson<Page<SignalView>>, Problem> {
    caller.require(Scope::Read)?;
    let time = |name: &str, text: &Option<String>, default: i64| match text {
        Some(text) => parse_utc(text).map_err(|error| Problem::new(Code::BadRequest, error.to_string()).field(name)),
        None => Ok(default),
    };
    let closed = time("start", &query.start, i64::MIN)?..time("end", &query.end, i64::MAX)?;
    let paging = Paging::new(query.cursor.as_deref(), query.limit)?;
    let missing = || Problem::not_found("model with signals", &model_id.chars().take(64).collect::<String>());
    let is_hash = model_id.len() == 64 && model_id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let stream = if is_hash { state.platform.stream_of_model(&model_id).await? } else { None };
    let stream = stream.ok_or_else(missing)?;
    let sees_paper = caller.may_see(&stream.owner);
    if !sees_paper {
        hearing(&state, &caller, &model_id).await?;
    }
    if !sees_paper && stream.mode == StreamMode::Paper {
        return Err(missing());
    }
    // Who may not see paper signals is given the live ones alone, page by page.
    let from = match (paging.after, query.from_seq, query.last) {
        (Some(after), None, None) => after + 1,
        (None, Some(from), None) => from,
        (None, None, Some(last)) => state.platform.next_seq(&model_id).await?.saturating_sub(u64::from(last)),
        (None, None, None) => 0,
        _ => {
            let detail = "give one of cursor, from_seq and last";
            return Err(Problem::new(Code::BadRequest, detail).field("cursor"));
        }
    };
    let mode = (!sees_paper).then_some(StreamMode::Live);
    let rows = state.platform.signals_of_mode(&model_id, mode, closed, from, paging.fetch()).await?;
    let mut views = Vec::with_capacity(rows.len());
    for row in rows {
        let signal = RawValue::from_string(row.signal)
            .map_err(|error| Problem::new(Code::Internal, format!("signal {} is damaged: {error}", row.seq)))?;
        views.push(SignalView {
            seq: row.seq,
            mode: row.mode.name(),
            stream_id: row.stream_id,
            closed_at: format_utc(row.closed_at),
            received_at: format_utc(row.received_at),
            stored_at: format_utc(row.stored_at),
            latency_ms: row.stored_at - row.due_at,
            equity: row.equity,
            signal,
        });
    }
    Ok(ApiJson(paging.page(views, |view| view.seq, |view| view)))
}
