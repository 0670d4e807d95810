//! Liquidity jobs, their rounds, scores and miners, as the validator's database has them.

mod lines;
#[cfg(test)]
mod tests;

use std::str::FromStr;

use assay_jobs::jobs::lp::standings::{StandingShown, standings_of};
use assay_lp::Job;
use assay_store::database::{JobRow, RoundMode};
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery, Paging};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) use lines::{LiquidityJob, MinerLine, RoundLine};

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(jobs))
        .routes(routes!(job))
        .routes(routes!(rounds))
        .routes(routes!(round))
        .routes(routes!(scores))
        .routes(routes!(miners))
}

/// A round with its record, from which every score follows.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct RoundShown {
    /// The round.
    round: RoundLine,
    /// Its record; null while it has none.
    #[schema(required, value_type = Option<Object>)]
    record: Option<Value>,
    /// How each answer came out; the answers themselves are in the record.
    answers: Vec<AnswerLine>,
}

/// One answer of a miner.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct AnswerLine {
    /// The miner.
    miner: String,
    /// The checkpoint, from 0.
    checkpoint: u64,
    /// How it came out.
    outcome: String,
    /// Whether the miner took part.
    accepted: bool,
    /// Why it refused.
    #[schema(required)]
    refusal_reason: Option<String>,
    /// How long it took.
    #[schema(required)]
    response_ms: Option<u64>,
}

/// Which rounds.
#[derive(Debug, Clone, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RoundsQuery {
    /// `evaluation` (default) or `live`.
    #[param(inline)]
    round_type: Option<RoundType>,
    /// `follow` (default) or `practice`.
    #[param(inline)]
    mode: Option<RoundKind>,
    /// `next` of the page before; nothing for the first page.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
}

/// Which mode.
#[derive(Debug, Clone, Copy, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ModeQuery {
    /// `follow` (default) or `practice`.
    #[param(inline)]
    mode: Option<RoundKind>,
}

/// How a round's miners are judged.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoundType {
    Evaluation,
    Live,
}

/// Whether a round followed the chain.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RoundKind {
    Follow,
    Practice,
}

impl RoundType {
    const fn name(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Live => "live",
        }
    }
}

impl RoundKind {
    fn mode(this: Option<Self>) -> RoundMode {
        match this {
            Some(Self::Practice) => RoundMode::Practice,
            _ => RoundMode::Follow,
        }
    }
}

/// A page of what the database gives whole and in a fixed order.
pub(crate) fn page_of<R, T>(paging: Paging, rows: Vec<R>, item: impl FnMut(R) -> T) -> Page<T> {
    let after = paging.after.unwrap_or(0);
    let rows: Vec<(u64, R)> =
        (1..).zip(rows).filter(|(number, _)| *number > after).take(paging.fetch() as usize).collect();
    let mut item = item;
    paging.page(rows, |row| row.0, |row| item(row.1))
}

/// The job with exactly that name.
pub(crate) async fn find_job(state: &ServerState, job_id: &str) -> Result<JobRow, Problem> {
    // The databases refuse texts with a zero byte; no job has such a name.
    let found = if job_id.contains('\0') { None } else { state.liquidity.job(job_id).await? };
    found.ok_or_else(|| Problem::not_found("liquidity job", &job_id.chars().take(80).collect::<String>()))
}

/// Liquidity jobs by name.
#[utoipa::path(get, path = "/v1/liquidity/jobs", tag = "liquidity", params(PageQuery), responses(
    (status = 200, description = "A page of jobs", body = Page<LiquidityJob>),
    (status = 400, description = "The query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn jobs(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<LiquidityJob>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    Ok(ApiJson(page_of(paging, state.liquidity.jobs().await?, LiquidityJob::of)))
}

