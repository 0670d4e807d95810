//! How a server is reached, and how much it takes from whom.

use std::str::FromStr;
use std::time::Duration;

use assay_jobs::JobError;
use axum::http::Uri;

/// How a server is reached, and how much it takes from whom.
#[derive(Debug, Clone)]
pub struct AccessOptions {
    /// Where people open it, when that is not a loopback address: wallets sign in there alone.
    pub public_url: Option<PublicUrl>,
    /// Whether a proxy stands before it, whose `X-Forwarded-For` is believed.
    pub behind_proxy: bool,
    /// Whether it listens on a loopback address alone.
    pub is_loopback: bool,
    /// Whether it speaks TLS itself.
    pub is_tls: bool,
    /// What becomes of wallets that no user has.
    pub unknown_wallets: UnknownWallets,
    /// Chains whose wallets may sign in.
    pub chain_ids: Vec<u64>,
    /// How much it takes.
    pub limits: Limits,
}

impl Default for AccessOptions {
    fn default() -> Self {
        Self {
            public_url: None,
            behind_proxy: false,
            is_loopback: true,
            is_tls: false,
            unknown_wallets: UnknownWallets::Refuse,
            chain_ids: vec![1, 8453],
            limits: Limits::default(),
        }
    }
}

impl AccessOptions {
    /// Whether cookies travel over TLS alone.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.is_tls || self.behind_proxy || self.public_url.as_ref().is_some_and(|url| url.scheme == "https")
    }
}

/// What becomes of wallets that no user has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownWallets {
    /// They are refused.
    Refuse,
    /// Each becomes a user who looks.
    Viewer,
}

/// How much a server takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Requests of one credential per second; twice as many at once.
    pub credential_per_second: u32,
    /// Requests without a credential from one address per second; ten times as many at once.
    pub address_per_second: u32,
    /// Bytes of a body.
    pub body_bytes: usize,
    /// Longest time from the head of a request to the head of its answer.
    pub request_timeout: Duration,
    /// Open connections; more wait.
    pub connections: usize,
    /// Open sockets of the event stream; more are refused.
    pub sockets: usize,
    /// Longest wait for a socket's reader to take what was sent.
    pub send_timeout: Duration,
    /// Time between heartbeats on a socket.
    pub heartbeat: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            credential_per_second: 1_000,
            address_per_second: 50,
            body_bytes: 1 << 20,
            request_timeout: Duration::from_secs(30),
            connections: 4_096,
            sockets: 2_048,
            send_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(30),
        }
    }
}

/// `https://HOST[:PORT]` or `http://HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicUrl {
    /// `https` or `http`.
    pub scheme: String,
    /// `HOST[:PORT]` in lower case.
    pub authority: String,
}

impl PublicUrl {
    /// The URL without a trailing slash.
    #[must_use]
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }
}

impl FromStr for PublicUrl {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        let wrong = || JobError::Input(format!("`{text}` is no address such as https://assay.example.org"));
        let uri: Uri = text.parse().map_err(|_| wrong())?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(wrong()) };
        let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
        if !matches!(scheme, "http" | "https") || !is_bare {
            return Err(wrong());
        }
        Ok(Self { scheme: scheme.to_owned(), authority: authority.as_str().to_ascii_lowercase() })
    }
}
