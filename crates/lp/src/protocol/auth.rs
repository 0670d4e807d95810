//! Who said what to whom: requests signed in the style of Bittensor's `btauth/1`, and signed
//! responses.
//!
//! A request passes three doors in this order: its headers are read ([`Claim::read`]), its
//! signature is checked over what arrived ([`Claim::verify`]), and its nonce is remembered
//! ([`NonceMemory::remember`](super::NonceMemory::remember)). Each door takes what the one
//! before gives, so no nonce of an unverified request can be remembered.

use std::collections::BTreeSet;

use assay_types::{Hash, SignatureError, SigningKey, public_key_text, sign_bytes, verify_bytes};

/// First line of a signed request.
pub const VERSION: &str = "assay/1";
/// First line of a signed response.
pub const RESPONSE_VERSION: &str = "assay/1-response";
/// Second line of both.
pub const SCHEME: &str = "ed25519";
/// Header with [`VERSION`], or [`RESPONSE_VERSION`] in a response.
pub const VERSION_HEADER: &str = "x-assay-version";
/// Header with the sender's public key, 64 hexadecimal digits.
pub const KEY_HEADER: &str = "x-assay-key";
/// Header with the receiver's public key, 64 hexadecimal digits.
pub const RECEIVER_HEADER: &str = "x-assay-receiver";
/// Header with the nonce of a request: nanoseconds since 1970, decimal.
pub const NONCE_HEADER: &str = "x-assay-nonce";
/// Header with the signature, 128 hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-assay-signature";
/// A request may be this old, in nanoseconds.
pub const WINDOW_BACK_NS: u64 = 10_000_000_000;
/// A request may be this far ahead of the receiver's clock, in nanoseconds.
pub const WINDOW_AHEAD_NS: u64 = 2_000_000_000;

/// Why a message is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no signature.
    #[error("the message is not signed: it has no {SIGNATURE_HEADER} header")]
    Unsigned,
    /// A header is missing or does not read.
    #[error("the header {header} {reason}")]
    Malformed {
        /// The header.
        header: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Signed for somebody else.
    #[error("the message is for {found}, not for {expected}")]
    WrongReceiver {
        /// Whom it names.
        found: String,
        /// Who we are.
        expected: String,
    },
    /// Signed by a key that is not expected here.
    #[error("the sender {0} is not expected here")]
    UnknownSender(String),
    /// Signed too long ago.
    #[error("the request was signed {age_ms} ms ago; {limit_ms} ms are allowed: compare the clocks", limit_ms = WINDOW_BACK_NS / 1_000_000)]
    Stale {
        /// Its age in milliseconds.
        age_ms: u64,
    },
    /// Signed in the receiver's future.
    #[error("the request was signed {ahead_ms} ms ahead of this clock; {limit_ms} ms are allowed: compare the clocks", limit_ms = WINDOW_AHEAD_NS / 1_000_000)]
    Future {
        /// How far ahead in milliseconds.
        ahead_ms: u64,
    },
    /// The signature belongs to other bytes.
    #[error("the signature does not match what arrived (method, path, body, nonce, sender, receiver)")]
    Tampered,
    /// The nonce was there before.
    #[error("nonce {0} was used before")]
    Replayed(u64),
    /// Too many requests within the window.
    #[error("more than {limit} {what} within the time window")]
    Crowded {
        /// What is too many.
        what: &'static str,
        /// How many may be.
        limit: usize,
    },
}

impl AuthError {
    /// One word for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed { .. } => "malformed",
            Self::WrongReceiver { .. } => "wrong_receiver",
            Self::UnknownSender(_) => "unknown_sender",
            Self::Stale { .. } => "stale",
            Self::Future { .. } => "future",
            Self::Tampered => "tampered",
            Self::Replayed(_) => "replayed",
            Self::Crowded { .. } => "crowded",
        }
    }
}

/// What a request's signature covers; `btauth/1` and `assay/1` differ in version and scheme.
#[derive(Debug, Clone, Copy)]
pub struct RequestPayload<'a> {
    /// Version of the protocol.
    pub version: &'a str,
    /// Scheme of the signature.
    pub scheme: &'a str,
    /// HTTP method.
    pub method: &'a str,
    /// Path, and `?` with the query where there is one, as sent.
    pub target: &'a str,
    /// The raw body.
    pub body: &'a [u8],
    /// Nanoseconds since 1970.
    pub nonce: u64,
    /// Key of the sender.
    pub sender: &'a str,
    /// Key of the receiver.
    pub receiver: &'a str,
}

