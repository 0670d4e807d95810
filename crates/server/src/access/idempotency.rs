//! Writes that may be repeated: the same `Idempotency-Key` with the same request gives the same
//! reply for a day, and its effect once.
//!
//! Kept are replies that say something was done. A refusal changed nothing, so it is tried anew. A
//! request that failed here, or ended without a reply as a killed server's does, may have been done:
//! it is not done again under its key.

use assay_store::database::{IdempotentClaim, NewIdempotent, StoredReply};
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};
use tracing::Instrument as _;

use super::Caller;
use super::keys::random;
use super::layers::is_safe;
use crate::clock::now_ms;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// How long replies are kept.
pub(crate) const KEPT_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long a request holds its key; repeated after that without a reply, its outcome is unknown.
const CLAIM_MS: i64 = 60 * 1_000;
const MAX_KEY: usize = 128;
/// Largest reply that is kept.
const MAX_REPLY: usize = 1 << 20;
const HEADER: &str = "idempotency-key";

/// Marks an answer that holds a secret, which is not kept: put into the answer's extensions.
#[derive(Debug, Clone, Copy)]
pub struct NotKept;

/// Answers repeated writes from what was kept.
pub(crate) async fn idempotency(State(state): State<ServerState>, request: Request, next: Next) -> Response {
    let caller = request.extensions().get::<Caller>().cloned();
    let (Some(key), Some(caller)) = (request.headers().get(HEADER).cloned(), caller) else {
        return next.run(request).await;
    };
    if is_safe(request.method()) {
        return next.run(request).await;
    }
    repeatable(&state, &caller, &key, request, next).await.unwrap_or_else(Problem::into_response)
}

async fn repeatable(
    state: &ServerState,
    caller: &Caller,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let fits = |key: &&str| (1..=MAX_KEY).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    let key = key.to_str().ok().filter(fits).ok_or_else(|| {
        let detail = format!("an Idempotency-Key is 1 to {MAX_KEY} visible ASCII characters, such as a UUID");
        Problem::new(Code::BadRequest, detail).field("Idempotency-Key")
    })?;
    let (parts, body) = request.into_parts();
    let limit = state.access.options.limits.body_bytes;
    let bytes = to_bytes(body, limit).await.map_err(|_| too_large(limit))?;
    let mut hash = Sha256::new();
    let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
    hash.update(format!("{} {path}\n", parts.method));
    hash.update(&bytes);
    let (request_hash, claim) = (hex::encode(hash.finalize()), hex::encode(random::<16>()?));
    let now = now_ms();
    let new = NewIdempotent {
        user_id: &caller.user_id,
        idempotency_key: key,
        request_hash: &request_hash,
        claim: &claim,
        claimed_until: now + CLAIM_MS,
        forget_before: now - KEPT_MS,
    };
    match state.platform.claim_key(&new, now).await? {
        IdempotentClaim::Claimed => {}
        IdempotentClaim::Answered(reply) => return repeated(reply),
        IdempotentClaim::UnderWay => {
            let detail = "the same request is under way; repeat it later for its reply";
            return Err(Problem::new(Code::Conflict, detail).retry_after(1));
        }
        IdempotentClaim::OutcomeUnknown => {
            let detail = "the same request failed here before, or ended without a reply, as when a server is killed: \
                          whether it was done is not known. Look at what it would have changed; where it was not done, send \
                          it under a new Idempotency-Key";
            return Err(Problem::new(Code::OutcomeUnknown, detail).field("Idempotency-Key"));
        }
        IdempotentClaim::OtherRequest => {
            let detail = "the Idempotency-Key was used for another request; draw a new one";
            return Err(Problem::new(Code::CheckFailed, detail).field("Idempotency-Key"));
        }
    }
    // In a task of its own: a caller that hangs up ends neither the work nor the note of it.
    let (state, user_id, key) = (state.clone(), caller.user_id.clone(), key.to_owned());
    let work = async move {
        let new = NewIdempotent {
            user_id: &user_id,
            idempotency_key: &key,
            request_hash: &request_hash,
            claim: &claim,
            claimed_until: now + CLAIM_MS,
            forget_before: now - KEPT_MS,
        };
        answer(&state, &new, Request::from_parts(parts, Body::from(bytes)), next).await
    };
    let done = tokio::spawn(work.in_current_span()).await;
    done.unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the request failed here")))
}

async fn answer(
    state: &ServerState,
    new: &NewIdempotent<'_>,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let response = next.run(request).await;
    if response.status().is_success() {
        return keep(state, new, response).await;
    }
    // What failed here may have done some of its work, or all: a commit whose answer was lost is done.
    let given_back = if response.status().is_server_error() {
        state.platform.end_claim(new, now_ms()).await
    } else {
        state.platform.release_key(new).await
    };
    if let Err(error) = given_back {
        tracing::warn!(%error, "an idempotency key stays claimed");
    }
    Ok(response)
}

async fn keep(state: &ServerState, new: &NewIdempotent<'_>, response: Response) -> Result<Response, Problem> {
    let is_secret = response.extensions().get::<NotKept>().is_some();
    let (parts, body) = response.into_parts();
    let bytes = to_bytes(body, usize::MAX).await.map_err(|_| Problem::new(Code::Internal, "the reply was cut off"))?;
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).map(str::to_owned);
    let text = String::from_utf8(bytes.to_vec()).ok();
    let reply = text.filter(|text| !is_secret && text.len() <= MAX_REPLY && !text.contains('\0'));
    let stored = StoredReply { status: parts.status.as_u16(), kind, reply };
    if let Err(error) = state.platform.keep_reply(new, &stored).await {
        // The write is done; its reply is worth more now than a refusal.
        tracing::error!(%error, "a reply could not be kept for repeats");
    }
    Ok(Response::from_parts(parts, Body::from(bytes)))
}

fn repeated(stored: StoredReply) -> Result<Response, Problem> {
    let Some(reply) = stored.reply else {
        let detail = "this was done before, with this key; its reply held a secret or was too large to be kept";
        return Err(Problem::new(Code::Conflict, detail));
    };
    let status = StatusCode::from_u16(stored.status).unwrap_or(StatusCode::OK);
    let mut headers = HeaderMap::new();
    if let Some(kind) = stored.kind.and_then(|kind| HeaderValue::from_str(&kind).ok()) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    headers.insert("idempotent-replayed", HeaderValue::from_static("true"));
    Ok((status, headers, reply).into_response())
}

fn too_large(limit: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("the body is larger than {limit} bytes, or ended early"))
}
