//! The v10 axon wire on the same listener: what its callers expect, with what it lacks.

use assay_lp::protocol::axon_v10::{self, AxonError, AxonHeaders};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use super::{AxonServer, Miner, header, locked, read_body, reply};

pub(super) async fn respond(miner: &Miner, axon: &AxonServer, request: Request) -> Response {
    let refuse = |status: StatusCode, message: &str| {
        let body = json!({ "message": message }).to_string().into_bytes();
        reply(status, body, status_headers(status.as_str(), message))
    };
    let (parts, body) = request.into_parts();
    let checked = axon_v10::synapse_of(parts.uri.path())
        .and_then(|()| AxonHeaders::read(|name| header(&parts.headers, name)))
        .and_then(|headers| {
            let mut nonces = locked(&miner.axon_nonces);
            headers.verify(&axon.hotkey, axon.validators.as_ref(), &mut nonces, miner.now())
        });
    let status = |error: &AxonError| StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST);
    if let Err(error) = checked {
        return refuse(status(&error), &error.to_string());
    }
    let body = match read_body(body).await {
        Ok(body) => body,
        Err(unread) => {
            let (status, _, message) = unread.problem();
            return refuse(status, &message);
        }
    };
    let query = match axon_v10::read_query(&body) {
        Ok(query) => query,
        Err(error) => return refuse(status(&error), &error.to_string()),
    };
    match miner.answer(query.clone()).await {
        Ok(answer) => {
            let body = axon_v10::answer_body(&query, &answer).to_string().into_bytes();
            reply(StatusCode::OK, body, status_headers("200", "Success"))
        }
        Err(none) => {
            let (status, _, message) = none.refusal();
            refuse(status, &message)
        }
    }
}

fn status_headers<'a>(status: &'a str, message: &'a str) -> impl Iterator<Item = (&'static str, &'a str)> {
    [("bt_header_axon_status_code", status), ("bt_header_axon_status_message", message)].into_iter()
}