/// One liquidity job.
#[utoipa::path(get, path = "/v1/liquidity/jobs/{job_id}", tag = "liquidity",
    params(("job_id" = String, Path, description = "Its name")), responses(
    (status = 200, description = "The job", body = LiquidityJob),
    (status = 400, description = "The path does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn job(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
) -> Result<ApiJson<LiquidityJob>, Problem> {
    caller.require(Scope::Read)?;
    Ok(ApiJson(LiquidityJob::of(find_job(&state, &job_id).await?)))
}

/// The rounds of a job, newest first.
#[utoipa::path(get, path = "/v1/liquidity/jobs/{job_id}/rounds", tag = "liquidity",
    params(("job_id" = String, Path, description = "The job's name"), RoundsQuery), responses(
    (status = 200, description = "A page of rounds", body = Page<RoundLine>),
    (status = 400, description = "The path or the query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn rounds(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<RoundsQuery>,
) -> Result<ApiJson<Page<RoundLine>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = Paging::new(query.cursor.as_deref(), query.limit)?;
    find_job(&state, &job_id).await?;
    let (kind, mode) = (query.round_type.unwrap_or(RoundType::Evaluation).name(), RoundKind::mode(query.mode));
    let rows = state.liquidity.rounds(&job_id, kind, mode, paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(rows, |row| row.number, |row| RoundLine::of(&row))))
}

/// One round with its record.
#[utoipa::path(get, path = "/v1/liquidity/rounds/{round_id}", tag = "liquidity",
    params(("round_id" = String, Path, description = "Its id"), ModeQuery), responses(
    (status = 200, description = "The round", body = RoundShown),
    (status = 400, description = "The path or the query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such round", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn round(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(round_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<ModeQuery>,
) -> Result<ApiJson<RoundShown>, Problem> {
    caller.require(Scope::Read)?;
    let mode = RoundKind::mode(query.mode);
    let found = if round_id.contains('\0') { None } else { state.liquidity.round(&round_id, mode).await? };
    let short: String = round_id.chars().take(80).collect();
    let found = found.ok_or_else(|| Problem::not_found("round", &short))?;
    let answers = state.liquidity.predictions(&found.round_id, mode).await?;
    let answers = answers.into_iter().map(|answer| AnswerLine {
        miner: answer.miner,
        checkpoint: answer.checkpoint,
        outcome: answer.outcome,
        accepted: answer.accepted,
        refusal_reason: answer.refusal_reason,
        response_ms: answer.response_ms,
    });
    let record = found.record.as_deref().map(Value::from_str).transpose();
    let record = record.map_err(|error| {
        tracing::error!(round = found.round_id, %error, "a stored record does not read");
        Problem::new(Code::Internal, format!("the record of round {} does not read", found.round_id))
    })?;
    Ok(ApiJson(RoundShown { round: RoundLine::of(&found), record, answers: answers.collect() }))
}

/// The standings of a job's miners.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Standings {
    /// The miners, the highest combined score first. Scores are at a scale of 1e-18.
    items: Vec<StandingShown>,
}

/// What a job's miners have earned, and what they lack to go live.
#[utoipa::path(get, path = "/v1/liquidity/jobs/{job_id}/scores", tag = "liquidity",
    params(("job_id" = String, Path, description = "The job's name"), ModeQuery), responses(
    (status = 200, description = "The standings", body = Standings),
    (status = 400, description = "The path or the query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such job", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn scores(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<ModeQuery>,
) -> Result<ApiJson<Standings>, Problem> {
    caller.require(Scope::Read)?;
    let row = find_job(&state, &job_id).await?;
    let job: Job = serde_json::from_str(&row.config).map_err(|error| {
        tracing::error!(job = row.job_id, %error, "a stored job does not read");
        Problem::new(Code::Internal, format!("the job {} as stored does not read", row.job_id))
    })?;
    let is_practice = RoundKind::mode(query.mode) == RoundMode::Practice;
    Ok(ApiJson(Standings { items: standings_of(&state.liquidity, &job, is_practice).await? }))
}

/// Registered miners, by registration.
#[utoipa::path(get, path = "/v1/liquidity/miners", tag = "liquidity", params(PageQuery), responses(
    (status = 200, description = "A page of miners", body = Page<MinerLine>),
    (status = 400, description = "The query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn miners(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<MinerLine>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    Ok(ApiJson(page_of(paging, state.liquidity.miners().await?, MinerLine::of)))
}
