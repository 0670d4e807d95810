//! Runs: the catalogue, and what each run's folder holds.

#![allow(unused_qualifications, reason = "utoipa::path writes the paths of parameters out")]

use std::collections::BTreeMap;
use std::path::PathBuf;

use assay_jobs::time_text::format_utc;
use assay_store::database::RunRow;
use assay_store::{RunFolder, StoreError, Vault};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::AsyncReadExt as _;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::jobs::visible_owner;
use crate::access::{Caller, Role, Scope};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Bytes of a file that are in memory at once.
const CHUNK: usize = 64 << 10;
/// Bytes that tell whether a file is sealed.
const SEAL_HEAD: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(show))
        .routes(routes!(equity))
        .routes(routes!(curves))
        .routes(routes!(artefact))
}

/// A run as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct Run {
    /// Its id, 32 hexadecimal digits.
    run_id: String,
    /// The user whose it is.
    owner: String,
    /// The job that made it, if one did.
    #[schema(required)]
    job_id: Option<String>,
    /// Algorithm, dataset, seed, state, hashes and test metrics.
    #[schema(value_type = Object)]
    summary: Value,
    /// When it became known, ISO-8601 UTC.
    created_at: String,
    /// When the row was last written.
    updated_at: String,
}

/// A run with everything that pins it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct RunDetail {
    #[serde(flatten)]
    run: Run,
    /// The full config; null before it was written.
    #[schema(value_type = Option<Object>, required)]
    config: Value,
    /// What its hashes pin.
    #[schema(value_type = Option<Object>, required)]
    pins: Value,
    /// Content ids of its artefacts by file name; null until it is done.
    #[schema(value_type = Option<Object>, required)]
    artefacts: Value,
    /// The test evaluation; null until it is done.
    #[schema(value_type = Option<Object>, required)]
    evaluation: Value,
}

impl From<RunRow> for Run {
    fn from(row: RunRow) -> Self {
        Self {
            summary: serde_json::from_str(&row.summary).unwrap_or(Value::Null),
            created_at: format_utc(row.created_at),
            updated_at: format_utc(row.updated_at),
            run_id: row.run_id,
            owner: row.owner,
            job_id: row.job_id,
        }
    }
}

/// Runs, newest first: one's own, or everyone's for owners.
#[utoipa::path(get, path = "/v1/runs", tag = "runs", params(PageQuery), responses(
    (status = 200, description = "A page of them", body = Page<Run>),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<Run>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    let runs = state.platform.runs(visible_owner(&caller).as_deref(), paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(runs, |run| run.number, Run::from)))
}

/// The run, if there is one that the caller may see, and its folder.
async fn find(state: &ServerState, caller: &Caller, run_id: &str) -> Result<(RunRow, RunFolder), Problem> {
    caller.require(Scope::Read)?;
    let row = state.platform.run(run_id).await?.filter(|row| caller.may_see(&row.owner));
    let row = row.ok_or_else(|| Problem::not_found("run", run_id))?;
    // The id is one of the catalogue, so that it cannot lead out of the folder of runs.
    let folder = state.settings.home.runs().folder(&row.run_id);
    Ok((row, folder))
}

/// The whole id of the run that `prefix` names in `field` of a request, if the caller may use it.
pub(crate) async fn usable_run(
    state: &ServerState,
    caller: &Caller,
    field: &str,
    prefix: &str,
) -> Result<String, Problem> {
    let missing = || {
        let prefix: String = prefix.chars().take(64).collect();
        Problem::new(Code::BadRequest, format!("there is no run `{prefix}` of yours")).field(field)
    };
    let run_id = match state.settings.home.runs().find(prefix) {
        Ok(folder) => folder.run_id().to_owned(),
        Err(StoreError::NotFound { .. }) => return Err(missing()),
        Err(error) => return Err(Problem::from(error).field(field)),
    };
    // Runs that the catalogue does not know were made here by the machine's own user.
    let owner = state.platform.run(&run_id).await?.map(|row| row.owner);
    let is_usable = owner.map_or(caller.role == Role::Owner, |owner| caller.may_see(&owner));
    is_usable.then_some(run_id).ok_or_else(missing)
}

