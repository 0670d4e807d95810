//! Who calls, and what that allows.

mod audit;
mod buckets;
mod credentials;
mod first_owner;
mod hosts;
mod idempotency;
mod keys;
mod layers;
mod options;
mod sessions;
pub(crate) mod siwe;
mod wallet;

pub use audit::Subject;
pub(crate) use audit::{NotedStatus, audit, entry as audit_entry, noted};
pub(crate) use buckets::Buckets;
pub(crate) use credentials::{Credentials, Gate, Presented};
pub(crate) use first_owner::new_user_id;
pub use first_owner::{another_owner_key, first_owner};
pub(crate) use hosts::{host_of, is_loopback_host};
pub use idempotency::NotKept;
pub(crate) use idempotency::{KEPT_MS, idempotency};
pub(crate) use keys::{NewKey, random};
pub use layers::Peer;
pub(crate) use layers::{Address, admit, authenticate, guard, timed};
pub use options::{AccessOptions, Limits, PublicUrl, UnknownWallets};
pub(crate) use sessions::{SessionCookie, begin_session, csrf_token, session_hash};
pub(crate) use wallet::signer;

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
    /// Its name in the database and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Trader => "trader",
            Self::Owner => "owner",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Viewer, Self::Trader, Self::Owner].into_iter().find(|role| role.as_str() == name)
    }

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

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [Self::Read, Self::Run, Self::Publish, Self::Control, Self::Admin];

    /// Its name in the database and in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Run => "run",
            Self::Publish => "publish",
            Self::Control => "control",
            Self::Admin => "admin",
        }
    }

    /// The scopes in a text of names with spaces between; unknown names are left out.
    #[must_use]
    pub fn parse_all(text: &str) -> Vec<Self> {
        text.split(' ').filter_map(|name| Self::ALL.into_iter().find(|scope| scope.as_str() == name)).collect()
    }

    /// The text that [`Scope::parse_all`] reads.
    #[must_use]
    pub fn join(scopes: &[Self]) -> String {
        scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ")
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
        let detail =
            format!("this needs a credential with the scope `{}`; ask the owner for such a key", scope.as_str());
        Err(Problem::new(Code::Forbidden, detail))
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
