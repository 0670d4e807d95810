//! The native wire: every request is proven before it is read, every response to a proven
//! request is signed.

use std::sync::Arc;

use assay_lp::protocol::auth::{Claim, Headers, Verified, sign_response};
use assay_lp::protocol::{CommitReply, QUERY_PATH, REVEAL_PATH, RevealReply, RevealRequest};
use assay_lp::{RebalanceAnswer, RebalanceQuery};
use axum::extract::Request;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sealed::{Place, SealedAnswer};
use super::{Miner, NoAnswer, locked, problem, read_body, reply};

/// A refusal of a proven request: status, one word, one sentence.
type Refusal = (StatusCode, &'static str, String);

pub(super) async fn respond(miner: &Arc<Miner>, headers: &Headers, request: Request) -> Response {
    let refuse = |(status, error, message): Refusal| reply(status, problem(error, message), std::iter::empty());
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    // Callers that are refused anyway are not listened to.
    let claim = match Claim::read(headers, &miner.key, miner.server.validators.as_ref(), miner.now()) {
        Ok(claim) => claim,
        Err(error) => return refuse((StatusCode::UNAUTHORIZED, error.code(), error.to_string())),
    };
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(unread) => return refuse(unread.problem()),
    };
    let now = miner.now();
    let checked = claim.verify(parts.method.as_str(), target, &body, now);
    let verified = match checked.and_then(|checked| locked(&miner.nonces).remember(checked, now)) {
        Ok(verified) => verified,
        Err(error) => return refuse((StatusCode::UNAUTHORIZED, error.code(), error.to_string())),
    };
    let (status, body) = match (&parts.method, target) {
        (&Method::POST, QUERY_PATH) => signed_body(query(miner, &verified, &body).await),
        (&Method::POST, REVEAL_PATH) => signed_body(reveal(miner, &verified, &body)),
        _ => {
            let message = format!("there are POST {QUERY_PATH} and POST {REVEAL_PATH}");
            signed_body::<CommitReply>(Err((StatusCode::NOT_FOUND, "unknown_path", message)))
        }
    };
    let headers = sign_response(&miner.server.key, verified.digest, status.as_u16(), &body, &verified.sender);
    reply(status, body, headers.pairs())
}

fn signed_body<T: Serialize>(result: Result<T, Refusal>) -> (StatusCode, Vec<u8>) {
    match result {
        Ok(value) => (StatusCode::OK, serde_json::to_vec(&value).unwrap_or_default()),
        Err((status, error, message)) => (status, problem(error, message)),
    }
}

async fn query(miner: &Arc<Miner>, verified: &Verified, body: &[u8]) -> Result<CommitReply, Refusal> {
    let query: RebalanceQuery = read(body)?;
    let place = Place::of(&query.job_id, &query.round_id, query.block_number);
    let cell = locked(&miner.sealed).cell(&verified.sender, &place);
    let miner = Arc::clone(miner);
    // A task of its own: when the caller hangs up and asks again, the thought goes on. Asked
    // twice, even at the same time, the answer is the one that was sealed first.
    let work = tokio::spawn(async move {
        let sealed = cell.get_or_try_init(|| async {
            let answer = miner.answer(query).await?;
            seal(&miner, &place, &answer).map_err(NoAnswer::Failed)
        });
        sealed.await.map(|sealed| sealed.commitment)
    });
    match work.await {
        Ok(Ok(commitment)) => Ok(CommitReply { commitment }),
        Ok(Err(none)) => Err(none.refusal()),
        Err(_) => Err(NoAnswer::Failed("the answer was given up".into()).refusal()),
    }
}

fn seal(miner: &Miner, place: &Place, answer: &RebalanceAnswer) -> Result<SealedAnswer, String> {
    let text = serde_json::to_string(answer).map_err(|error| error.to_string())?;
    // Nobody seals what it could not stand behind.
    RebalanceAnswer::read(text.as_bytes()).map_err(|error| error.to_string())?;
    SealedAnswer::new(place, &miner.key, text)
}

fn reveal(miner: &Miner, verified: &Verified, body: &[u8]) -> Result<RevealReply, Refusal> {
    let request: RevealRequest = read(body)?;
    let place = Place::of(&request.job_id, &request.round_id, request.checkpoint);
    let sealed = locked(&miner.sealed).find(&verified.sender, &place, request.commitment);
    sealed.ok_or_else(|| {
        let message = format!("no answer to you is sealed as {} at that place", request.commitment);
        (StatusCode::NOT_FOUND, "unknown_commitment", message)
    })
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|error| (StatusCode::BAD_REQUEST, "unreadable", error.to_string()))
}