/// One run with its config, pins, artefacts and evaluation.
#[utoipa::path(get, path = "/v1/runs/{run_id}", tag = "runs", params(("run_id" = String, Path)), responses(
    (status = 200, description = "The run", body = RunDetail),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(run_id): ApiPath<String>,
) -> Result<ApiJson<RunDetail>, Problem> {
    let (row, folder) = find(&state, &caller, &run_id).await?;
    Ok(ApiJson(RunDetail {
        config: json(&folder, "config.json").await,
        pins: json(&folder, "pins.json").await,
        artefacts: json(&folder, "artefacts.json").await,
        evaluation: json(&folder, "metrics.json").await,
        run: row.into(),
    }))
}

/// A JSON file of the run; null where there is none yet.
async fn json(folder: &RunFolder, name: &str) -> Value {
    let bytes = tokio::fs::read(folder.file(name)).await.unwrap_or_default();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

/// How a table is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// An object.
    Json,
    /// Lines with a head.
    Csv,
}

/// How a table is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TableQuery {
    /// `json` or `csv`; the header `Accept` decides when it is left out.
    #[param(inline)]
    format: Option<Format>,
}

impl TableQuery {
    fn is_csv(&self, headers: &HeaderMap) -> bool {
        let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        self.format.map_or_else(|| accepted.contains("text/csv"), |format| format == Format::Csv)
    }
}

/// An equity curve.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct EquityCurve {
    /// The run.
    run_id: String,
    /// Hash of the curve.
    #[schema(required)]
    equity_hash: Option<String>,
    /// The curve, ascending in time.
    points: Vec<CurvePoint>,
}

/// Equity at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct CurvePoint {
    /// When, ISO-8601 UTC.
    time: String,
    /// Equity in the quote currency of the run's dataset, decimal text.
    equity: String,
}

