//! What can go wrong on the way.

use std::time::Duration;

use assay_store::StoreError;
use assay_store::database::DatabaseError;

/// An error of the gateway.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The database failed.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A secret cannot be opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A destination cannot be sent to as it is.
    #[error("{0}")]
    Target(String),
    /// The webhook client cannot be made.
    #[error("cannot prepare for webhooks: {0}")]
    Http(String),
    /// Everything is stopped.
    #[error("sending is stopped; resume it first")]
    Stopped,
}

/// Why a destination did not take a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What happened, without secrets.
    pub reason: String,
    /// When it asked to be tried again.
    pub retry_after: Option<Duration>,
    /// Whether it asked never to be tried again.
    pub is_final: bool,
}

/// Longest reason that is kept.
const MAX_REASON: usize = 300;

impl Refusal {
    /// A failure that may pass.
    #[must_use]
    pub fn passing(reason: impl AsRef<str>) -> Self {
        // Remote texts end up in the database and in replies.
        let reason = reason.as_ref().chars().filter(|c| !c.is_control()).take(MAX_REASON).collect();
        Self { reason, retry_after: None, is_final: false }
    }

    /// A failure that will not pass by itself.
    #[must_use]
    pub fn last(reason: impl AsRef<str>) -> Self {
        Self { is_final: true, ..Self::passing(reason) }
    }

    /// A failure with all its causes.
    pub(crate) fn caused(error: &dyn std::error::Error) -> Self {
        let mut reason = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !reason.contains(&text) {
                reason = format!("{reason}: {text}");
            }
            source = cause.source();
        }
        Self::passing(reason)
    }
}
