//! The routes, one file per area.

mod calculators;
mod datasets;
mod health;
mod jobs;
mod responses;
mod runs;

use axum::Router;
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::state::ServerState;

/// Every route with its description.
pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .merge(calculators::routes())
        .merge(datasets::routes())
        .merge(health::routes())
        .merge(jobs::routes())
        .merge(runs::routes())
}

/// The description of the interface.
#[derive(OpenApi)]
#[openapi(info(title = "Assay", description = "Trading strategies prove themselves before money follows them."))]
struct Description;

/// The routes as a service, and their description.
pub fn router(state: ServerState) -> (Router, utoipa::openapi::OpenApi) {
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi()).merge(routes()).split_for_parts();
    (router.with_state(state), description)
}
