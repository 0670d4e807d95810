//! The local registry: models published, shown, proven.

use assay_jobs::jobs::models::{
    Card, CardFile, MAX_FEE_BPS, MAX_NAME, Publish, Published, Registry, Verified, verify_model,
};
use assay_jobs::{JobError, Workspace};
use assay_store::database::{ModelRow, Reader};
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::runs::usable_run;
use crate::access::{Caller, Role, Scope};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery};
use crate::problem::{Code, Problem};
use crate::quiet::Quiet;
use crate::state::ServerState;

/// Publications and verifications at once; each replays a test split.
pub(crate) const MAX_PROOFS: usize = 2;
/// The longest id that is looked up.
const MAX_ID: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(list, publish))
        .routes(routes!(show))
        .routes(routes!(files))
        .routes(routes!(verify))
}

/// A model as lists show it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(crate) struct ModelLine {
    /// SHA-256 of the weights.
    pub model_id: String,
    /// What its owner calls it.
    pub name: String,
    /// The user who published it.
    pub owner: String,
    /// `public` or `private`.
    pub visibility: String,
    /// The run that made it.
    pub run_id: String,
    /// The dataset of that run.
    pub dataset: String,
    /// The algorithm that trained it.
    pub algorithm: String,
    /// What listeners pay, in basis points.
    pub fee_bps: u32,
    /// Return on the test split, as a fraction; null where undefined.
    #[schema(required)]
    pub total_return: Option<f64>,
    /// Sharpe ratio on the test split, annualised; null where undefined.
    #[schema(required)]
    pub sharpe: Option<f64>,
    /// The score as decimal text; null while it has none.
    #[schema(required)]
    pub score: Option<String>,
    /// When it was published, ISO-8601 UTC.
    pub published_at: String,
}

impl ModelLine {
    pub(crate) fn of(card: Card) -> Self {
        Self {
            total_return: card.metrics["total_return"].as_f64(),
            sharpe: card.metrics["sharpe"].as_f64(),
            model_id: card.model_id,
            name: card.name,
            owner: card.owner,
            visibility: card.visibility,
            run_id: card.lineage.run_id,
            dataset: card.lineage.dataset,
            algorithm: card.algorithm,
            fee_bps: card.fee_bps,
            score: card.score.value,
            published_at: card.published_at,
        }
    }
}

/// Whose models the caller may see.
pub(crate) fn reader(caller: &Caller) -> Reader<'_> {
    if caller.role == Role::Owner && caller.scopes.contains(&Scope::Admin) {
        Reader::All
    } else {
        Reader::User(&caller.user_id)
    }
}

/// The model with exactly that id, if the caller may see it.
pub(crate) async fn visible(state: &ServerState, caller: &Caller, model_id: &str) -> Result<ModelRow, Problem> {
    caller.require(Scope::Read)?;
    let found = if is_hash(model_id) { state.platform.model(&model_id.to_ascii_lowercase()).await? } else { None };
    let seen = found.filter(|model| !model.is_private || caller.may_see(&model.owner));
    seen.ok_or_else(|| Problem::not_found("model", &shortened(model_id)))
}

fn is_hash(text: &str) -> bool {
    text.len() == MAX_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_ID).collect()
}

pub(crate) fn card(row: &ModelRow) -> Result<Card, Problem> {
    serde_json::from_str(&row.card).map_err(|error| {
        tracing::error!(model = row.model_id, %error, "a stored card does not read");
        Problem::new(Code::Internal, format!("the card of model {} does not read", row.model_id))
    })
}

/// Models, newest first. Private ones are listed to their owner alone.
#[utoipa::path(get, path = "/v1/models", tag = "models", params(PageQuery), responses(
    (status = 200, description = "A page of models", body = Page<ModelLine>),
    (status = 400, description = "The query does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<ModelLine>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    let rows = state.platform.models(reader(&caller), paging.after, paging.fetch()).await?;
    let rows = rows.iter().map(|row| Ok((row.number, card(row)?))).collect::<Result<Vec<_>, Problem>>()?;
    Ok(ApiJson(paging.page(rows, |row| row.0, |row| ModelLine::of(row.1))))
}