impl RequestPayload<'_> {
    /// The signed text: eight lines without a last line break.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { version, scheme, method, target, body, nonce, sender, receiver } = self;
        let (method, body) = (method.to_ascii_uppercase(), Hash::of(body));
        format!("{version}\n{scheme}\n{method}\n{target}\n{body}\n{nonce}\n{sender}\n{receiver}")
    }
}

/// The signed text of a response: seven lines without a last line break.
#[must_use]
pub fn response_payload(request: Hash, status: u16, body: &[u8], sender: &str, receiver: &str) -> String {
    format!("{RESPONSE_VERSION}\n{SCHEME}\n{request}\n{status}\n{}\n{sender}\n{receiver}", Hash::of(body))
}

/// The five headers, each as it arrived or is sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers {
    /// [`VERSION_HEADER`].
    pub version: Option<String>,
    /// [`KEY_HEADER`].
    pub key: Option<String>,
    /// [`RECEIVER_HEADER`].
    pub receiver: Option<String>,
    /// [`NONCE_HEADER`]; none in a response.
    pub nonce: Option<String>,
    /// [`SIGNATURE_HEADER`].
    pub signature: Option<String>,
}

impl Headers {
    /// Reads the headers by their lower-case names.
    pub fn read(mut get: impl FnMut(&'static str) -> Option<String>) -> Self {
        Self {
            version: get(VERSION_HEADER),
            key: get(KEY_HEADER),
            receiver: get(RECEIVER_HEADER),
            nonce: get(NONCE_HEADER),
            signature: get(SIGNATURE_HEADER),
        }
    }

    /// The headers that are there, with their names.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            (VERSION_HEADER, &self.version),
            (KEY_HEADER, &self.key),
            (RECEIVER_HEADER, &self.receiver),
            (NONCE_HEADER, &self.nonce),
            (SIGNATURE_HEADER, &self.signature),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
    }
}

/// A request ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRequest {
    /// What goes into its headers.
    pub headers: Headers,
    /// SHA-256 of the signed text, which the response has to name.
    pub digest: Hash,
}

/// Signs a request of `key` to `receiver`.
#[must_use]
pub fn sign_request(
    key: &SigningKey,
    method: &str,
    target: &str,
    body: &[u8],
    nonce: u64,
    receiver: &str,
) -> SignedRequest {
    let sender = public_key_text(key);
    let payload =
        RequestPayload { version: VERSION, scheme: SCHEME, method, target, body, nonce, sender: &sender, receiver };
    let text = payload.text();
    let headers = Headers {
        version: Some(VERSION.to_owned()),
        receiver: Some(receiver.to_owned()),
        nonce: Some(nonce.to_string()),
        signature: Some(sign_bytes(text.as_bytes(), key)),
        key: Some(sender),
    };
    SignedRequest { headers, digest: Hash::of(text.as_bytes()) }
}

/// What a request's headers say, not yet proven.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    sender: String,
    receiver: String,
    nonce: u64,
    signature: String,
}

impl Claim {
    /// Reads the headers of a request to `us` at `now_ns`; `allowed` are the senders that may
    /// ask, everybody when `None`.
    ///
    /// # Errors
    /// [`AuthError`] naming the first thing that is wrong.
    pub fn read(
        headers: &Headers,
        us: &str,
        allowed: Option<&BTreeSet<String>>,
        now_ns: u64,
    ) -> Result<Self, AuthError> {
        let (sender, signature) = signed_by(headers, VERSION)?;
        let receiver = key(RECEIVER_HEADER, headers.receiver.as_deref())?;
        let nonce = nonce(headers.nonce.as_deref())?;
        if receiver != us {
            return Err(AuthError::WrongReceiver { found: receiver.to_owned(), expected: us.to_owned() });
        }
        if allowed.is_some_and(|allowed| !allowed.contains(sender)) {
            return Err(AuthError::UnknownSender(sender.to_owned()));
        }
        in_window(nonce, now_ns)?;
        Ok(Self { sender: sender.to_owned(), receiver: receiver.to_owned(), nonce, signature: signature.to_owned() })
    }

    /// Checks the signature over what arrived, and the time again, because a body takes time.
    ///
    /// # Errors
    /// [`AuthError::Tampered`], [`AuthError::Malformed`] or [`AuthError::Stale`].
    pub fn verify(self, method: &str, target: &str, body: &[u8], now_ns: u64) -> Result<Checked, AuthError> {
        in_window(self.nonce, now_ns)?;
        let payload = RequestPayload {
            version: VERSION,
            scheme: SCHEME,
            method,
            target,
            body,
            nonce: self.nonce,
            sender: &self.sender,
            receiver: &self.receiver,
        };
        let text = payload.text();
        signature_holds(text.as_bytes(), &self.signature, &self.sender)?;
        Ok(Checked { sender: self.sender, nonce: self.nonce, digest: Hash::of(text.as_bytes()) })
    }
}

