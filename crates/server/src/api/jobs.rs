//! Scheduled jobs: submit, look, cancel, resume.

#![allow(unused_qualifications, reason = "utoipa::path writes the paths of parameters out")]

use assay_jobs::JobRequest;
use assay_jobs::time_text::format_utc;
use assay_store::database::{JobFilter, JobStatus, NewJob, ScheduledJob};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::runs::usable_run;
use crate::access::{Caller, Role, Scope};
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Jobs that one user may have queued or at work.
pub(crate) const MAX_UNFINISHED_JOBS: u32 = 100;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(submit, list))
        .routes(routes!(show))
        .routes(routes!(cancel))
        .routes(routes!(resume))
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = JobStatus)]
pub(crate) enum Status {
    /// Waits for a worker.
    Queued,
    /// At work.
    Running,
    /// Asked to end.
    Cancelling,
    /// Ended on request; it can be resumed.
    Cancelled,
    /// Ended with an error; it can be resumed.
    Failed,
    /// Ended with a result.
    Done,
}

impl From<JobStatus> for Status {
    fn from(status: JobStatus) -> Self {
        match status {
            JobStatus::Queued => Self::Queued,
            JobStatus::Running => Self::Running,
            JobStatus::Cancelling => Self::Cancelling,
            JobStatus::Cancelled => Self::Cancelled,
            JobStatus::Failed => Self::Failed,
            JobStatus::Done => Self::Done,
        }
    }
}

impl From<Status> for JobStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Queued => Self::Queued,
            Status::Running => Self::Running,
            Status::Cancelling => Self::Cancelling,
            Status::Cancelled => Self::Cancelled,
            Status::Failed => Self::Failed,
            Status::Done => Self::Done,
        }
    }
}

/// What a job told last.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(crate) struct JobProgress {
    /// What it does now.
    stage: String,
    /// Units done.
    done: u64,
    /// Units in all; 0 when unknown.
    total: u64,
    /// What is counted: `steps`, `rows`.
    unit: String,
    /// Share of the stage that is done, 0 to 100; null when unknown.
    percent: Option<f64>,
    /// Units per second; null before there is a measurement.
    per_second: Option<f64>,
    /// Seconds left; null when unknown.
    seconds_left: Option<f64>,
    /// Named figures, such as reward and losses.
    #[schema(value_type = Object)]
    figures: Map<String, Value>,
    /// What the user should know, the last ten.
    notes: Vec<String>,
}

/// Why a job failed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub(crate) struct JobFault {
    /// Stays the same from release to release: `bad_request`, `check_failed`, `failed`,
    /// `interrupted`, `prepare`.
    code: String,
    /// What, where and how to fix it.
    message: String,
}

/// A scheduled job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Job {
    /// Its id, 32 hexadecimal digits.
    job_id: String,
    /// What kind of work.
    kind: String,
    /// The user who submitted it.
    owner: String,
    /// How far it is.
    status: Status,
    /// How often a worker has taken it since it was submitted or resumed.
    attempts: u64,
    /// What it told last; null before it began.
    #[schema(required)]
    progress: Option<JobProgress>,
    /// Why it failed; null unless it did.
    #[schema(required)]
    error: Option<JobFault>,
    /// When it was submitted, ISO-8601 UTC.
    created_at: String,
    /// When a worker first took it.
    #[schema(required)]
    started_at: Option<String>,
    /// When it ended.
    #[schema(required)]
    finished_at: Option<String>,
    /// When its worker was last heard of.
    updated_at: String,
    /// The worker that has it.
    #[schema(required)]
    worker: Option<String>,
}

/// A scheduled job with its request and result.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct JobDetail {
    #[serde(flatten)]
    job: Job,
    /// As it was submitted.
    #[schema(value_type = Object)]
    request: Value,
    /// What it gave; null until it is done.
    #[schema(value_type = Option<Object>, required)]
    result: Value,
}

fn value(text: Option<&String>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null)
}

impl From<ScheduledJob> for Job {
    fn from(job: ScheduledJob) -> Self {
        Self {
            progress: serde_json::from_value(value(job.progress.as_ref())).ok(),
            error: serde_json::from_value(value(job.error.as_ref())).ok(),
            status: job.status.into(),
            attempts: job.attempts,
            created_at: format_utc(job.created_at),
            started_at: job.started_at.map(format_utc),
            finished_at: job.finished_at.map(format_utc),
            updated_at: format_utc(job.updated_at),
            worker: job.lease_owner,
            job_id: job.job_id,
            kind: job.kind,
            owner: job.owner,
        }
    }
}

impl From<ScheduledJob> for JobDetail {
    fn from(job: ScheduledJob) -> Self {
        let (request, result) = (value(Some(&job.request)), value(job.result.as_ref()));
        Self { request, result, job: job.into() }
    }
}

