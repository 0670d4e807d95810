//! One address for everything that has an id: runs, models, jobs, streams, signals, rounds, miners,
//! datasets, artefacts and the hashes that pin them, each with the way back to its data.

use assay_jobs::jobs::show::{Shown, show};
use assay_jobs::{JobError, Workspace};
use assay_registry::ContentId;
use assay_store::StoreError;
use assay_store::database::{RoundMode, StoredSignal, StreamMode};
use assay_types::Hash;
use axum::extract::State;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::api::liquidity::{LiquidityJob, MinerLine, RoundLine};
use crate::api::models::{ModelLine, card, reader, visible};
use crate::audience::hearing;
use crate::extract::{ApiJson, ApiPath};
use crate::problem::{Code, Problem};
use crate::quiet::Quiet;
use crate::state::ServerState;

/// The longest text that is looked up.
const MAX_ID: usize = 200;
/// Signals of one `sig_hash` that are looked at.
const MAX_SIGNALS_OF_HASH: u32 = 100;
/// Digits that begin an id at least.
const MIN_PREFIX: usize = 4;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(open))
}

/// What an id stands for.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Found {
    /// `run`, `model`, `object`, `pinned`, `job`, `stream`, `signal`, `round`, `liquidity_job`, `miner` or `dataset`.
    kind: &'static str,
    /// Its full id.
    id: String,
    /// It, as its own page shows it.
    #[schema(value_type = Object)]
    summary: Value,
    /// The way back to the data, at most four steps.
    lineage: Vec<Step>,
}

/// One step on the way back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
struct Step {
    /// What it is.
    kind: &'static str,
    /// Its id, which this address opens too.
    id: String,
}

