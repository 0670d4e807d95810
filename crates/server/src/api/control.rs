//! Stop and resume everything that sends.

use assay_store::StopMark;
use assay_store::database::Resumed;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::streams::ReasonBody;
use crate::access::{Caller, Scope};
use crate::extract::ApiJson;
use crate::live::{ResumeOutcome, flatten, resume_sending, stop_sending};
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
    /// Which stop this is: each is another one, also of what was stopped already.
    id: String,
}

/// Who resumed, when and why.
#[derive(Debug, Serialize, ToSchema)]
struct ResumedView {
    /// When, ISO-8601 UTC.
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
    /// The last resume; null before the first.
    #[schema(required)]
    resumed: Option<ResumedView>,
    /// Streams that run and are published.
    live_streams: u64,
    /// Streams that run for their owners alone.
    paper_streams: u64,
    /// Streams that run, close their positions at their next close and halt.
    closing_streams: u64,
}

async fn view(state: &ServerState) -> Result<ModeView, Problem> {
    let running = state.platform.running_streams().await?;
    let live = running.iter().filter(|stream| stream.mode == assay_store::database::StreamMode::Live).count();
    let resumed = state.platform.stop_control().await?.resumed;
    let stopped = state.live.stop.mark();
    Ok(ModeView {
        mode: match (&stopped, live) {
            (Some(_), _) => "stopped",
            (None, 0) => "paper",
            (None, _) => "live",
        },
        stopped: stopped.map(|StopMark { at, by, reason, id }| MarkView { at, by, reason, id }),
        resumed: resumed.map(|Resumed { at, by, reason, .. }| ResumedView { at, by, reason }),
        closing_streams: running.iter().filter(|stream| stream.closing.is_some()).count() as u64,
        live_streams: live as u64,
        paper_streams: (running.len() - live) as u64,
    })
}

pub(super) fn name_of(caller: &Caller) -> String {
    format!("{} ({})", caller.user_id, caller.credential)
}

/// A stop.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StopBody {
    /// Why, in the caller's words.
    #[serde(default)]
    #[schema(max_length = 300)]
    reason: Option<String>,
    /// Whether to close positions first: nothing is opened any more, and at the next close each
    /// stream says FLAT_0 and halts. Nothing is held back then.
    #[serde(default)]
    flatten: bool,
}

impl StopBody {
    /// The reason, and whether positions are closed.
    pub fn checked(self) -> Result<(Option<String>, bool), Problem> {
        Ok((ReasonBody { reason: self.reason }.checked()?, self.flatten))
    }
}

/// Stop everything that sends; it stays stopped, also after a restart, until it is resumed.
#[utoipa::path(post, path = "/v1/stop", tag = "control", request_body = StopBody, responses(
    (status = 200, description = "Nothing is sent any more; with `flatten`, streams close", body = ModeView),
    (status = 409, description = "With `flatten`: sending is stopped", body = Problem, content_type = "application/problem+json"),
))]
async fn stop(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(body): ApiJson<StopBody>,
) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Control)?;
    let (reason, is_flatten) = body.checked()?;
    let (by, reason) = (name_of(&caller), reason.unwrap_or_default());
    if is_flatten {
        flatten(&state, None, &by, &reason).await?;
    } else {
        stop_sending(&state, &by, &reason).await?;
    }
    Ok(ApiJson(view(&state).await?))
}

/// A resume.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ResumeBody {
    /// Why sending goes on, in the caller's words.
    #[serde(default)]
    #[schema(max_length = 300)]
    reason: Option<String>,
    /// The stop that is ended: `stopped.id` of `GET /v1/mode`. Left out or null, whichever there is.
    #[serde(default)]
    id: Option<String>,
}

/// Let sending go on. Needs a reason. A stop that comes meanwhile stands.
#[utoipa::path(post, path = "/v1/resume", tag = "control", request_body = ResumeBody, responses(
    (status = 200, description = "Sending goes on", body = ModeView),
    (status = 409, description = "Nothing is stopped, or it was stopped anew", body = Problem, content_type = "application/problem+json"),
))]
async fn resume(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(body): ApiJson<ResumeBody>,
) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Control)?;
    let reason = ReasonBody { reason: body.reason }.checked()?.filter(|reason| !reason.trim().is_empty());
    let Some(reason) = reason else {
        return Err(Problem::new(Code::BadRequest, "say why sending goes on").field("reason"));
    };
    match resume_sending(&state, &name_of(&caller), &reason, body.id.as_deref()).await? {
        ResumeOutcome::Resumed => Ok(ApiJson(view(&state).await?)),
        ResumeOutcome::NotStopped => Err(Problem::new(Code::Conflict, "nothing is stopped")),
        ResumeOutcome::Newer(mark) => {
            let StopMark { at, by, reason, .. } = mark;
            let detail = format!("it was stopped anew by {by} at {at}: {reason}; look at it, then resume that stop");
            Err(Problem::new(Code::Conflict, detail))
        }
    }
}

/// Whether the server is stopped, publishes live, or speaks on paper alone.
#[utoipa::path(get, path = "/v1/mode", tag = "control", responses(
    (status = 200, description = "The mode", body = ModeView),
))]
async fn mode(State(state): State<ServerState>, caller: Caller) -> Result<ApiJson<ModeView>, Problem> {
    caller.require(Scope::Read)?;
    Ok(ApiJson(view(&state).await?))
}
