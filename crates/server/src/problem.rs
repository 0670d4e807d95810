//! Refusals: RFC 9457 problem details with a code that stays the same from release to release.

use assay_jobs::{ErrorKind, JobError};
use assay_store::StoreError;
use assay_store::database::DatabaseError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

/// Why a request was refused. The names are part of the interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request cannot work as it is.
    BadRequest,
    /// No credential, or one that does not hold.
    Unauthenticated,
    /// The credential does not allow this.
    Forbidden,
    /// There is no such thing, or it may not be seen.
    NotFound,
    /// The state of the thing does not allow this.
    Conflict,
    /// The body is larger than its limit.
    TooLarge,
    /// The method is not one of the path's.
    MethodNotAllowed,
    /// The body is not of the type that is read here.
    UnsupportedMediaType,
    /// A check ran and did not hold.
    CheckFailed,
    /// Too many requests, jobs or streams.
    TooMany,
    /// The platform is stopped; resume it first.
    Stopped,
    /// Something failed here.
    Internal,
    /// A database or another part is away; try again.
    Unavailable,
}

impl Code {
    /// Its HTTP status.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::BadRequest => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::Conflict | Self::Stopped => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::CheckFailed => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Where the code is explained.
    #[serde(rename = "type")]
    pub about: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: Code,
    /// What, where and how to fix it.
    pub detail: String,
    /// The field of the request that is wrong, if it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A refusal with `code`; `detail` says what, where and how to fix it.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let name = serde_json::to_value(code).ok();
        let name = name.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
        Self {
            about: format!("/docs/errors#{name}"),
            status: code.status().as_u16(),
            code,
            detail: detail.into(),
            field: None,
        }
    }

    /// The same, blaming one field of the request.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.field = Some(name.into());
        self
    }

    /// Nothing of that kind under that id.
    #[must_use]
    pub fn not_found(what: &str, id: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} `{id}`, or it may not be seen with this credential"))
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let mut response = (self.code.status(), body).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response
    }
}

impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        JobError::from(error).into()
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        JobError::from(error).into()
    }
}

impl From<JobError> for Problem {
    fn from(error: JobError) -> Self {
        let code = match (&error, error.kind()) {
            (JobError::Database(database), _) if database.is_retryable() => Code::Unavailable,
            (JobError::Database(DatabaseError::Quota { .. }), _) => Code::TooMany,
            (JobError::Database(DatabaseError::JobState { .. }), _) => Code::Conflict,
            (JobError::Database(DatabaseError::UnknownJob { .. }), _) => Code::NotFound,
            (_, ErrorKind::BadInput) => Code::BadRequest,
            (_, ErrorKind::CheckFailed) => Code::CheckFailed,
            (_, ErrorKind::Failed) => Code::Internal,
        };
        if code == Code::Internal {
            tracing::error!(%error, "a request failed");
        }
        Self::new(code, error.to_string())
    }
}
