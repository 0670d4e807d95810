//! Sign-In with Ethereum (EIP-4361): the message that a wallet signs, read strictly.

use alloy_primitives::Address;
use assay_types::time::parse_utc;
use axum::http::Uri;

use crate::problem::{Code, Problem};

/// Longest message.
pub(crate) const MAX_MESSAGE: usize = 4_096;
/// How long a nonce may be used, and how old a message may be.
pub(crate) const NONCE_MS: i64 = 10 * 60 * 1_000;
/// How far a wallet's clock may be ahead.
const CLOCK_SKEW_MS: i64 = 60 * 1_000;
const MIN_NONCE: usize = 8;
const ASKS: &str = " wants you to sign in with your Ethereum account:";

/// What a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// The scheme before the domain, where it is given.
    pub scheme: Option<String>,
    /// The host, with its port, that asks.
    pub domain: String,
    /// The wallet.
    pub address: Address,
    /// What is signed in to.
    pub uri: String,
    /// The chain of the wallet.
    pub chain_id: u64,
    /// The nonce.
    pub nonce: String,
    /// Times in ms since 1970.
    pub issued_at: i64,
    pub expires_at: Option<i64>,
    pub not_before: Option<i64>,
}

/// What a message must say to be taken here and now.
pub(crate) struct Expected<'a> {
    /// `http` or `https`.
    pub scheme: &'a str,
    /// The host with its port.
    pub domain: &'a str,
    /// Chains whose wallets may sign in.
    pub chain_ids: &'a [u64],
    /// The time in ms since 1970.
    pub now_ms: i64,
}

impl Message {
    /// Reads a message, every line in its place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        if text.len() > MAX_MESSAGE {
            return Err(wrong(&format!("it is longer than {MAX_MESSAGE} bytes")));
        }
        if text.contains(|c: char| c.is_control() && c != '\n') {
            return Err(wrong("it holds control characters"));
        }
        let mut lines = text.split('\n');
        let mut next = || lines.next().ok_or_else(|| wrong("it ends early"));
        let who = next()?.strip_suffix(ASKS).ok_or_else(|| wrong(&format!("the first line must be `DOMAIN{ASKS}`")))?;
        let (scheme, domain) = match who.split_once("://") {
            Some((scheme, domain)) => (Some(scheme.to_owned()), domain),
            None => (None, who),
        };
        let address = Address::parse_checksummed(next()?, None)
            .map_err(|_| wrong("the second line must be the address in its checksummed form"))?;
        if !next()?.is_empty() {
            return Err(wrong("the third line must be empty"));
        }
        // An optional statement, then an empty line.
        if !next()?.is_empty() && !next()?.is_empty() {
            return Err(wrong("a statement is one line, followed by an empty one"));
        }
        let uri = field(next()?, "URI: ")?.to_owned();
        if field(next()?, "Version: ")? != "1" {
            return Err(wrong("the version must be 1"));
        }
        let chain_id = field(next()?, "Chain ID: ")?.parse().map_err(|_| wrong("the chain id is no number"))?;
        let nonce = field(next()?, "Nonce: ")?.to_owned();
        if nonce.len() < MIN_NONCE || !nonce.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(wrong("the nonce must be 8 or more letters and digits"));
        }
        let issued_at = time(field(next()?, "Issued At: ")?)?;
        let mut rest = lines.peekable();
        let mut optional = |label: &str| {
            let value = rest.peek().and_then(|line| line.strip_prefix(label)).map(str::to_owned);
            if value.is_some() {
                rest.next();
            }
            value
        };
        let expires_at = optional("Expiration Time: ").map(|text| time(&text)).transpose()?;
        let not_before = optional("Not Before: ").map(|text| time(&text)).transpose()?;
        optional("Request ID: ");
        if optional("Resources:").is_some_and(|rest| !rest.is_empty()) {
            return Err(wrong("resources follow on lines of their own"));
        }
        if let Some(line) = rest.find(|line| !line.starts_with("- ")) {
            return Err(wrong(&format!("`{line}` has no place in it")));
        }
        let domain = domain.to_owned();
        Ok(Self { scheme, domain, address, uri, chain_id, nonce, issued_at, expires_at, not_before })
    }

    /// Refuses a message that was signed for another place or time.
    pub fn check(&self, expected: &Expected<'_>) -> Result<(), Problem> {
        let refused = |reason: String| Err(Problem::new(Code::Unauthenticated, format!("the signed message {reason}")));
        let (scheme, domain, now) = (expected.scheme, expected.domain, expected.now_ms);
        if self.domain != domain || self.scheme.as_ref().is_some_and(|given| given != scheme) {
            return refused(format!("is for another site; this one is {scheme}://{domain}"));
        }
        let is_own = self.uri.parse::<Uri>().is_ok_and(|uri| {
            uri.scheme_str() == Some(scheme) && uri.authority().is_some_and(|authority| authority.as_str() == domain)
        });
        if !is_own {
            return refused(format!("has another URI; it must begin with {scheme}://{domain}"));
        }
        if !expected.chain_ids.contains(&self.chain_id) {
            return refused(format!("is for chain {}; taken are {:?}", self.chain_id, expected.chain_ids));
        }
        if self.issued_at > now + CLOCK_SKEW_MS {
            return refused("was issued in the future; set the clock of the wallet's machine".to_owned());
        }
        if self.issued_at < now - NONCE_MS {
            return refused("was issued too long ago; sign in again".to_owned());
        }
        if self.expires_at.is_some_and(|end| end <= now) {
            return refused("has expired; sign in again".to_owned());
        }
        if self.not_before.is_some_and(|start| start > now) {
            return refused("is not valid yet".to_owned());
        }
        Ok(())
    }
}

