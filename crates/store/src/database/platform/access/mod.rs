//! Users, API keys, sessions, nonces, the audit log and replies to repeated requests.
//!
//! Roles and scopes are texts here; who may do what is the server's to say.

mod audit_log;
mod keys;
mod nonces;
mod replies;
mod sessions;
mod users;

pub use audit_log::{AuditEntry, NewAudit};
pub use keys::{CredentialRow, KeyRow};
pub use replies::{IdempotentClaim, NewIdempotent, StoredReply};
pub use sessions::Session;
pub use users::{UserChange, UserRow};