/// Whose things a list shows: everyone's to owners of the platform, else the caller's own.
pub(crate) fn visible_owner(caller: &Caller) -> Option<String> {
    let sees_all = caller.role == Role::Owner && caller.scopes.contains(&Scope::Admin);
    (!sees_all).then(|| caller.user_id.clone())
}

/// Queues a job.
#[utoipa::path(post, path = "/v1/jobs", tag = "jobs", request_body = JobRequest, responses(
    (status = 201, description = "It is queued", body = Job),
    (status = 404, description = "There is no such job, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn submit(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(mut request): ApiJson<JobRequest>,
) -> Result<Response, Problem> {
    caller.require(Scope::Run)?;
    request.check()?;
    if let JobRequest::Backtest(job) = &mut request
        && let Some(run) = &mut job.run
    {
        *run = usable_run(&state, &caller, "run", run).await?;
    }
    let job = NewJob {
        kind: request.kind().to_owned(),
        request: serde_json::to_string(&request).map_err(|error| Problem::new(Code::BadRequest, error.to_string()))?,
        owner: caller.user_id,
    };
    let queued = state.platform.submit_job(&job, MAX_UNFINISHED_JOBS, now_ms()).await?;
    changed(&state);
    Ok((StatusCode::CREATED, ApiJson(Job::from(queued))).into_response())
}

/// Which jobs a list shows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct JobsQuery {
    /// `next` of the page before; nothing for the first page.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// Those with this status alone.
    #[param(inline)]
    status: Option<Status>,
    /// Those of this kind alone.
    kind: Option<String>,
}

/// Jobs, newest first: one's own, or everyone's for owners.
#[utoipa::path(get, path = "/v1/jobs", tag = "jobs", params(JobsQuery), responses(
    (status = 200, description = "A page of them", body = Page<Job>),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<JobsQuery>,
) -> Result<ApiJson<Page<Job>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = Paging::new(query.cursor.as_deref(), query.limit)?;
    let filter =
        JobFilter { owner: visible_owner(&caller), status: query.status.map(JobStatus::from), kind: query.kind };
    let jobs = state.platform.jobs(&filter, paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(jobs, |job| job.number, Job::from)))
}

/// The job, if there is one that the caller may see.
async fn find(state: &ServerState, caller: &Caller, job_id: &str) -> Result<ScheduledJob, Problem> {
    let job = state.platform.job(job_id).await?;
    job.filter(|job| caller.may_see(&job.owner)).ok_or_else(|| Problem::not_found("job", job_id))
}

/// One job with its request, progress and result.
#[utoipa::path(get, path = "/v1/jobs/{job_id}", tag = "jobs", params(("job_id" = String, Path)), responses(
    (status = 200, description = "The job", body = JobDetail),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
) -> Result<ApiJson<JobDetail>, Problem> {
    caller.require(Scope::Read)?;
    Ok(ApiJson(find(&state, &caller, &job_id).await?.into()))
}

/// Ends a job, which keeps its last checkpoint. Ending it again changes nothing.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/cancel", tag = "jobs", params(("job_id" = String, Path)), responses(
    (status = 200, description = "It ends, or has ended", body = Job),
    (status = 404, description = "There is no such job, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn cancel(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
) -> Result<ApiJson<Job>, Problem> {
    caller.require(Scope::Run)?;
    find(&state, &caller, &job_id).await?;
    let job = state.platform.cancel_job(&job_id, now_ms()).await?;
    changed(&state);
    Ok(ApiJson(job.into()))
}

/// Queues a cancelled or failed job again; it goes on from what it kept.
#[utoipa::path(post, path = "/v1/jobs/{job_id}/resume", tag = "jobs", params(("job_id" = String, Path)), responses(
    (status = 200, description = "It is queued", body = Job),
    (status = 404, description = "There is no such job, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn resume(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(job_id): ApiPath<String>,
) -> Result<ApiJson<Job>, Problem> {
    caller.require(Scope::Run)?;
    find(&state, &caller, &job_id).await?;
    let job = state.platform.resume_job(&job_id, MAX_UNFINISHED_JOBS, now_ms()).await?;
    changed(&state);
    Ok(ApiJson(job.into()))
}

/// Writes each kind of request as one object. As an `allOf` of the fields and the `kind`, neither
/// part would allow the properties of the other.
pub(super) fn merge_kinds(schemas: &mut Value) {
    let known = schemas.clone();
    let Some(variants) = schemas["JobRequest"]["oneOf"].as_array_mut() else { return };
    for variant in variants {
        let Some(parts) = variant["allOf"].as_array() else { continue };
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for part in parts {
            let name = part["$ref"].as_str().and_then(|path| path.rsplit('/').next());
            let part = name.map_or(part, |name| &known[name]);
            properties.extend(part["properties"].as_object().cloned().unwrap_or_default());
            required.extend(part["required"].as_array().cloned().unwrap_or_default());
        }
        *variant = json!({
            "type": "object",
            "description": variant["description"].as_str().unwrap_or_default(),
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        });
    }
}

