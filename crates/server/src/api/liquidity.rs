//! Liquidity jobs, their rounds, scores and miners, as the validator's database has them.

use std::str::FromStr;

use assay_jobs::jobs::lp::standings::{StandingShown, standings_of};
use assay_lp::Job;
use assay_store::database::{JobRow, MinerRow, Round, RoundMode};
use assay_types::time::format_utc;
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

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(jobs))
        .routes(routes!(job))
        .routes(routes!(rounds))
        .routes(routes!(round))
        .routes(routes!(scores))
        .routes(routes!(miners))
}

/// A liquidity job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct LiquidityJob {
    /// Its name.
    pub job_id: String,
    /// Whether new rounds start.
    pub is_active: bool,
    /// Its configuration.
    #[schema(value_type = Object)]
    pub config: Value,
    /// When it was first stored, ISO-8601 UTC.
    pub created_at: String,
    /// When it was last changed, ISO-8601 UTC.
    pub updated_at: String,
}

/// A round without its record.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RoundLine {
    /// Its id.
    pub round_id: String,
    /// Its job.
    pub job_id: String,
    /// `evaluation` or `live`.
    pub round_type: String,
    /// `follow`, or `practice` for replayed rounds, which earn nothing.
    pub mode: String,
    /// Its number in the job.
    pub number: u64,
    /// `pending`, `active`, `completed` or `failed`.
    pub status: String,
    /// Why it failed.
    #[schema(required)]
    pub reason: Option<String>,
    /// Its first block.
    #[schema(required)]
    pub start_block: Option<u64>,
    /// Its last block.
    #[schema(required)]
    pub end_block: Option<u64>,
    /// When it started, ISO-8601 UTC.
    #[schema(required)]
    pub started_at: Option<String>,
    /// When it ended, ISO-8601 UTC.
    #[schema(required)]
    pub ended_at: Option<String>,
    /// The winning miner.
    #[schema(required)]
    pub winner: Option<String>,
    /// SHA-256 of its record.
    #[schema(required)]
    pub record_hash: Option<String>,
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

/// A registered miner.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct MinerLine {
    /// Its public key in hexadecimal.
    pub miner: String,
    /// How it is spoken to.
    pub wire: String,
    /// Whether it is asked.
    pub active: bool,
    /// When it was first registered, ISO-8601 UTC.
    pub registered_at: String,
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

impl LiquidityJob {
    pub(crate) fn of(row: JobRow) -> Self {
        Self {
            config: serde_json::from_str(&row.config).unwrap_or_else(|_| Value::Object(serde_json::Map::new())),
            job_id: row.job_id,
            is_active: row.is_active,
            created_at: format_utc(row.created_at),
            updated_at: format_utc(row.updated_at),
        }
    }
}

impl RoundLine {
    pub(crate) fn of(round: &Round) -> Self {
        let seconds =
            |time: Option<u64>| time.and_then(|time| i64::try_from(time).ok()?.checked_mul(1_000)).map(format_utc);
        Self {
            round_id: round.round_id.clone(),
            job_id: round.job_id.clone(),
            round_type: round.round_type.clone(),
            mode: round.mode.name().to_owned(),
            number: round.number,
            status: round.status.name().to_owned(),
            reason: round.reason.clone(),
            start_block: round.start_block,
            end_block: round.end_block,
            started_at: seconds(round.start_time),
            ended_at: seconds(round.end_time),
            winner: round.winner.clone(),
            record_hash: round.record_hash.clone(),
        }
    }
}

