//! What is served beside the routes: their description, the page of errors, metrics, and
//! answers for paths and methods that are none.

use std::fmt::Write as _;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use serde_json::Value;

use crate::access::{Caller, Peer, Scope};
use crate::observe;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// The pages; `description` is that of the interface.
pub(super) fn routes(description: &Value) -> Router<ServerState> {
    let description = Bytes::from(serde_json::to_vec(description).unwrap_or_default());
    let errors = errors_page();
    Router::new()
        .route("/openapi.json", get(move || std::future::ready(json(description.clone()))))
        .route("/docs/errors", get(move || std::future::ready(page(errors.clone()))))
        .route("/metrics", get(metrics))
}

fn json(body: Bytes) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn page(html: String) -> Response {
    let mut response = Html(html).into_response();
    let policy = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'");
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    response
}

/// Metrics for Prometheus: for the scope admin, and for this machine where no proxy stands before it.
async fn metrics(
    State(state): State<ServerState>,
    caller: Option<Caller>,
    request: Request,
) -> Result<Response, Problem> {
    let peer = request.extensions().get::<Peer>();
    let is_local = !state.access.options.behind_proxy && peer.is_some_and(|peer| peer.0.is_loopback());
    if !is_local {
        let missing = || Problem::new(Code::Unauthenticated, "metrics need a credential with the scope `admin`");
        caller.ok_or_else(missing)?.require(Scope::Admin)?;
    }
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    Ok(([(header::CONTENT_TYPE, kind)], observe::render_metrics()).into_response())
}

/// A path that is none.
pub(super) async fn not_found() -> Problem {
    Problem::new(Code::NotFound, "there is no such path; /openapi.json lists all")
}

/// A method that is none of the path's.
pub(super) async fn method_not_allowed(method: Method) -> Problem {
    Problem::new(
        Code::MethodNotAllowed,
        format!("the path has no method {method}; the header Allow lists those it has"),
    )
}

/// What a handler that failed badly is answered with.
pub(super) fn panicked(_: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    Problem::new(Code::Internal, "the request failed here").into_response()
}

fn errors_page() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Errors - assay</title>\
         <style>body{font:16px/1.5 system-ui;max-width:44rem;margin:2rem auto;padding:0 1rem}code{font-size:1.1em}</style>\
         <h1>Errors</h1><p>A refusal is JSON of type <code>application/problem+json</code>: <code>status</code>, \
         <code>code</code>, <code>detail</code>, and the <code>field</code> that is wrong, if it is one. Codes stay the \
         same from release to release.</p>",
    );
    for code in Code::ALL {
        let (name, status) = (code.as_str(), code.status().as_u16());
        let text = code.explanation();
        let _ = write!(page, "<h2 id={name}><code>{name}</code> ({status})</h2><p>{text}</p>");
    }
    page
}

impl<S: Send + Sync> axum::extract::OptionalFromRequestParts<S> for Caller {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(
        parts: &mut axum::http::request::Parts,
        _: &S,
    ) -> Result<Option<Self>, Self::Rejection> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}