/// The equity curve on the test split.
#[utoipa::path(get, path = "/v1/runs/{run_id}/equity", tag = "runs",
    params(("run_id" = String, Path), TableQuery), responses(
    (status = 200, description = "The curve", content(
        (EquityCurve = "application/json"), (String = "text/csv"),
    )),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn equity(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(run_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<TableQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (row, folder) = find(&state, &caller, &run_id).await?;
    if query.is_csv(&headers) {
        return file(folder.file("equity.csv"), "text/csv", &unfinished(&row)).await;
    }
    let text = read(&folder, "equity.csv", &unfinished(&row)).await?;
    let point = |line: &str| {
        let (time, equity) = line.split_once(',')?;
        Some(CurvePoint { time: format_utc(time.parse().ok()?), equity: equity.to_owned() })
    };
    let summary: Value = serde_json::from_str(&row.summary).unwrap_or(Value::Null);
    let equity_hash = summary["equity_hash"].as_str().map(str::to_owned);
    let points = text.lines().skip(1).filter_map(point).collect();
    Ok(ApiJson(EquityCurve { run_id: row.run_id, equity_hash, points }).into_response())
}

/// Training curves.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Curves {
    /// The run.
    run_id: String,
    /// Names of the columns; the first is the count of environment steps.
    columns: Vec<String>,
    /// Rows of numbers; null where a column has none.
    rows: Vec<Vec<Option<f64>>>,
}

/// The training curves up to the last checkpoint.
#[utoipa::path(get, path = "/v1/runs/{run_id}/curves", tag = "runs",
    params(("run_id" = String, Path), TableQuery), responses(
    (status = 200, description = "The curves", content((Curves = "application/json"), (String = "text/csv"))),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn curves(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(run_id): ApiPath<String>,
    ApiQuery(query): ApiQuery<TableQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (row, folder) = find(&state, &caller, &run_id).await?;
    if query.is_csv(&headers) {
        return file(folder.file("curves.csv"), "text/csv", &unfinished(&row)).await;
    }
    let text = read(&folder, "curves.csv", &unfinished(&row)).await?;
    let mut lines = text.lines();
    let columns = lines.next().unwrap_or_default().split(',').map(str::to_owned).collect();
    let rows = lines.map(|line| line.split(',').map(|cell| cell.parse().ok()).collect()).collect();
    Ok(ApiJson(Curves { run_id: row.run_id, columns, rows }).into_response())
}

/// One of the run's artefacts by its file name.
#[utoipa::path(get, path = "/v1/runs/{run_id}/artefacts/{name}", tag = "runs",
    params(("run_id" = String, Path), ("name" = String, Path)), responses(
    (status = 200, description = "The file", content(
        (Vec<u8> = "application/octet-stream"),
        (Value = "application/json"),
        (String = "text/csv"),
        (String = "text/html"),
        (String = "text/plain"),
    )),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn artefact(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath((run_id, name)): ApiPath<(String, String)>,
) -> Result<Response, Problem> {
    let (_, folder) = find(&state, &caller, &run_id).await?;
    let listed: BTreeMap<String, Value> =
        serde_json::from_value(json(&folder, "artefacts.json").await).unwrap_or_default();
    // Only names that the run itself has listed are files; a path never is.
    let is_file = listed.contains_key(&name) && !name.contains(['/', '\\']) && !name.starts_with('.');
    let missing = Problem::not_found("artefact", &name);
    if !is_file {
        return Err(missing);
    }
    let kind = match name.rsplit('.').next().unwrap_or_default() {
        "json" => "application/json",
        "csv" => "text/csv",
        "html" => "text/html; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    };
    if is_sealed(&folder, &name).await {
        // Sealed with its private model; whoever may see the run is given what it says.
        let opened = tokio::task::spawn_blocking(move || folder.read(&name)).await;
        let opened = opened.map_err(|error| Problem::new(Code::Internal, format!("a thread ended early: {error}")))?;
        let mut response = Response::new(Body::from(opened?));
        set_headers(&mut response, kind);
        return Ok(response);
    }
    file(folder.file(&name), kind, &missing).await
}

/// Whether a file of the run is sealed.
async fn is_sealed(folder: &RunFolder, name: &str) -> bool {
    let mut head = Vec::with_capacity(SEAL_HEAD);
    match tokio::fs::File::open(folder.file(name)).await {
        Ok(file) => file.take(SEAL_HEAD as u64).read_to_end(&mut head).await.is_ok() && Vault::is_sealed(&head),
        Err(_) => false,
    }
}

fn unfinished(row: &RunRow) -> Problem {
    Problem::new(Code::NotFound, format!("run {} has none yet: it is not finished", row.run_id))
}

async fn read(folder: &RunFolder, name: &str, missing: &Problem) -> Result<String, Problem> {
    tokio::fs::read_to_string(folder.file(name)).await.map_err(|_| missing.clone())
}

/// A file, read as the client takes it.
async fn file(path: PathBuf, kind: &'static str, missing: &Problem) -> Result<Response, Problem> {
    let file = tokio::fs::File::open(&path).await.map_err(|_| missing.clone())?;
    let length = file.metadata().await.map_err(|_| missing.clone())?.len();
    let chunks = futures::stream::try_unfold(file, |mut file| async move {
        let mut chunk = vec![0; CHUNK];
        let read = file.read(&mut chunk).await?;
        chunk.truncate(read);
        Ok::<_, std::io::Error>((read > 0).then(|| (Bytes::from(chunk), file)))
    });
    let mut response = Response::new(Body::from_stream(chunks));
    set_headers(&mut response, kind);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    Ok(response)
}

fn set_headers(response: &mut Response, kind: &'static str) {
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A page of a run is shown, but reaches nothing of this server's.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox allow-scripts"));
}

#[cfg(test)]
mod tests {
    use assay_store::database::RunRow;
    use axum::http::StatusCode;
    use serde_json::json;

    use super::*;
    use crate::testing::{Routes, caller};

    const RUN: &str = "00112233445566778899aabbccddeeff";

    async fn with_run() -> Routes {
        let routes = Routes::start().await;
        let folder = routes.state.settings.home.runs().folder(RUN);
        folder.write("equity.csv", b"time_ms,equity\n0,10000.00000000\n3600000,10001.5\n").unwrap();
        folder.write("curves.csv", b"timesteps,reward\n128,0.5\n256,\n").unwrap();
        folder.write("artefacts.json", br#"{"equity.csv":"cid","../secret":"cid"}"#).unwrap();
        let summary = json!({ "run_id": RUN, "equity_hash": "ab" }).to_string();
        let row = RunRow::new(RUN.into(), "u1".into(), None, summary, 5);
        routes.state.platform.put_runs(&[row], 5).await.unwrap();
        routes
    }

    #[tokio::test]
    async fn tables_come_as_json_and_as_csv() {
        let routes = with_run().await;
        let user = caller("u1", Role::Viewer);
        let (status, curve) = routes.get(&user, &format!("/v1/runs/{RUN}/equity")).await;
        assert_eq!((status, &curve["equity_hash"]), (StatusCode::OK, &json!("ab")));
        assert_eq!(curve["points"][1], json!({ "time": "1970-01-01T01:00:00Z", "equity": "10001.5" }));
        let (_, text) = routes.get(&user, &format!("/v1/runs/{RUN}/equity?format=csv")).await;
        assert!(text.as_str().unwrap().starts_with("time_ms,equity\n"), "{text}");
        let (_, curves) = routes.get(&user, &format!("/v1/runs/{RUN}/curves")).await;
        assert_eq!(curves["rows"], json!([[128.0, 0.5], [256.0, null]]));
        let (_, shown) = routes.get(&user, &format!("/v1/runs/{RUN}")).await;
        assert_eq!((&shown["run_id"], &shown["config"]), (&json!(RUN), &Value::Null));
        let (_, page) = routes.get(&user, "/v1/runs").await;
        assert_eq!(page["items"][0]["summary"]["equity_hash"], "ab");
    }

    #[tokio::test]
    async fn what_is_sealed_at_rest_is_given_opened_to_its_owner_alone() {
        let routes = with_run().await;
        let folder = routes.state.settings.home.runs().folder(RUN);
        let weights: Vec<u8> = (0..200_000_u32).map(|number| (number % 251) as u8).collect();
        folder.write("weights.safetensors", &weights).unwrap();
        folder.write("policy.json", br#"{"layers":[]}"#).unwrap();
        folder.write("artefacts.json", br#"{"weights.safetensors":"cid","policy.json":"cid"}"#).unwrap();
        let path = |name: &str| format!("/v1/runs/{RUN}/artefacts/{name}");
        let user = caller("u1", Role::Viewer);
        let before = routes.get(&user, &path("weights.safetensors")).await;
        for name in ["weights.safetensors", "policy.json"] {
            folder.seal(name).unwrap();
            let at_rest = std::fs::read(folder.file(name)).unwrap();
            assert!(Vault::is_sealed(&at_rest), "{name}");
        }
        assert_eq!(routes.get(&user, &path("weights.safetensors")).await, before);
        assert_eq!(routes.get(&user, &path("policy.json")).await, (StatusCode::OK, json!({ "layers": [] })));
        for name in ["weights.safetensors", "policy.json"] {
            let other = routes.get(&caller("u2", Role::Trader), &path(name)).await;
            assert_eq!(other.0, StatusCode::NOT_FOUND);
        }
    }

    #[tokio::test]
    async fn only_listed_artefacts_are_given_and_only_to_those_who_may_see_the_run() {
        let routes = with_run().await;
        std::fs::write(routes.state.settings.home.path().join("runs/secret"), "s").unwrap();
        let user = caller("u1", Role::Viewer);
        let path = format!("/v1/runs/{RUN}/artefacts");
        assert_eq!(routes.get(&user, &format!("{path}/equity.csv")).await.0, StatusCode::OK);
        for name in ["..%2Fsecret", "%2e%2e%2fsecret", "run.json", "curves.csv", "..", "x%00"] {
            assert_eq!(routes.get(&user, &format!("{path}/{name}")).await.0, StatusCode::NOT_FOUND, "{name}");
        }
        let other = caller("u2", Role::Trader);
        for tail in ["", "/equity", "/curves", "/artefacts/equity.csv"] {
            assert_eq!(routes.get(&other, &format!("/v1/runs/{RUN}{tail}")).await.0, StatusCode::NOT_FOUND, "{tail}");
        }
        assert_eq!(routes.get(&other, "/v1/runs").await.1["items"], json!([]));
    }
}