impl MinerLine {
    pub(crate) fn of(row: MinerRow) -> Self {
        Self { miner: row.miner, wire: row.wire, active: row.active, registered_at: format_utc(row.registered_at) }
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

#[cfg(test)]
mod tests {
    use assay_jobs::sample::pool::sample_pool;
    use assay_store::database::{CompletedRound, MinerScore, Participation, RoundStatus};
    use assay_types::time::format_utc;
    use serde_json::json;

    use super::*;
    use crate::access::Role;
    use crate::clock::now_ms;
    use crate::testing::{Routes, caller};

    const DAY_MS: i64 = 86_400_000;

    /// The sample's job with three rounds, one of them completed, and a miner that answered on
    /// five of the last seven days.
    async fn played() -> (Routes, String) {
        let routes = Routes::start().await;
        let job = sample_pool(1).unwrap().job;
        let job_id = job.job_id.clone();
        let row = JobRow {
            job_id: job_id.clone(),
            config: serde_json::to_string(&job).unwrap(),
            is_active: true,
            created_at: 1,
            updated_at: 1,
        };
        let database = &routes.state.liquidity;
        database.put_job(&row).await.unwrap();
        let miner = MinerRow {
            miner: "ab".repeat(32),
            url: "http://miner.example/secret-path".to_owned(),
            wire: "native".to_owned(),
            registered_at: 1,
            active: true,
        };
        database.put_miner(&miner).await.unwrap();
        for number in 0..3 {
            let is_over = number == 0;
            let round = Round {
                round_id: format!("{job_id}_evaluation_{number}"),
                mode: RoundMode::Follow,
                job_id: job_id.clone(),
                round_type: "evaluation".to_owned(),
                number,
                start_block: Some(100),
                start_time: Some(1_700_000_000),
                end_block: is_over.then_some(200),
                end_time: is_over.then_some(1_700_000_900),
                status: if is_over { RoundStatus::Completed } else { RoundStatus::Active },
                reason: None,
                winner: is_over.then(|| miner.miner.clone()),
                record: is_over.then(|| r#"{"scores":[]}"#.to_owned()),
                record_hash: is_over.then(|| "ff".repeat(32)),
                updated_at: 5,
            };
            if !is_over {
                database.put_round(&round, None).await.unwrap();
                continue;
            }
            let days = (1..=5).map(|back| Participation {
                job_id: job_id.clone(),
                miner: miner.miner.clone(),
                date: format_utc(now_ms() - back * DAY_MS)[..10].to_owned(),
                offered: 10,
                answered: 5,
                refused: 0,
            });
            let score = MinerScore {
                job_id: job_id.clone(),
                miner: miner.miner.clone(),
                mode: RoundMode::Follow,
                version: 0,
                evaluation_ema: 7,
                live_ema: 0,
                combined: 4,
                scored_rounds: 1,
                live_rounds: 0,
                refusals: 0,
                missed: 0,
                score_sum: 7,
                score_square_sum: assay_amm::U256::from(49),
                first_seen: 1,
                last_active: 1,
                last_round: Some(round.round_id.clone()),
            };
            let (scores, participation) = ([score], days.collect::<Vec<_>>());
            let completed =
                CompletedRound { round: &round, predictions: &[], scores: &scores, participation: &participation };
            database.complete_round(completed, None).await.unwrap();
        }
        (routes, job_id)
    }

    #[tokio::test]
    async fn jobs_rounds_and_standings_are_shown() {
        let (routes, job_id) = played().await;
        let viewer = caller("eve", Role::Viewer);
        let (_, jobs) = routes.get(&viewer, "/v1/liquidity/jobs").await;
        assert_eq!((&jobs["items"][0]["job_id"], &jobs["next"]), (&json!(job_id), &Value::Null));
        let (_, job) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}")).await;
        assert_eq!(job["config"]["job_id"], json!(job_id));
        let (_, first) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}/rounds?limit=2")).await;
        let numbers = |page: &Value| -> Vec<u64> {
            page["items"].as_array().unwrap().iter().map(|round| round["number"].as_u64().unwrap()).collect()
        };
        assert_eq!(numbers(&first), [2, 1]);
        let next = format!("/v1/liquidity/jobs/{job_id}/rounds?limit=2&cursor={}", first["next"].as_str().unwrap());
        assert_eq!(numbers(&routes.get(&viewer, &next).await.1), [0]);
        let (_, round) = routes.get(&viewer, &format!("/v1/liquidity/rounds/{job_id}_evaluation_0")).await;
        assert_eq!((&round["record"], &round["round"]["status"]), (&json!({ "scores": [] }), &json!("completed")));
        assert_eq!(round["round"]["ended_at"], "2023-11-14T22:28:20Z");
        let (_, scores) = routes.get(&viewer, &format!("/v1/liquidity/jobs/{job_id}/scores")).await;
        assert_eq!(
            (&scores["items"][0]["days"], &scores["items"][0]["combined"]),
            (&json!("5 of 7 days"), &json!("4"))
        );
        assert_eq!(scores["items"][0]["eligible"], false);
        let (_, miners) = routes.get(&viewer, "/v1/liquidity/miners").await;
        assert_eq!(miners["items"].as_array().unwrap().len(), 1);
        assert!(!miners.to_string().contains("secret-path"), "where a miner is asked is the validator's business");
        for path in ["jobs/none", "jobs/a%00b", "jobs/none/rounds", "jobs/none/scores", "rounds/none", "rounds/%00"] {
            assert_eq!(routes.get(&viewer, &format!("/v1/liquidity/{path}")).await.0, 404, "{path}");
        }
        for query in ["?mode=other", "?round_type=x", "?limit=0", "?cursor=x", "?more=1"] {
            let path = format!("/v1/liquidity/jobs/{job_id}/rounds{query}");
            assert_eq!(routes.get(&viewer, &path).await.0, 400, "{query}");
        }
    }

    #[tokio::test]
    async fn rounds_and_miners_are_found_by_their_ids() {
        let (routes, job_id) = played().await;
        let viewer = caller("eve", Role::Viewer);
        for (id, kind) in [
            (format!("{job_id}_evaluation_0"), "round"),
            (job_id.clone(), "liquidity_job"),
            ("ab".repeat(32), "miner"),
            (format!("0x{}", "AB".repeat(32)), "miner"),
        ] {
            let (status, found) = routes.get(&viewer, &format!("/v1/show/{id}")).await;
            assert_eq!((status.as_u16(), &found["kind"]), (200, &json!(kind)), "{id}: {found}");
        }
        let (_, round) = routes.get(&viewer, &format!("/v1/show/{job_id}_evaluation_0")).await;
        assert_eq!(round["lineage"], json!([{ "kind": "liquidity_job", "id": job_id }]));
        let question = json!({ "query": format!("{{ rounds(jobId: \"{job_id}\", first: 2) {{ pageInfo {{ hasNextPage endCursor }} edges {{ node {{ number status }} }} }} }}") });
        let (_, answer) = routes.post(&viewer, "/graphql", &question).await;
        let rounds = &answer["data"]["rounds"];
        assert_eq!(
            (&rounds["edges"][0]["node"]["number"], &rounds["pageInfo"]["hasNextPage"]),
            (&json!(2), &json!(true))
        );
    }
}