fn wrong(reason: &str) -> Problem {
    let detail = format!("the message is none of EIP-4361: {reason}");
    Problem::new(Code::BadRequest, detail).field("message")
}

fn field<'a>(line: &'a str, label: &str) -> Result<&'a str, Problem> {
    line.strip_prefix(label).ok_or_else(|| wrong(&format!("a line `{label}…` is missing or out of its place")))
}

/// A time of RFC 3339: date, `T`, time and offset.
fn time(text: &str) -> Result<i64, Problem> {
    let bytes = text.as_bytes();
    let is_whole = bytes.len() >= 20 && bytes[4] == b'-' && bytes[10] == b'T' && bytes[13] == b':' && bytes[16] == b':';
    let tail = text.get(19..).unwrap_or_default();
    let has_offset = tail.ends_with('Z') || tail.contains(['+', '-']);
    let time = if is_whole && has_offset { parse_utc(text).ok() } else { None };
    time.ok_or_else(|| wrong("a time is not like 2026-01-31T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "https://assay.example wants you to sign in with your Ethereum account:\n\
        0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2\n\nI accept the terms.\n\nURI: https://assay.example/login\n\
        Version: 1\nChain ID: 1\nNonce: 32891756abcd\nIssued At: 2026-01-31T12:00:00Z\n\
        Expiration Time: 2026-01-31T12:05:00+00:00\nNot Before: 2026-01-31T11:59:00.000Z\nRequest ID: r 1\n\
        Resources:\n- ipfs://a\n- https://b";

    fn expected(now: &str) -> Expected<'static> {
        Expected { scheme: "https", domain: "assay.example", chain_ids: &[1], now_ms: parse_utc(now).unwrap() }
    }

    #[test]
    fn a_whole_message_is_read() {
        let message = Message::parse(TEXT).unwrap();
        assert_eq!((message.chain_id, message.nonce.as_str()), (1, "32891756abcd"));
        message.check(&expected("2026-01-31T12:01:00Z")).unwrap();
        // Without statement and what is optional.
        let bare = TEXT.replace("I accept the terms.\n", "");
        let bare = bare.split_once("\nExpiration").unwrap().0;
        assert_eq!(Message::parse(bare).unwrap().expires_at, None);
        assert_eq!(Message::parse(bare).unwrap().uri, message.uri);
    }

    #[test]
    fn a_message_for_another_place_or_time_is_refused() {
        let now = "2026-01-31T12:01:00Z";
        for (from, to) in [
            ("assay.example wants", "evil.example wants"),
            ("https://assay.example wants", "http://assay.example wants"),
            ("URI: https://assay.example/", "URI: https://evil.example/"),
            ("URI: https://assay.example/", "URI: https://assay.example.evil.example/"),
            ("URI: https://assay.example/", "URI: http://assay.example/"),
            ("Chain ID: 1", "Chain ID: 10"),
        ] {
            let message = Message::parse(&TEXT.replace(from, to)).unwrap();
            assert_eq!(message.check(&expected(now)).unwrap_err().code, Code::Unauthenticated, "{to}");
        }
        let message = Message::parse(TEXT).unwrap();
        for now in ["2026-01-31T11:58:30Z", "2026-01-31T11:50:00Z", "2026-01-31T12:05:00Z", "2026-01-31T12:30:00Z"] {
            assert!(message.check(&expected(now)).is_err(), "{now}");
        }
    }

    #[test]
    fn what_is_no_message_is_named() {
        for (from, to) in [
            ("Version: 1", "Version: 2"),
            ("Chain ID: 1", "Chain ID: one"),
            ("Nonce: 32891756abcd", "Nonce: 1234567"),
            ("Nonce: 32891756abcd", "Nonce: 1234567;"),
            ("0xC02", "0xc02"),
            ("Ethereum", "Solana"),
            ("2026-01-31T12:00:00Z", "1769860800000"),
            ("2026-01-31T12:00:00Z", "2026-01-31"),
            ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00"),
            ("I accept the terms.\n", "I accept\nthe terms.\n"),
            ("Request ID: r 1\n", "Request ID: r 1\nOther: 1\n"),
            ("Version: 1\n", ""),
            ("I accept", "I\raccept"),
        ] {
            assert_ne!(TEXT.replace(from, to), TEXT, "{from}");
            assert_eq!(Message::parse(&TEXT.replace(from, to)).unwrap_err().code, Code::BadRequest, "{to}");
        }
        for end in 0..TEXT.find("\nExpiration").unwrap() - 1 {
            assert!(Message::parse(&TEXT[..end]).is_err(), "{end}");
        }
    }
}