/// What to publish.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PublishRequest {
    /// The run: 32 hexadecimal digits, or the first of them.
    #[schema(min_length = 1, max_length = 64)]
    run_id: String,
    /// What to call the model.
    #[schema(min_length = 1, max_length = 80)]
    name: String,
    /// Whether its owner alone may see it; its artefacts are then sealed.
    #[serde(default)]
    private: bool,
    /// What listeners pay, in basis points.
    #[serde(default)]
    #[schema(maximum = 10000)]
    fee_bps: u32,
}

const _: () = assert!(MAX_NAME == 80 && MAX_FEE_BPS == 10_000, "the schema says so");

/// Publishes a finished run. Weights are published once.
#[utoipa::path(post, path = "/v1/models", tag = "models", request_body = PublishRequest, responses(
    (status = 201, description = "Published", body = Published),
    (status = 400, description = "The run, the name or the fee does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such run", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The weights are published already", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A file of the run is damaged", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many proofs at once", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn publish(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(request): ApiJson<PublishRequest>,
) -> Result<(StatusCode, ApiJson<Published>), Problem> {
    caller.require(Scope::Publish)?;
    let publish = Publish {
        run: usable_run(&state, &caller, "run_id", &request.run_id).await?,
        name: request.name,
        owner: caller.user_id,
        is_private: request.private,
        fee_bps: request.fee_bps,
    };
    let published =
        proof(state.clone(), move |state, workspace| publish.run(workspace, &Registry::served(&state.platform)));
    let published = published.await?;
    state.events_appended.notify_waiters();
    Ok((StatusCode::CREATED, ApiJson(published)))
}

