//! Users.

use alloy_primitives::Address;
use assay_store::database::{UserChange, UserRow};
use assay_types::time::format_utc;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::keys::checked_name;
use crate::access::{Caller, Role, Scope, Subject, new_user_id};
use crate::clock::now_ms;
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(users, create_user)).routes(routes!(user, change_user))
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
struct UserView {
    /// The user.
    user_id: String,
    /// What people call them.
    name: String,
    /// Their role.
    role: Role,
    /// The wallet that signs in as this user, checksummed; null for none.
    #[schema(required)]
    address: Option<String>,
    /// Whether they may do anything.
    active: bool,
    /// When they were made, ISO-8601 UTC.
    created_at: String,
}

/// A user to make, or as they shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PutUser {
    /// What people call them.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// Their role.
    role: Role,
    /// The wallet that signs in as this user; nobody else's.
    #[schema(pattern = "^0x[0-9a-fA-F]{40}$")]
    address: Option<String>,
    /// Whether they may do anything; true when nothing is said.
    active: Option<bool>,
}

/// Users, the oldest first.
#[utoipa::path(get, path = "/v1/users", tag = "access", params(PageQuery), responses(
    (status = 200, description = "Users", body = Page<UserView>),
))]
async fn users(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<UserView>>, Problem> {
    caller.require(Scope::Admin)?;
    let paging = query.paging()?;
    let rows = state.platform.users(paging.after, paging.fetch()).await?;
    Ok(ApiJson(paging.page(rows, |row| row.number, |row| UserView::of(&row))))
}

/// One user.
#[utoipa::path(get, path = "/v1/users/{user_id}", tag = "access", params(("user_id" = String, Path)), responses(
    (status = 200, description = "The user", body = UserView),
    (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
))]
async fn user(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(user_id): ApiPath<String>,
) -> Result<ApiJson<UserView>, Problem> {
    let row = state.platform.user(&user_id).await?.filter(|row| caller.may_see(&row.user_id));
    row.map(|row| ApiJson(UserView::of(&row))).ok_or_else(|| Problem::not_found("user", &user_id))
}

/// Makes a user.
#[utoipa::path(post, path = "/v1/users", tag = "access", request_body = PutUser, responses(
    (status = 201, description = "The user", body = UserView),
    (status = 409, description = "Another user has the wallet", body = Problem, content_type = "application/problem+json"),
))]
async fn create_user(
    State(state): State<ServerState>,
    caller: Caller,
    ApiJson(new): ApiJson<PutUser>,
) -> Result<Response, Problem> {
    caller.require(Scope::Admin)?;
    let row = new.row(new_user_id()?, now_ms())?;
    changed(state.platform.put_user(&row).await?, &row)?;
    let mut response = (StatusCode::CREATED, ApiJson(UserView::of(&row))).into_response();
    response.extensions_mut().insert(Subject(row.user_id));
    Ok(response)
}

/// Changes a user; one who is not active is signed out within a second.
#[utoipa::path(put, path = "/v1/users/{user_id}", tag = "access", params(("user_id" = String, Path)),
    request_body = PutUser, responses(
    (status = 200, description = "The user", body = UserView),
    (status = 404, description = "There is no such user", body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The wallet is taken, or no owner would be left", body = Problem, content_type = "application/problem+json"),
))]
async fn change_user(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(user_id): ApiPath<String>,
    ApiJson(new): ApiJson<PutUser>,
) -> Result<ApiJson<UserView>, Problem> {
    caller.require(Scope::Admin)?;
    let known = state.platform.user(&user_id).await?.ok_or_else(|| Problem::not_found("user", &user_id))?;
    let row = new.row(user_id, known.created_at)?;
    changed(state.platform.change_user(&row).await?, &row)?;
    state.access.credentials.forget_all();
    Ok(ApiJson(UserView::of(&row)))
}

fn changed(change: UserChange, row: &UserRow) -> Result<(), Problem> {
    match change {
        UserChange::Done => Ok(()),
        UserChange::NoUser => Err(Problem::not_found("user", &row.user_id)),
        UserChange::AddressTaken => {
            Err(Problem::new(Code::Conflict, "another user has this wallet; take it from them first").field("address"))
        }
        UserChange::LastOwner => {
            Err(Problem::new(Code::Conflict, "nobody would be owner any more; make another owner first").field("role"))
        }
    }
}

impl PutUser {
    fn row(self, user_id: String, created_at: i64) -> Result<UserRow, Problem> {
        let address = self.address.map(|text| {
            let address = text.strip_prefix("0x").and_then(|_| text.parse::<Address>().ok());
            address.map(|address| format!("{address:#x}")).ok_or_else(|| {
                Problem::new(Code::BadRequest, "the wallet is no address: 0x and 40 hexadecimal digits")
                    .field("address")
            })
        });
        Ok(UserRow {
            user_id,
            number: 0,
            name: checked_name(&self.name)?,
            role: self.role.as_str().to_owned(),
            address: address.transpose()?,
            active: self.active.unwrap_or(true),
            created_at,
        })
    }
}

impl UserView {
    fn of(row: &UserRow) -> Self {
        let checksummed =
            |text: &String| text.parse::<Address>().map_or_else(|_| text.clone(), |a| a.to_checksum(None));
        Self {
            user_id: row.user_id.clone(),
            name: row.name.clone(),
            role: Role::parse(&row.role).unwrap_or(Role::Viewer),
            address: row.address.as_ref().map(checksummed),
            active: row.active,
            created_at: format_utc(row.created_at),
        }
    }
}
