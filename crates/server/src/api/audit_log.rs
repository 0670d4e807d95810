//! The audit log.

use assay_store::database::AuditEntry;
use assay_types::time::format_utc;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::extract::{ApiJson, ApiQuery};
use crate::page::{Page, PageQuery};
use crate::problem::Problem;
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(audit_log))
}

/// A write that was tried.
#[derive(Debug, Serialize, ToSchema)]
struct AuditView {
    /// Its number, from 1.
    number: u64,
    /// When, ISO-8601 UTC.
    at: String,
    /// The user; null where nobody was known.
    #[schema(required)]
    user_id: Option<String>,
    /// `key ID` or `session`.
    #[schema(required)]
    credential: Option<String>,
    /// The method and the route's template.
    action: String,
    /// What it was about: an id, where there is one.
    #[schema(required)]
    subject: Option<String>,
    /// The HTTP status of the answer; null when the server ended before there was one.
    #[schema(required)]
    status: Option<u16>,
    /// Where the request came from.
    #[schema(required)]
    address: Option<String>,
}

/// Writes that were tried, refused ones too, the newest first.
#[utoipa::path(get, path = "/v1/audit-log", tag = "access", params(PageQuery), responses(
    (status = 200, description = "Entries", body = Page<AuditView>),
))]
async fn audit_log(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<AuditView>>, Problem> {
    caller.require(Scope::Admin)?;
    let paging = query.paging()?;
    let rows = state.platform.audit_log(paging.after, paging.fetch()).await?;
    let item = |entry: AuditEntry| AuditView {
        number: entry.number,
        at: format_utc(entry.tried.at),
        user_id: entry.tried.user_id,
        credential: entry.tried.credential,
        action: entry.tried.action,
        subject: entry.tried.subject,
        status: entry.status,
        address: entry.tried.address,
    };
    Ok(ApiJson(paging.page(rows, |entry| entry.number, item)))
}