/// Opens any id, hash or address.
#[utoipa::path(get, path = "/v1/show/{id}", tag = "start",
    params(("id" = String, Path, description = "A run's, model's, job's, stream's, round's or miner's id or its first digits, a signal as MODEL:SEQ, a content id, any hash, or a dataset with `:` for `/`")),
    responses(
    (status = 200, description = "What it stands for", body = Found),
    (status = 400, description = "The id does not fit, or means several things", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "Nothing is known under it", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "It is damaged", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn open(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(id): ApiPath<String>,
) -> Result<ApiJson<Found>, Problem> {
    caller.require(Scope::Read)?;
    let nothing = || Problem::not_found("id", &id.chars().take(MAX_ID).collect::<String>());
    let plain = id.trim();
    if plain.is_empty() || plain.len() > MAX_ID || plain.contains('\0') {
        return Err(nothing());
    }
    if let Some(found) = known(&state, &caller, plain).await? {
        return Ok(ApiJson(found));
    }
    let hash = plain.parse::<ContentId>().map(ContentId::hash).or_else(|_| plain.parse::<Hash>()).ok();
    let is_prefix = (MIN_PREFIX..=32).contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_hexdigit());
    let found = if hash.is_some() || is_prefix { stored(&state, &caller, plain).await? } else { None };
    found.map(ApiJson).ok_or_else(nothing)
}

/// What the databases know by exactly that id.
async fn known(state: &ServerState, caller: &Caller, id: &str) -> Result<Option<Found>, Problem> {
    if let Some(found) = model(state, caller, id).await? {
        return Ok(Some(found));
    }
    if let Some(found) = job_or_stream(state, caller, id).await? {
        return Ok(Some(found));
    }
    if let Some(found) = signal(state, caller, id).await? {
        return Ok(Some(found));
    }
    match liquidity(state, id).await? {
        Some(found) => Ok(Some(found)),
        None => dataset(state, id).await,
    }
}

async fn model(state: &ServerState, caller: &Caller, id: &str) -> Result<Option<Found>, Problem> {
    let hash = id.parse::<ContentId>().map(|id| id.hash().to_string()).unwrap_or_else(|_| id.to_owned());
    let Ok(row) = visible(state, caller, &hash).await else { return Ok(None) };
    let card = card(&row)?;
    let lineage = steps(&[
        ("run", &card.lineage.run_id),
        ("features", &card.lineage.feature_hash),
        ("data", &card.lineage.data_hash),
    ]);
    let id = card.model_id.clone();
    Ok(Some(Found { kind: "model", id, summary: value(&ModelLine::of(card)), lineage }))
}

async fn job_or_stream(state: &ServerState, caller: &Caller, id: &str) -> Result<Option<Found>, Problem> {
    if let Some(job) = state.platform.job(id).await?.filter(|job| caller.may_see(&job.owner)) {
        let request: Value = serde_json::from_str(&job.request).unwrap_or(Value::Null);
        let summary =
            json!({ "job_id": job.job_id, "kind": job.kind, "status": job.status.name(), "request": request });
        return Ok(Some(Found { kind: "job", id: job.job_id, summary, lineage: Vec::new() }));
    }
    let Some(stream) = state.platform.stream(id).await? else { return Ok(None) };
    let model = visible(state, caller, &stream.model_id).await;
    let is_seen = caller.may_see(&stream.owner) || (stream.mode.name() == "live" && model.is_ok());
    if !is_seen {
        return Ok(None);
    }
    let mut lineage = steps(&[("model", &stream.model_id), ("run", &stream.run_id)]);
    if let Ok(card) = model.and_then(|row| card(&row)) {
        lineage.extend(steps(&[("features", &card.lineage.feature_hash), ("data", &card.lineage.data_hash)]));
    }
    let summary = json!({
        "stream_id": stream.stream_id, "model_id": stream.model_id, "mode": stream.mode.name(),
        "status": stream.status.name(), "reason": stream.reason,
    });
    Ok(Some(Found { kind: "stream", id: stream.stream_id, summary, lineage }))
}

/// The signal `MODEL:SEQ`, or one whose `sig_hash` that is: models that say the same at one close
/// share it, and the first that the caller may hear is opened, with the ids of the others.
async fn signal(state: &ServerState, caller: &Caller, id: &str) -> Result<Option<Found>, Problem> {
    let found = match (id.split_once(':'), id.parse::<Hash>()) {
        (Some((model_id, seq)), _) => match seq.parse::<u64>() {
            Ok(seq) => state.platform.signals_from(model_id, seq, 1).await?,
            Err(_) => return Ok(None),
        },
        (None, Ok(hash)) => state.platform.signals_by_hash(&hash, MAX_SIGNALS_OF_HASH).await?,
        (None, Err(_)) => return Ok(None),
    };
    let mut heard = Vec::new();
    for signal in found {
        let hearing = match hearing(state, caller, &signal.model_id).await {
            Ok(hearing) => hearing,
            Err(problem) if problem.code == Code::NotFound => continue,
            Err(problem) => return Err(problem),
        };
        let is_asked = id.split_once(':').is_none_or(|(_, seq)| seq == signal.seq.to_string());
        if is_asked && (signal.mode == StreamMode::Live || hearing.hears_paper) {
            heard.push(signal);
        }
    }
    let others: Vec<String> = heard.iter().skip(1).map(signal_id).collect();
    let Some(signal) = heard.into_iter().next() else { return Ok(None) };
    let Some(stream) = state.platform.stream(&signal.stream_id).await? else { return Ok(None) };
    let (features, data) = pins_of(state, &stream.run_id).await?;
    let lineage = steps(&[
        ("model", signal.model_id.as_str()),
        ("run", &stream.run_id),
        ("features", &features),
        ("data", &data),
    ]);
    let said: Value = serde_json::from_str(&signal.signal).unwrap_or(Value::Null);
    let summary = json!({
        "signal": said, "mode": signal.mode.name(), "stream_id": signal.stream_id, "same_hash": others,
    });
    Ok(Some(Found { kind: "signal", id: signal_id(&signal), summary, lineage }))
}

fn signal_id(signal: &StoredSignal) -> String {
    format!("{}:{}", signal.model_id, signal.seq)
}

/// Hashes of the features and the data that a run of the home is pinned to; empty when it is not there.
async fn pins_of(state: &ServerState, run_id: &str) -> Result<(String, String), Problem> {
    let Some(Shown::Run(run)) = look_up(state, run_id).await? else { return Ok(Default::default()) };
    let pins = value(&run.pins);
    let text = |name: &str| pins[name].as_str().unwrap_or_default().to_owned();
    Ok((text("feature_hash"), text("data_hash")))
}

async fn liquidity(state: &ServerState, id: &str) -> Result<Option<Found>, Problem> {
    for mode in [RoundMode::Follow, RoundMode::Practice] {
        if let Some(round) = state.liquidity.round(id, mode).await? {
            let lineage = steps(&[("liquidity_job", &round.job_id)]);
            return Ok(Some(Found {
                kind: "round",
                id: round.round_id.clone(),
                summary: value(&RoundLine::of(&round)),
                lineage,
            }));
        }
    }
    if let Some(job) = state.liquidity.job(id).await? {
        let id = job.job_id.clone();
        return Ok(Some(Found {
            kind: "liquidity_job",
            id,
            summary: value(&LiquidityJob::of(job)),
            lineage: Vec::new(),
        }));
    }
    let miners = state.liquidity.miners().await?;
    let plain = id.strip_prefix("0x").unwrap_or(id);
    let found = miners.into_iter().find(|row| row.miner.trim_start_matches("0x").eq_ignore_ascii_case(plain));
    Ok(found.map(|row| Found {
        kind: "miner",
        id: row.miner.clone(),
        summary: value(&MinerLine::of(row)),
        lineage: Vec::new(),
    }))
}

async fn dataset(state: &ServerState, id: &str) -> Result<Option<Found>, Problem> {
    let Some(row) = state.platform.dataset(&id.replace(':', "/")).await? else { return Ok(None) };
    let summary = serde_json::from_str(&row.summary).unwrap_or_else(|_| json!({}));
    Ok(Some(Found { kind: "dataset", id: row.dataset, summary, lineage: Vec::new() }))
}

/// A run, an artefact or a hash that runs are pinned to, of the home folder.
async fn stored(state: &ServerState, caller: &Caller, id: &str) -> Result<Option<Found>, Problem> {
    let Some(shown) = look_up(state, id).await? else { return Ok(None) };
    match shown {
        Shown::Run(run) => {
            let run_id = run.line.summary.run_id.clone();
            if !is_visible(state, caller, &run_id).await? {
                return Ok(None);
            }
            let pins = value(&run.pins);
            let text = |name: &str| pins[name].as_str().unwrap_or_default().to_owned();
            let lineage = steps(&[("features", &text("feature_hash")), ("data", &text("data_hash"))]);
            let mut summary = value(&run);
            // Where things lie on this machine is nobody's business over the network.
            if let Some(fields) = summary.as_object_mut() {
                fields.remove("path");
            }
            Ok(Some(Found { kind: "run", id: run_id, summary, lineage }))
        }
        Shown::Object { content_id, sha256, bytes, artefact_of, .. } => {
            let uses = visible_uses(state, caller, artefact_of).await?;
            let lineage = uses.iter().take(1).map(|[run, _]| Step { kind: "run", id: run.clone() }).collect();
            let summary = json!({ "content_id": content_id, "sha256": sha256, "bytes": bytes, "artefact_of": uses });
            Ok((!uses.is_empty()).then_some(Found { kind: "object", id: content_id, summary, lineage }))
        }
        Shown::Pinned { hash, runs } => {
            let uses = visible_uses(state, caller, runs).await?;
            let lineage = uses.iter().take(1).map(|[run, _]| Step { kind: "run", id: run.clone() }).collect();
            let summary = json!({ "hash": hash, "runs": uses });
            Ok((!uses.is_empty()).then_some(Found { kind: "pinned", id: hash.to_string(), summary, lineage }))
        }
    }
}

/// What the home folder has under that id.
async fn look_up(state: &ServerState, id: &str) -> Result<Option<Shown>, Problem> {
    let (home, lake, asked) = (state.settings.home.clone(), state.settings.lake.clone(), id.to_owned());
    let shown = tokio::task::spawn_blocking(move || {
        let workspace = Workspace::open(home.path(), lake.as_deref(), &Quiet, 1, false)?;
        show(&workspace, &asked)
    });
    match shown.await {
        Ok(Err(JobError::Store(StoreError::NotFound { .. }) | JobError::NotFound(_))) => Ok(None),
        Ok(shown) => Ok(Some(shown?)),
        Err(error) => {
            tracing::error!(%error, "a look-up did not end");
            Ok(None)
        }
    }
}

async fn visible_uses(
    state: &ServerState,
    caller: &Caller,
    uses: Vec<[String; 2]>,
) -> Result<Vec<[String; 2]>, Problem> {
    let mut seen = Vec::new();
    for [run, name] in uses {
        if is_visible(state, caller, &run).await? {
            seen.push([run, name]);
        }
    }
    Ok(seen)
}

/// Whether the caller may see a run: their own, or one that a model they may see came from.
/// A run of the command line belongs to whoever runs the machine.
async fn is_visible(state: &ServerState, caller: &Caller, run_id: &str) -> Result<bool, Problem> {
    let owner = state.platform.run(run_id).await?.map_or_else(String::new, |run| run.owner);
    Ok(caller.may_see(&owner) || !state.platform.models_of_run(reader(caller), run_id).await?.is_empty())
}

fn steps(steps: &[(&'static str, &str)]) -> Vec<Step> {
    let known = steps.iter().filter(|(_, id)| !id.is_empty());
    known.map(|(kind, id)| Step { kind, id: (*id).to_owned() }).collect()
}

fn value<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests {
    use assay_store::database::{NewStream, RunRow};

    use super::*;
    use crate::access::Role;
    use crate::testing::{MODEL, RUN, Routes, caller};

    async fn routes(is_private: bool) -> Routes {
        let routes = Routes::start().await;
        let database = &routes.state.platform;
        let run = RunRow::new(RUN.to_owned(), "ann".to_owned(), None, "{}".to_owned(), 1);
        database.put_runs(&[run], 1).await.unwrap();
        routes.store_model(MODEL, "ann", is_private).await;
        let stream = NewStream {
            stream_id: "s_1".to_owned(),
            model_id: MODEL.to_owned(),
            run_id: RUN.to_owned(),
            owner: "ann".to_owned(),
            source: "{}".to_owned(),
            feed: "f".to_owned(),
            limits: "{}".to_owned(),
            after: None,
        };
        database.insert_stream(&stream, 100, 1).await.unwrap();
        // The run as the home folder has it.
        let summary = json!({ "run_id": RUN, "status": "done", "attempts": 1, "algorithm": "ppo", "dataset": "a/B-C/1h",
            "seed": 1, "created_at_ms": 1, "timesteps": 1, "weights_hash": MODEL, "equity_hash": null,
            "final_equity": null, "artefacts_hash": null });
        let folder = routes.state.settings.home.runs().folder(RUN);
        folder.write("run.json", summary.to_string().as_bytes()).unwrap();
        folder.write("config.json", b"{}").unwrap();
        routes
    }

    #[tokio::test]
    async fn the_way_back_to_the_data_has_four_steps_at_most() {
        let routes = routes(false).await;
        let ann = caller("ann", Role::Trader);
        let content_id = ContentId::from_hash(MODEL.parse().unwrap()).to_string();
        for (id, kind) in
            [(MODEL, "model"), (&content_id, "model"), ("s_1", "stream"), (RUN, "run"), (&RUN[..8], "run")]
        {
            let (status, found) = routes.get(&ann, &format!("/v1/show/{id}")).await;
            assert_eq!((status.as_u16(), &found["kind"]), (200, &json!(kind)), "{id}: {found}");
            assert!(found["lineage"].as_array().unwrap().len() <= 4);
            let home = routes.state.settings.home.path().display().to_string();
            assert!(!found.to_string().contains(&home), "{found}");
        }
        let (_, stream) = routes.get(&ann, "/v1/show/s_1").await;
        let kinds: Vec<&str> =
            stream["lineage"].as_array().unwrap().iter().map(|step| step["kind"].as_str().unwrap()).collect();
        assert_eq!(kinds[..2], ["model", "run"]);
        for id in ["nothing", "ffff", "%20", "a%00b", &"f".repeat(64), &"x".repeat(500), "..%2F..%2Fetc%2Fpasswd"] {
            assert_eq!(routes.get(&ann, &format!("/v1/show/{id}")).await.0, 404, "{id}");
        }
    }

    #[tokio::test]
    async fn what_others_keep_to_themselves_is_not_found() {
        for (is_private, status) in [(true, 404), (false, 200)] {
            let routes = routes(is_private).await;
            let bob = caller("bob", Role::Trader);
            for id in [MODEL, RUN] {
                assert_eq!(routes.get(&bob, &format!("/v1/show/{id}")).await.0, status, "{id} of ann");
            }
            assert_eq!(routes.get(&bob, "/v1/show/s_1").await.0, 404, "a paper stream is its owner's");
        }
    }
}
