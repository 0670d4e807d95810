//! Sign-In with Ethereum: a nonce, then the signed message.

use assay_store::database::UserRow;
use assay_types::time::format_utc;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::session::{SessionView, begun};
use crate::access::siwe::{Expected, Message, NONCE_MS};
use crate::access::{
    AccessOptions, Caller, Role, UnknownWallets, begin_session, host_of, is_loopback_host, new_user_id, random, signer,
};
use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

const PURPOSE: &str = "siwe";

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(nonce)).routes(routes!(verify))
}

/// What goes into the message that the wallet signs.
#[derive(Debug, Serialize, ToSchema)]
struct NonceView {
    /// The nonce, for one use.
    nonce: String,
    /// When it ends, ISO-8601 UTC.
    expires_at: String,
    /// The domain of the message.
    domain: String,
    /// How its URI begins.
    uri: String,
    /// Chains whose wallets are taken.
    chain_ids: Vec<u64>,
}

/// A message and its signature.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Signed {
    /// The message of EIP-4361, as it was signed.
    #[schema(max_length = 4096)]
    message: String,
    /// The signature of EIP-191 (`personal_sign`): 65 bytes as `0x` and hexadecimal digits.
    #[schema(pattern = "^0x[0-9a-fA-F]{130}$")]
    signature: String,
}

/// A nonce for a message, good once and for ten minutes.
#[utoipa::path(post, path = "/v1/siwe/nonce", tag = "access", security(()), responses(
    (status = 200, description = "The nonce", body = NonceView),
))]
async fn nonce(State(state): State<ServerState>, uri: Uri, headers: HeaderMap) -> Result<ApiJson<NonceView>, Problem> {
    let options = &state.access.options;
    let (scheme, domain) = own_site(options, &uri, &headers)?;
    let nonce = hex::encode(random::<16>()?);
    let expires_at = now_ms() + NONCE_MS;
    state.platform.put_nonce(&nonce, PURPOSE, expires_at).await?;
    let uri = format!("{scheme}://{domain}");
    Ok(ApiJson(NonceView {
        nonce,
        expires_at: format_utc(expires_at),
        domain,
        uri,
        chain_ids: options.chain_ids.clone(),
    }))
}

/// Signs in with a wallet that a user has.
#[utoipa::path(post, path = "/v1/siwe/verify", tag = "access", security(()), request_body = Signed, responses(
    (status = 200, description = "Signed in; the cookie is in `Set-Cookie`", body = SessionView),
    (status = 401, description = "The message or its signature does not hold", body = Problem, content_type = "application/problem+json"),
))]
async fn verify(
    State(state): State<ServerState>,
    uri: Uri,
    headers: HeaderMap,
    ApiJson(signed): ApiJson<Signed>,
) -> Result<Response, Problem> {
    let options = &state.access.options;
    let (scheme, domain) = own_site(options, &uri, &headers)?;
    let now = now_ms();
    let message = Message::parse(&signed.message)?;
    message.check(&Expected { scheme, domain: &domain, chain_ids: &options.chain_ids, now_ms: now })?;
    if signer(&signed.message, &signed.signature) != Some(message.address) {
        return Err(refused("the signature is not that of the address in the message"));
    }
    if !state.platform.use_nonce(&message.nonce, PURPOSE, now).await? {
        return Err(refused("the nonce is used, has ended, or was not given by this server; ask for a new one"));
    }
    let address = format!("{:#x}", message.address);
    let user = match state.platform.user_of_address(&address).await? {
        Some(user) => user,
        None if options.unknown_wallets == UnknownWallets::Viewer => new_viewer(&state, address, now).await?,
        None => return Err(refused("no user has this wallet; ask the owner to add it")),
    };
    let role = Role::parse(&user.role).filter(|_| user.active);
    let role = role.ok_or_else(|| refused("the user of this wallet may not sign in any more"))?;
    let scopes = role.scopes().to_vec();
    let (token, end) = begin_session(&state.platform, &user.user_id, None, &scopes, now).await?;
    let caller = Caller { user_id: user.user_id, role, scopes, credential: "session".to_owned() };
    Ok(begun(&state, caller, &token, end))
}

async fn new_viewer(state: &ServerState, address: String, now_ms: i64) -> Result<UserRow, Problem> {
    let user = UserRow {
        user_id: new_user_id()?,
        number: 0,
        name: address.clone(),
        role: Role::Viewer.as_str().to_owned(),
        address: Some(address.clone()),
        active: true,
        created_at: now_ms,
    };
    // Another sign-in of the same wallet may have been first.
    state.platform.put_user(&user).await?;
    let user = state.platform.user_of_address(&address).await?;
    user.ok_or_else(|| refused("no user has this wallet; ask the owner to add it"))
}

/// Scheme and domain that messages must name: the public URL, or the loopback host that the
/// request names.
fn own_site(options: &AccessOptions, uri: &Uri, headers: &HeaderMap) -> Result<(&'static str, String), Problem> {
    if let Some(url) = &options.public_url {
        return Ok((if url.scheme == "https" { "https" } else { "http" }, url.authority.clone()));
    }
    let host = host_of(uri, headers).filter(|host| options.is_loopback && is_loopback_host(host));
    let host = host.ok_or_else(|| {
        let detail = "this server does not know its own address, so wallets cannot sign in: start it with --public-url";
        Problem::new(Code::Conflict, detail)
    })?;
    Ok((if options.is_tls { "https" } else { "http" }, host))
}

fn refused(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}