/// A request whose signature holds, and whose nonce may be an old one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    pub(super) sender: String,
    pub(super) nonce: u64,
    pub(super) digest: Hash,
}

/// A request that is what it says and came for the first time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Key of the sender.
    pub sender: String,
    /// SHA-256 of the signed text, which the response has to name.
    pub digest: Hash,
}

/// Signs a response of `key` to the request with this digest from `receiver`.
#[must_use]
pub fn sign_response(key: &SigningKey, request: Hash, status: u16, body: &[u8], receiver: &str) -> Headers {
    let sender = public_key_text(key);
    let text = response_payload(request, status, body, &sender, receiver);
    Headers {
        version: Some(RESPONSE_VERSION.to_owned()),
        receiver: Some(receiver.to_owned()),
        nonce: None,
        signature: Some(sign_bytes(text.as_bytes(), key)),
        key: Some(sender),
    }
}

/// Checks that `sender` gave this response to `us` for the request with this digest.
///
/// # Errors
/// [`AuthError`] naming the first thing that is wrong.
pub fn verify_response(
    headers: &Headers,
    sender: &str,
    us: &str,
    request: Hash,
    status: u16,
    body: &[u8],
) -> Result<(), AuthError> {
    let (found, signature) = signed_by(headers, RESPONSE_VERSION)?;
    if found != sender {
        return Err(AuthError::UnknownSender(found.to_owned()));
    }
    let receiver = key(RECEIVER_HEADER, headers.receiver.as_deref())?;
    if receiver != us {
        return Err(AuthError::WrongReceiver { found: receiver.to_owned(), expected: us.to_owned() });
    }
    signature_holds(response_payload(request, status, body, sender, us).as_bytes(), signature, sender)
}

/// Whether `text` is a key as it stands in headers, texts and records: 64 lower-case
/// hexadecimal digits.
#[must_use]
pub fn is_key_text(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn signed_by<'a>(headers: &'a Headers, version: &str) -> Result<(&'a str, &'a str), AuthError> {
    let signature = headers.signature.as_deref().ok_or(AuthError::Unsigned)?;
    match headers.version.as_deref() {
        Some(found) if found == version => {}
        found => {
            let reason = format!("is {}, not `{version}`", quoted(found));
            return Err(AuthError::Malformed { header: VERSION_HEADER, reason });
        }
    }
    Ok((key(KEY_HEADER, headers.key.as_deref())?, signature))
}

fn key<'a>(header: &'static str, found: Option<&'a str>) -> Result<&'a str, AuthError> {
    found.filter(|text| is_key_text(text)).ok_or_else(|| {
        let reason = format!("is {}, not 64 lower-case hexadecimal digits", quoted(found));
        AuthError::Malformed { header, reason }
    })
}

fn nonce(found: Option<&str>) -> Result<u64, AuthError> {
    let nonce = found.and_then(|text| text.parse::<u64>().ok().filter(|nonce| nonce.to_string() == text));
    nonce.ok_or_else(|| {
        let reason = format!("is {}, not nanoseconds since 1970", quoted(found));
        AuthError::Malformed { header: NONCE_HEADER, reason }
    })
}

fn quoted(found: Option<&str>) -> String {
    found.map_or_else(|| "missing".to_owned(), |text| format!("`{}`", text.chars().take(80).collect::<String>()))
}

const fn in_window(nonce: u64, now_ns: u64) -> Result<(), AuthError> {
    if now_ns.saturating_sub(nonce) > WINDOW_BACK_NS {
        return Err(AuthError::Stale { age_ms: (now_ns - nonce) / 1_000_000 });
    }
    if nonce.saturating_sub(now_ns) > WINDOW_AHEAD_NS {
        return Err(AuthError::Future { ahead_ms: (nonce - now_ns) / 1_000_000 });
    }
    Ok(())
}

fn signature_holds(text: &[u8], signature: &str, sender: &str) -> Result<(), AuthError> {
    verify_bytes(text, signature, sender).map_err(|error| match error {
        SignatureError::Key => AuthError::Malformed { header: KEY_HEADER, reason: error.to_string() },
        SignatureError::Malformed => AuthError::Malformed { header: SIGNATURE_HEADER, reason: error.to_string() },
        SignatureError::Mismatch => AuthError::Tampered,
    })
}

#[cfg(test)]
#[path = "auth_tests.rs"]
mod tests;
