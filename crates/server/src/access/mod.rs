//! Who calls, and what that allows.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::{Code, Problem};

/// What a user may do at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Looks.
    Viewer,
    /// Looks, runs jobs, publishes, streams, stops and resumes.
    Trader,
    /// Everything, users and keys included.
    Owner,
}

/// What a credential is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at things.
    Read,
    /// Start and cancel jobs.
    Run,
    /// Publish models, run streams and destinations.
    Publish,
    /// Stop and resume.
    Control,
    /// Users, keys and the audit log; remote workers.
    Admin,
}

impl Role {
    /// The scopes that the role allows.
    #[must_use]
    pub const fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Viewer => &[Scope::Read],
            Self::Trader => &[Scope::Read, Scope::Run, Scope::Publish, Scope::Control],
            Self::Owner => &[Scope::Read, Scope::Run, Scope::Publish, Scope::Control, Scope::Admin],
        }
    }
}

/// Who a request comes from, put into it by the layer that checks credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user_id: String,
    /// The user's role.
    pub role: Role,
    /// What the credential is good for, within the role.
    pub scopes: Vec<Scope>,
    /// What the audit log calls the credential: `key ID`, `session`.
    pub credential: String,
}

impl Caller {
    /// Refuses a credential without `scope`.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn require(&self, scope: Scope) -> Result<(), Problem> {
        if self.scopes.contains(&scope) && self.role.scopes().contains(&scope) {
            return Ok(());
        }
        let detail = format!("this needs a credential with the scope {scope:?}; ask the owner for such a key");
        Err(Problem::new(Code::Forbidden, detail.to_lowercase()))
    }

    /// Whether the caller may see what `owner` keeps to themselves.
    #[must_use]
    pub fn may_see(&self, owner: &str) -> bool {
        self.user_id == owner || (self.role == Role::Owner && self.scopes.contains(&Scope::Admin))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            let detail = "this needs a credential: send `Authorization: Bearer KEY`, or sign in";
            Problem::new(Code::Unauthenticated, detail)
        })
    }
}