/// A model's card.
#[utoipa::path(get, path = "/v1/models/{model_id}", tag = "models",
    params(("model_id" = String, Path, description = "SHA-256 of its weights")), responses(
    (status = 200, description = "The card", body = Card),
    (status = 400, description = "The path does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(model_id): ApiPath<String>,
) -> Result<ApiJson<Card>, Problem> {
    Ok(ApiJson(card(&visible(&state, &caller, &model_id).await?)?))
}

/// The artefacts of a model.
#[derive(Debug, Serialize, ToSchema)]
struct ModelFiles {
    /// The model.
    model_id: String,
    /// Its artefacts by name.
    files: Vec<CardFile>,
}

/// A model's artefacts with their content ids and sizes.
#[utoipa::path(get, path = "/v1/models/{model_id}/files", tag = "models",
    params(("model_id" = String, Path, description = "SHA-256 of its weights")), responses(
    (status = 200, description = "The artefacts", body = ModelFiles),
    (status = 400, description = "The path does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn files(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(model_id): ApiPath<String>,
) -> Result<ApiJson<ModelFiles>, Problem> {
    let card = card(&visible(&state, &caller, &model_id).await?)?;
    Ok(ApiJson(ModelFiles { model_id: card.model_id, files: card.files }))
}

/// Recomputes a model's hashes and replays its equity on the server's machine.
#[utoipa::path(post, path = "/v1/models/{model_id}/verify", tag = "models",
    params(("model_id" = String, Path, description = "SHA-256 of its weights")), responses(
    (status = 200, description = "What was found; `holds` says whether everything holds", body = Verified),
    (status = 400, description = "The path does not fit", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "No credential", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "The credential does not allow this", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "There is no such model, or its run is not on this machine", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "A file of the run is damaged", body = Problem, content_type = "application/problem+json"),
    (status = 429, description = "Too many proofs at once", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn verify(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(model_id): ApiPath<String>,
) -> Result<ApiJson<Verified>, Problem> {
    let card = card(&visible(&state, &caller, &model_id).await?)?;
    let verified = proof(state, move |_, workspace| verify_model(workspace, &card));
    Ok(ApiJson(verified.await?))
}

/// Does blocking work on the home folder, [`MAX_PROOFS`] at once.
async fn proof<T: Send + 'static>(
    state: ServerState,
    work: impl FnOnce(&ServerState, &Workspace<'_>) -> Result<T, JobError> + Send + 'static,
) -> Result<T, Problem> {
    static PROOFS: Semaphore = Semaphore::const_new(MAX_PROOFS);
    let Ok(permit) = PROOFS.try_acquire() else {
        let detail = format!("{MAX_PROOFS} models are being proven already; try again in a few seconds");
        return Err(Problem::new(Code::TooMany, detail));
    };
    let done = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let settings = &state.settings;
        let workspace = Workspace::open(settings.home.path(), settings.lake.as_deref(), &Quiet, 1, false)?;
        work(&state, &workspace)
    });
    match done.await {
        Ok(done) => Ok(done?),
        Err(error) => {
            tracing::error!(%error, "a proof did not end");
            Err(Problem::new(Code::Internal, "the work did not end; the log says why"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::access::Role;
    use crate::testing::{MODEL as ID, Routes, caller};

    #[tokio::test]
    async fn a_private_model_is_as_good_as_missing_to_others() {
        let routes = Routes::start().await;
        let public = ID.replace('0', "f");
        routes.store_model(ID, "ann", true).await;
        routes.store_model(&public, "ann", false).await;
        let (ann, bob) = (caller("ann", Role::Trader), caller("bob", Role::Trader));
        let owner = caller("root", Role::Owner);
        for (who, expected) in [(&ann, 200), (&bob, 404), (&owner, 200)] {
            for path in [format!("/v1/models/{ID}"), format!("/v1/models/{ID}/files")] {
                assert_eq!(routes.get(who, &path).await.0, expected, "{path} for {}", who.user_id);
            }
            let (_, page) = routes.get(who, "/v1/models").await;
            assert_eq!(page["items"].as_array().unwrap().len(), if expected == 200 { 2 } else { 1 });
            assert_eq!((&page["items"][0]["model_id"], &page["next"]), (&json!(public), &Value::Null));
        }
        assert_eq!(routes.post(&bob, &format!("/v1/models/{ID}/verify"), &json!({})).await.0, 404);
        let (_, first) = routes.get(&ann, "/v1/models?limit=1").await;
        let next = format!("/v1/models?limit=1&cursor={}", first["next"].as_str().unwrap());
        let (_, second) = routes.get(&ann, &next).await;
        assert_eq!((&second["items"][0]["model_id"], &second["next"]), (&json!(ID), &Value::Null));
        assert_eq!(routes.ask(None, "GET", "/v1/models", None).await.0, 401);
        for id in ["nothing", "..%2F..%2Fetc", &"0".repeat(64), &"0".repeat(5000)] {
            assert_eq!(routes.get(&ann, &format!("/v1/models/{id}")).await.0, 404, "{id}");
        }
    }

    #[tokio::test]
    async fn publications_that_do_not_fit_are_refused() {
        let routes = Routes::start().await;
        let (trader, viewer) = (caller("ann", Role::Trader), caller("eve", Role::Viewer));
        let request = |run_id: &str, name: &str| json!({ "run_id": run_id, "name": name });
        for (who, body, status) in [
            (&viewer, request("aa", "x"), 403),
            (&trader, request("aa", "x"), 400),
            (&trader, request("../../etc", "x"), 400),
            (&trader, request("aa", ""), 400),
            (&trader, json!({ "run_id": "aa", "name": "x", "fee_bps": 10_001 }), 400),
            (&trader, json!({ "run_id": "aa", "name": "x", "more": 1 }), 400),
        ] {
            let (found, answer) = routes.post(who, "/v1/models", &body).await;
            assert_eq!(found, status, "{body}: {answer}");
        }
    }
}
