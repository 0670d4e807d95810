//! Stop and resume everything that sends.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::streams::ReasonBody;
use crate::access::{Caller, Scope};
use crate::extract::ApiJson;
use crate::live::{resume_sending, stop_sending};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(stop)).routes(routes!(resume)).routes(routes!(mode))
}

/// Who stopped, when and why.
#[derive(Debug, Serialize, ToSchema)]
struct MarkView {
    /// When, ISO-8601 UTC; empty when the file was made by hand.
    at: String,
    /// Who.
    by: String,
    /// Why.
    reason: String,
}

/// What the server sends.
#[derive(Debug, Serialize, ToSchema)]
struct ModeView {
    /// `stopped`; `live` when a stream is published; `paper` otherwise.
    mode: &'static str,
    /// Who stopped; null when nothing is stopped.
    #[schema(required)]
    stopped: Option<MarkView>,
    /// Streams that run and are published.
    live_streams: u64,
    /// Streams that run for their owners alone.
    paper_streams: u64,
}

async fn view(state: &ServerState) -> Result<ModeView, Problem> {
    let running = state.platform.running_streams().await?;
    let live = running.iter().filter(|stream| stream.mode == assay_store::database::StreamMode::Live).count();
    let stopped = state.live.stop.mark().map(|mark| MarkView { at: mark.at, by: mark.by, reason: mark.reason });
    Ok(ModeView {
        mode: match (&stopped, live) {
            (Some(_), _) => "stopped",
            (None, 0) => "paper",
            (None, _) => "live",
        },
        stopped,
        live_streams: live as u64,
        paper_streams: (running.len() - live) as u64,
    })
}

/// Stop everything that sends; it stays stopped, also after a restart, until it is resumed.
#[utoipa::path(post, path = "/v1/stop", tag = "control", request_body = ReasonBody, responses(
    (status = 200, description = "Nothing is sent any more", body = ModeView),
))]
async fn stop(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(body): ApiJson<ReasonBody>,
) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Control)?;
    let reason = body.checked()?.unwrap_or_default();
    stop_sending(&state, &format!("{} ({})", caller.user_id, caller.credential), &reason).await?;
    Ok(ApiJson(view(&state).await?))
}

/// Let sending go on. Needs a reason.
#[utoipa::path(post, path = "/v1/resume", tag = "control", request_body = ReasonBody, responses(
    (status = 200, description = "Sending goes on", body = ModeView),
    (status = 409, description = "Nothing is stopped", body = Problem, content_type = "application/problem+json"),
))]
async fn resume(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(body): ApiJson<ReasonBody>,
) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Control)?;
    if body.checked()?.is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Problem::new(Code::BadRequest, "say why sending goes on").field("reason"));
    }
    if !resume_sending(&state).await? {
        return Err(Problem::new(Code::Conflict, "nothing is stopped"));
    }
    Ok(ApiJson(view(&state).await?))
}

/// Whether the server is stopped, publishes live, or speaks on paper alone.
#[utoipa::path(get, path = "/v1/mode", tag = "control", responses(
    (status = 200, description = "The mode", body = ModeView),
))]
async fn mode(State(state): State<ServerState>, caller: Caller) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Read)?;
    Ok(ApiJson(view(&state).await?))
}
