//! Who one is: signing in with a key, signing out, sessions.

use assay_types::Secret;
use assay_types::time::format_utc;
use axum::extract::{Extension, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{
    Address, Caller, Gate, NotKept, Presented, Role, Scope, Subject, begin_session, csrf_token, session_hash,
};
use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(session, sign_in, sign_out)).routes(routes!(me))
}

/// Who a credential belongs to.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    /// The user.
    user_id: String,
    /// What people call them.
    name: String,
    /// Their role.
    role: Role,
    /// What the credential is good for, within the role.
    scopes: Vec<Scope>,
    /// `key ID` or `session`.
    credential: String,
}

/// A session.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SessionView {
    /// The user.
    user_id: String,
    /// Their role.
    role: Role,
    /// What the session is good for.
    scopes: Vec<Scope>,
    /// What every write of this session sends as `X-CSRF-Token`.
    csrf_token: String,
    /// When it ends, where that is new: ISO-8601 UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<String>,
}

/// An API key to sign in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct SignIn {
    /// The whole key: `assay_ID_SECRET`.
    key: String,
}

/// The caller.
#[utoipa::path(get, path = "/v1/me", tag = "access", responses(
    (status = 200, description = "Who calls", body = Me),
))]
async fn me(State(state): State<ServerState>, caller: Caller) -> Result<ApiJson<Me>, Problem> {
    let user = state.platform.user(&caller.user_id).await?;
    let name = user.map_or_else(String::new, |user| user.name);
    let Caller { user_id, role, scopes, credential } = caller;
    Ok(ApiJson(Me { user_id, name, role, scopes, credential }))
}

/// The session of the cookie, with its token for writes.
#[utoipa::path(get, path = "/v1/session", tag = "access", responses(
    (status = 200, description = "The session", body = SessionView),
    (status = 404, description = "The credential is no session", body = Problem, content_type = "application/problem+json"),
))]
async fn session(caller: Caller, presented: Option<Extension<Presented>>) -> Result<Response, Problem> {
    let Some(Extension(Presented::Session(token))) = presented else {
        return Err(Problem::new(Code::NotFound, "the request carries a key, not a session"));
    };
    Ok(view(caller, &token, None).into_response())
}

/// Signs in with an API key: the cookie of a session, which ends with the key at the latest.
#[utoipa::path(post, path = "/v1/session", tag = "access", security(()), request_body = SignIn, responses(
    (status = 200, description = "Signed in; the cookie is in `Set-Cookie`", body = SessionView),
    (status = 401, description = "The key does not hold", body = Problem, content_type = "application/problem+json"),
))]
async fn sign_in(
    State(state): State<ServerState>,
    address: Option<Extension<Address>>,
    ApiJson(SignIn { key }): ApiJson<SignIn>,
) -> Result<Response, Problem> {
    let now = now_ms();
    let address = address.map_or_else(String::new, |Extension(address)| address.counted);
    let gate = Gate { by_address: &state.access.by_address, address: &address };
    let presented = Presented::Key(Secret::new(key));
    let caller = state.access.credentials.check(&state.platform, &presented, &gate, now).await?;
    let key_id = caller.credential.strip_prefix("key ").unwrap_or_default().to_owned();
    let end = state.platform.credential(&key_id).await?.and_then(|row| row.key.expires_at);
    let (token, end) =
        begin_session(&state.platform, &caller.user_id, Some((&key_id, end)), &caller.scopes, now).await?;
    Ok(begun(&state, caller, &token, end))
}

/// Signs out.
#[utoipa::path(delete, path = "/v1/session", tag = "access", responses(
    (status = 204, description = "The session has ended"),
    (status = 404, description = "The credential is no session", body = Problem, content_type = "application/problem+json"),
))]
async fn sign_out(
    State(state): State<ServerState>,
    _caller: Caller,
    presented: Option<Extension<Presented>>,
) -> Result<Response, Problem> {
    let Some(Extension(Presented::Session(token))) = presented else {
        return Err(Problem::new(Code::NotFound, "the request carries a key, not a session; revoke a key instead"));
    };
    let hash = session_hash(&token);
    state.platform.end_session(&hash).await?;
    state.access.credentials.forget_session(&hash);
    let cleared = [(header::SET_COOKIE, state.session_cookie().clear())];
    Ok((StatusCode::NO_CONTENT, cleared).into_response())
}

/// The answer that hands a session out; caches and repeats must not keep it.
pub(super) fn begun(state: &ServerState, caller: Caller, token: &Secret, end: i64) -> Response {
    let subject = Subject(caller.user_id.clone());
    let mut response = view(caller, token, Some(end)).into_response();
    response.headers_mut().insert(header::SET_COOKIE, state.session_cookie().set(token));
    response.extensions_mut().insert(NotKept);
    response.extensions_mut().insert(subject);
    response
}

fn view(caller: Caller, token: &Secret, end: Option<i64>) -> ApiJson<SessionView> {
    let Caller { user_id, role, scopes, .. } = caller;
    ApiJson(SessionView { user_id, role, scopes, csrf_token: csrf_token(token), expires_at: end.map(format_utc) })
}
