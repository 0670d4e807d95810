//! The routes, one file per area.

mod audit_log;
mod calculators;
mod control;
mod datasets;
mod describe;
mod destinations;
mod events;
#[cfg(test)]
mod gateway_tests;
mod health;
mod jobs;
mod keys;
mod latency;
mod liquidity;
pub(crate) mod models;
mod pages;
mod runs;
mod search;
mod session;
mod signals;
mod siwe;
mod stream_socket;
mod streams;
mod users;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::from_fn_with_state as layer;
use serde_json::Value;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::access::{admit, audit, authenticate, guard, idempotency, timed};
use crate::observe::observe;
use crate::state::ServerState;

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .merge(audit_log::routes())
        .merge(calculators::routes())
        .merge(control::routes())
        .merge(destinations::routes())
        .merge(datasets::routes())
        .merge(events::routes())
        .merge(health::routes())
        .merge(jobs::routes())
        .merge(keys::routes())
        .merge(latency::routes())
        .merge(liquidity::routes())
        .merge(models::routes())
        .merge(search::routes())
        .merge(runs::routes())
        .merge(session::routes())
        .merge(signals::routes())
        .merge(siwe::routes())
        .merge(stream_socket::routes())
        .merge(streams::routes())
        .merge(users::routes())
        .merge(crate::graphql::routes())
}

/// The description of the interface.
#[derive(OpenApi)]
#[openapi(info(title = "Assay", description = "Trading strategies prove themselves before money follows them."))]
struct Description;

/// The routes as a service with everything that stands before them, and their description.
pub fn router(state: ServerState) -> (Router, Value) {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi()).merge(routes()).split_for_parts();
    let description = describe::complete(&description);
    let router = router
        .merge(pages::routes(&description))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        .layer(DefaultBodyLimit::max(state.access.options.limits.body_bytes))
        // From the inside out.
        .layer(layer(state.clone(), idempotency))
        .layer(layer(state.clone(), admit))
        .layer(layer(state.clone(), audit))
        .layer(layer(state.clone(), authenticate))
        .layer(layer(state.clone(), guard))
        .layer(layer(state.clone(), timed))
        .layer(CatchPanicLayer::custom(pages::panicked))
        .layer(default_header(CACHE_CONTROL, "no-store"))
        .layer(default_header(X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(layer(state.clone(), observe))
        .with_state(state);
    (router, description)
}

fn default_header(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}
