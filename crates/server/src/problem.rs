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
    /// The request took too long.
    Timeout,
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
    /// All codes.
    pub const ALL: [Self; 14] = [
        Self::BadRequest,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Timeout,
        Self::Conflict,
        Self::Stopped,
        Self::TooLarge,
        Self::UnsupportedMediaType,
        Self::CheckFailed,
        Self::TooMany,
        Self::Internal,
        Self::Unavailable,
    ];

    /// Its name in answers and in the page of errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BadRequest => "bad_request",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::TooLarge => "too_large",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::CheckFailed => "check_failed",
            Self::Timeout => "timeout",
            Self::TooMany => "too_many",
            Self::Stopped => "stopped",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    /// What it means and what to do.
    #[must_use]
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::BadRequest => {
                "The request cannot work as it is: a field is missing, unknown, of another type or out of its range. \
                 `field` names it. Change the request; repeating it changes nothing."
            }
            Self::Unauthenticated => {
                "There is no credential, or it is wrong, has ended or was revoked. Send `Authorization: Bearer KEY`, \
                 or sign in again."
            }
            Self::Forbidden => {
                "The credential lacks a scope, a write with a session lacks its X-CSRF-Token, or the request comes \
                 from another site's page or names another host. Use a credential with the scope named."
            }
            Self::NotFound => "There is no such path or thing, or the credential may not see it. Check the id.",
            Self::Conflict => {
                "The state of the thing does not allow this now, or the same request is under way. Look at it first."
            }
            Self::TooLarge => "The body is larger than its limit. Send less, or in parts.",
            Self::MethodNotAllowed => "The path has no such method. The header Allow lists those it has.",
            Self::UnsupportedMediaType => "The body is not of the type that is read here. Send the type named.",
            Self::CheckFailed => "A check ran and did not hold; `detail` says which. The data are not what they claim.",
            Self::Timeout => "The request took too long, perhaps because its body trickled in. Send it again.",
            Self::TooMany => "Too many requests, jobs, streams or sockets. Wait as long as Retry-After says.",
            Self::Stopped => "The platform is stopped. Resume it first: it needs an explicit resume.",
            Self::Internal => "Something failed here. The server's log has the details under the X-Request-Id.",
            Self::Unavailable => "A database or another part is away. Try again as Retry-After says.",
        }
    }

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
            Self::Timeout => StatusCode::REQUEST_TIMEOUT,
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
    /// Seconds to wait before the next try; sent as `Retry-After`.
    #[serde(skip)]
    pub retry_after_s: Option<u64>,
}

impl Problem {
    /// A refusal with `code`; `detail` says what, where and how to fix it.
    #[must_use]
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            about: format!("/docs/errors#{}", code.as_str()),
            status: code.status().as_u16(),
            code,
            detail: detail.into(),
            field: None,
            retry_after_s: (code == Code::Unavailable).then_some(1),
        }
    }

    /// The same, blaming one field of the request.
    #[must_use]
    pub fn field(mut self, name: impl Into<String>) -> Self {
        self.field = Some(name.into());
        self
    }

    /// The same, with the seconds to wait before the next try.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after_s = Some(seconds);
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
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, kind);
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
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
            (JobError::Database(DatabaseError::ServerReplaced { .. }), _) => Code::Unavailable,
            (JobError::Database(DatabaseError::Quota { .. }), _) => Code::TooMany,
            (JobError::Database(DatabaseError::JobState { .. }), _) => Code::Conflict,
            (JobError::Database(DatabaseError::UnknownJob { .. }), _) => Code::NotFound,
            // Where things lie on this machine is nobody's business over the network.
            (JobError::Store(StoreError::NotFound { what, id, .. }), _) => return Self::not_found(what, id),
            // The other ids may be other users'.
            (JobError::Store(StoreError::Ambiguous { what, id, .. }), _) => {
                return Self::new(Code::BadRequest, format!("`{id}` fits several {what}s: give the whole id"));
            }
            (JobError::NotFound(_), _) => Code::NotFound,
            (JobError::Conflict(_), _) => Code::Conflict,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_json() {
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
    }
}
