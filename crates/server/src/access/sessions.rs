//! Sessions of browsers: a random token in a cookie that scripts cannot read, and a second
//! token, which other sites cannot learn, that every write sends in a header.

use assay_store::database::{PlatformDatabase, Session};
use assay_types::Secret;
use axum::http::{HeaderMap, HeaderValue, header};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::Scope;
use super::keys::random;
use crate::problem::Problem;

/// Longest life of a session.
const SESSION_MS: i64 = 12 * 60 * 60 * 1_000;
const TOKEN_BYTES: usize = 32;
/// The header of the second token.
pub(super) const CSRF_HEADER: &str = "x-csrf-token";

/// The cookie of sessions.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionCookie {
    /// Whether it travels over TLS alone.
    pub is_secure: bool,
}

impl SessionCookie {
    /// Browsers take a name with this prefix from the host itself alone, over TLS.
    const fn name(self) -> &'static str {
        if self.is_secure { "__Host-assay_session" } else { "assay_session" }
    }

    /// The token that a request carries.
    pub fn read(self, headers: &HeaderMap) -> Option<Secret> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = cookies.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let (_, token) = pairs.find(|(name, _)| *name == self.name())?;
        let is_token = token.len() == 2 * TOKEN_BYTES && token.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_token.then(|| Secret::new(token.to_owned()))
    }

    /// The header that hands the token out.
    pub fn set(self, token: &Secret) -> HeaderValue {
        self.header(token.reveal(), SESSION_MS / 1_000)
    }

    /// The header that takes the token away.
    pub fn clear(self) -> HeaderValue {
        self.header("", 0)
    }

    fn header(self, token: &str, max_age_s: i64) -> HeaderValue {
        let secure = if self.is_secure { "; Secure" } else { "" };
        let name = self.name();
        let text = format!("{name}={token}; HttpOnly; SameSite=Strict; Path=/; Max-Age={max_age_s}{secure}");
        let mut value = HeaderValue::from_str(&text).expect("hexadecimal digits and fixed words");
        value.set_sensitive(true);
        value
    }
}

/// Begins a session; its token and its end.
pub(crate) async fn begin_session(
    database: &PlatformDatabase,
    user_id: &str,
    key: Option<(&str, Option<i64>)>,
    scopes: &[Scope],
    now_ms: i64,
) -> Result<(Secret, i64), Problem> {
    let token = Secret::new(hex::encode(random::<TOKEN_BYTES>()?));
    let key_end = key.and_then(|(_, end)| end).unwrap_or(i64::MAX);
    let expires_at = (now_ms + SESSION_MS).min(key_end);
    let session = Session {
        user_id: user_id.to_owned(),
        key_id: key.map(|(key_id, _)| key_id.to_owned()),
        scopes: Scope::join(scopes),
        expires_at,
        role: String::new(),
    };
    database.put_session(&session_hash(&token), &session, now_ms).await?;
    Ok((token, expires_at))
}

/// What the database keeps of a token; a token is random enough to need no slow hash.
pub(crate) fn session_hash(token: &Secret) -> String {
    hex::encode(Sha256::digest(token.reveal().as_bytes()))
}

/// The second token of a session: it follows from the first, so that a page that was loaded
/// again can ask for it.
pub(crate) fn csrf_token(token: &Secret) -> String {
    hex::encode(csrf_mac(token).finalize().into_bytes())
}

/// Whether the header holds the second token.
pub(super) fn is_csrf_token(token: &Secret, given: &str) -> bool {
    hex::decode(given).is_ok_and(|given| csrf_mac(token).verify_slice(&given).is_ok())
}

fn csrf_mac(token: &Secret) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(b"assay/csrf/1\n");
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_reads_back_and_hides_from_scripts() {
        let token = Secret::new("ab".repeat(TOKEN_BYTES));
        for is_secure in [false, true] {
            let cookie = SessionCookie { is_secure };
            let set = cookie.set(&token).to_str().unwrap().to_owned();
            assert!(set.contains("; HttpOnly; SameSite=Strict; Path=/;") && set.contains("; Secure") == is_secure);
            let (pair, _) = set.split_once(';').unwrap();
            let mut headers = HeaderMap::new();
            headers.insert(header::COOKIE, format!("other=1; {pair}").parse().unwrap());
            assert_eq!(cookie.read(&headers), Some(token.clone()));
            assert_eq!(SessionCookie { is_secure: !is_secure }.read(&headers), None);
        }
    }

    #[test]
    fn the_second_token_is_the_sessions_own() {
        let (one, two) = (Secret::new("1".into()), Secret::new("2".into()));
        assert!(is_csrf_token(&one, &csrf_token(&one)));
        assert!(!is_csrf_token(&one, &csrf_token(&two)) && !is_csrf_token(&one, "") && !is_csrf_token(&one, "zz"));
    }
}