fn changed(state: &ServerState) {
    state.job_queued.notify_one();
    state.events_appended.notify_waiters();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Routes, caller};

    #[tokio::test]
    async fn a_job_is_submitted_listed_cancelled_and_resumed() {
        let routes = Routes::start().await;
        let (user, other) = (caller("u1", Role::Trader), caller("u2", Role::Trader));
        let request = json!({ "kind": "train", "config": { "dataset": "binance/BTC-USDT/1h" } });
        let (status, job) = routes.post(&user, "/v1/jobs", &request).await;
        assert_eq!((status, &job["status"], &job["kind"]), (StatusCode::CREATED, &json!("queued"), &json!("train")));
        let path = format!("/v1/jobs/{}", job["job_id"].as_str().unwrap());
        let (status, shown) = routes.get(&user, &path).await;
        assert_eq!((status, &shown["request"]), (StatusCode::OK, &request));
        for (someone, method, path) in [
            (&other, "GET", path.clone()),
            (&other, "POST", format!("{path}/cancel")),
            (&user, "GET", "/v1/jobs/x".into()),
        ] {
            let (status, problem) = routes.ask(Some(someone.clone()), method, &path, None).await;
            assert_eq!((status, &problem["code"]), (StatusCode::NOT_FOUND, &json!("not_found")), "{path}");
        }
        let count = |page: Value| page["items"].as_array().unwrap().len();
        assert_eq!(count(routes.get(&user, "/v1/jobs?status=queued&kind=train").await.1), 1);
        assert_eq!(count(routes.get(&other, "/v1/jobs").await.1), 0);
        assert_eq!(count(routes.get(&caller("boss", Role::Owner), "/v1/jobs").await.1), 1);
        let viewer = caller("u1", Role::Viewer);
        assert_eq!(routes.post(&viewer, "/v1/jobs", &request).await.0, StatusCode::FORBIDDEN);
        let (status, problem) = routes.post(&user, &format!("{path}/resume"), &Value::Null).await;
        assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("conflict")));
        for expected in ["cancelled", "cancelled"] {
            assert_eq!(routes.post(&user, &format!("{path}/cancel"), &Value::Null).await.1["status"], expected);
        }
        assert_eq!(routes.post(&user, &format!("{path}/resume"), &Value::Null).await.1["status"], "queued");
    }

    #[test]
    fn every_kind_is_described_as_one_object_that_its_requests_fit() {
        let (_, description) = crate::api::routes().split_for_parts();
        let description = crate::api::describe::complete(&description);
        let schema = &description["components"]["schemas"]["JobRequest"];
        let variants = schema["oneOf"].as_array().unwrap();
        let kind = |variant: &Value| variant["properties"]["kind"]["enum"][0].as_str().map(str::to_owned);
        let kinds: Vec<String> = variants.iter().map(|variant| kind(variant).expect("a kind")).collect();
        assert_eq!(kinds, JobRequest::KINDS);
        for variant in variants {
            assert_eq!(variant["additionalProperties"], false, "{variant}");
            assert!(variant["required"].as_array().unwrap().contains(&json!("kind")), "{variant}");
        }
        let train = &variants[2];
        assert!(
            train["properties"]["config"].is_object() && train["required"].as_array().unwrap().len() == 2,
            "{train}"
        );
    }

    #[tokio::test]
    async fn what_cannot_work_is_refused_before_it_is_queued() {
        let routes = Routes::start().await;
        let user = caller("u1", Role::Trader);
        for (request, word) in [
            (json!({ "kind": "train", "config": { "dataset": "nonsense" } }), "nonsense"),
            (json!({ "kind": "train", "config": [] }), "object"),
            (json!({ "kind": "backtest" }), "strategy"),
            (json!({ "kind": "audit", "signals": "../../etc/passwd", "dataset": "a/B-C/1h" }), "files"),
            (json!({ "kind": "unheard", "config": {} }), "unheard"),
            (json!({ "kind": "demo", "more": 1 }), "more"),
        ] {
            let (status, problem) = routes.post(&user, "/v1/jobs", &request).await;
            assert_eq!(status, StatusCode::BAD_REQUEST, "{request}");
            assert!(problem["detail"].as_str().unwrap().contains(word), "{problem}");
        }
        for _ in 0..MAX_UNFINISHED_JOBS {
            assert_eq!(routes.post(&user, "/v1/jobs", &json!({ "kind": "check" })).await.0, StatusCode::CREATED);
        }
        let (status, problem) = routes.post(&user, "/v1/jobs", &json!({ "kind": "check" })).await;
        assert_eq!((status, &problem["code"]), (StatusCode::TOO_MANY_REQUESTS, &json!("quota")));
    }
}
