//! Whether the server is well.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::problem::Problem;
use crate::state::ServerState;

/// A server that is well.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    status: &'static str,
    /// The version of assay.
    version: &'static str,
}

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(health))
}

/// Whether the server and its database answer.
#[utoipa::path(get, path = "/v1/health", tag = "start", security(()), responses(
    (status = 200, description = "All is well", body = Health),
    (status = 503, description = "A database is away", body = Problem, content_type = "application/problem+json"),
))]
async fn health(State(state): State<ServerState>) -> Result<Json<Health>, Problem> {
    state.platform.last_event().await?;
    Ok(Json(Health { status: "ok", version: env!("CARGO_PKG_VERSION") }))
}
