//! API keys.

#![allow(unused_qualifications, reason = "utoipa writes them")]

use assay_store::database::KeyRow;
use assay_types::time::{format_utc, parse_utc};
use axum::extract::{Extension, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, NewKey, NotKept, Presented, Scope, Subject};
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, Paging};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(super) const MAX_NAME: usize = 100;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(keys, create_key)).routes(routes!(revoke_key))
}

/// A key, without its secret.
#[derive(Debug, Serialize, ToSchema)]
struct KeyView {
    /// The public part of the key.
    key_id: String,
    /// Whose it is.
    user_id: String,
    /// What it is for.
    name: String,
    /// What it is good for, within its user's role.
    scopes: Vec<Scope>,
    /// When it was made, ISO-8601 UTC.
    created_at: String,
    /// When it ends, ISO-8601 UTC; null for never.
    #[schema(required)]
    expires_at: Option<String>,
    /// When it was revoked, ISO-8601 UTC; null while it stands.
    #[schema(required)]
    revoked_at: Option<String>,
}

/// A new key with its secret, which is not shown again.
#[derive(Serialize, ToSchema)]
struct CreatedKey {
    /// The whole key: `assay_ID_SECRET`. Only its hash is kept.
    key: String,
    /// The key as it is listed.
    listed: KeyView,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CreateKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it is good for.
    #[schema(min_items = 1)]
    scopes: Vec<Scope>,
    /// Whose it is; the caller's when nothing is said.
    user_id: Option<String>,
    /// When it ends, ISO-8601 UTC; never when nothing is said.
    expires_at: Option<String>,
}

/// The query of the list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct KeysQuery {
    /// `next` of the page before; nothing for the first page.
    cursor: Option<String>,
    /// Most items of the page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// Whose keys: the caller's when nothing is said; `*` for all, which needs the scope admin.
    user_id: Option<String>,
}

/// Keys, the oldest first.
#[utoipa::path(get, path = "/v1/keys", tag = "access", params(KeysQuery), responses(
    (status = 200, description = "Keys", body = Page<KeyView>),
))]
async fn keys(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<KeysQuery>,
) -> Result<ApiJson<Page<KeyView>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = Paging::new(query.cursor.as_deref(), query.limit)?;
    let whose = query.user_id.unwrap_or_else(|| caller.user_id.clone());
    if whose != caller.user_id {
        caller.require(Scope::Admin)?;
    }
    let whose = Some(whose.as_str()).filter(|whose| *whose != "*");
    let rows = state.platform.keys(whose, paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(rows, |row| row.number, KeyView::of)))
}

/// Makes a key. It needs the scope admin, or a session that a wallet signed in for a key of
/// one's own, which is good for no more than the session.
#[utoipa::path(post, path = "/v1/keys", tag = "access", request_body = CreateKey, responses(
    (status = 201, description = "The key, shown this once", body = CreatedKey),
    (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "Made before with this Idempotency-Key", body = Problem, content_type = "application/problem+json"),
))]
async fn create_key(
    State(state): State<ServerState>,
    caller: Caller,
    presented: Option<Extension<Presented>>,
    ApiJson(new): ApiJson<CreateKey>,
) -> Result<Response, Problem> {
    let user_id = new.user_id.clone().unwrap_or_else(|| caller.user_id.clone());
    may_manage(&state, &caller, presented.as_deref(), &user_id).await?;
    let name = checked_name(&new.name)?;
    let user = state.platform.user(&user_id).await?.ok_or_else(|| Problem::not_found("user", &user_id))?;
    let role = crate::access::Role::parse(&user.role);
    let allowed = role.map_or(&[][..], |role| role.scopes());
    let mut scopes = new.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let own = if user_id == caller.user_id { &caller.scopes[..] } else { &Scope::ALL };
    if scopes.is_empty() || scopes.iter().any(|scope| !allowed.contains(scope) || !own.contains(scope)) {
        let detail = format!("scopes must be one or more of: {}", Scope::join(allowed));
        return Err(Problem::new(Code::BadRequest, detail).field("scopes"));
    }
    let now = now_ms();
    let mut key = NewKey::draw(&user_id, &name, &scopes, now).await?;
    key.row.expires_at = new.expires_at.as_deref().map(|text| end(text, now)).transpose()?;
    state.platform.put_key(&key.row).await?;
    let subject = Subject(key.row.key_id.clone());
    let created = CreatedKey { key: key.text.reveal().to_owned(), listed: KeyView::of(key.row) };
    let mut response = (StatusCode::CREATED, ApiJson(created)).into_response();
    response.extensions_mut().insert(NotKept);
    response.extensions_mut().insert(subject);
    Ok(response)
}

/// Revokes a key, for good, and the sessions that it signed in.
#[utoipa::path(delete, path = "/v1/keys/{key_id}", tag = "access", params(("key_id" = String, Path)), responses(
    (status = 204, description = "It is revoked"),
    (status = 404, description = "There is no such key", body = Problem, content_type = "application/problem+json"),
))]
async fn revoke_key(
    State(state): State<ServerState>,
    caller: Caller,
    presented: Option<Extension<Presented>>,
    ApiPath(key_id): ApiPath<String>,
) -> Result<StatusCode, Problem> {
    let row = state.platform.credential(&key_id).await?;
    let row = row.filter(|row| row.key.user_id == caller.user_id || caller.require(Scope::Admin).is_ok());
    let row = row.ok_or_else(|| Problem::not_found("key", &key_id))?;
    // A key may always end itself.
    if caller.credential != format!("key {key_id}") {
        may_manage(&state, &caller, presented.as_deref(), &row.key.user_id).await?;
    }
    state.platform.revoke_key(&key_id, now_ms()).await?;
    state.access.credentials.forget_all();
    Ok(StatusCode::NO_CONTENT)
}

/// Keys make no keys, unless they are good for everything: one that leaked must not outlive
/// its revocation.
async fn may_manage(
    state: &ServerState,
    caller: &Caller,
    presented: Option<&Presented>,
    user_id: &str,
) -> Result<(), Problem> {
    if let Some(Presented::Session(token)) = presented
        && caller.user_id == user_id
    {
        let session = state.platform.session(&crate::access::session_hash(token), now_ms()).await?;
        if session.is_some_and(|session| session.key_id.is_none()) {
            return Ok(());
        }
    }
    caller.require(Scope::Admin)
}

/// A name without what cannot be shown.
pub(super) fn checked_name(name: &str) -> Result<String, Problem> {
    let name = name.trim();
    let length = name.chars().count();
    if !(1..=MAX_NAME).contains(&length) || name.chars().any(char::is_control) {
        let detail = format!("a name has 1 to {MAX_NAME} characters on one line");
        return Err(Problem::new(Code::BadRequest, detail).field("name"));
    }
    Ok(name.to_owned())
}

fn end(text: &str, now_ms: i64) -> Result<i64, Problem> {
    let wrong = |detail: String| Problem::new(Code::BadRequest, detail).field("expires_at");
    let end = parse_utc(text).map_err(|error| wrong(error.to_string()))?;
    if end <= now_ms {
        return Err(wrong("expires_at is past".to_owned()));
    }
    Ok(end)
}

impl KeyView {
    fn of(row: KeyRow) -> Self {
        Self {
            scopes: Scope::parse_all(&row.scopes),
            key_id: row.key_id,
            user_id: row.user_id,
            name: row.name,
            created_at: format_utc(row.created_at),
            expires_at: row.expires_at.map(format_utc),
            revoked_at: row.revoked_at.map(format_utc),
        }
    }
}
