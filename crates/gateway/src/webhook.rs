//! Webhooks: each message is one POST with a signature that its receiver can check.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use assay_types::Secret;
use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use reqwest::{Client, Response, StatusCode, Url, redirect};
use sha2::Sha256;

use crate::address::{Guard, is_public};
use crate::error::{GatewayError, Refusal};
use crate::message::Message;
use crate::settings::GatewaySettings;

/// Longest URL of a webhook.
pub const MAX_URL_BYTES: usize = 2_048;
/// What is read of an answer before its connection is given up; none of it is kept.
const MAX_ANSWER_BYTES: usize = 64 << 10;
/// Longest wait that a receiver may ask for.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(3_600);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends to webhooks, over connections that it keeps.
pub(crate) struct Webhooks {
    http: Client,
    allows_private: bool,
    timeout: Duration,
}

impl Webhooks {
    pub fn new(settings: &GatewaySettings) -> Result<Self, GatewayError> {
        let allows_private = settings.allow_private_webhooks;
        let http = Client::builder()
            .dns_resolver(Arc::new(Guard { allows_private }))
            // An environment's proxy would resolve names itself.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_max_idle_per_host(2)
            .build()
            .map_err(|error| GatewayError::Http(error.to_string()))?;
        Ok(Self { http, allows_private, timeout: settings.send_timeout })
    }

    pub async fn send(&self, url: &str, secret: &Secret, message: &Message, now_ms: i64) -> Result<(), Refusal> {
        let url = webhook_url(url, self.allows_private).map_err(|error| Refusal::last(error.to_string()))?;
        let seconds = now_ms / 1_000;
        let mut request = self
            .http
            .post(url)
            .timeout(self.timeout)
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("assay/", env!("CARGO_PKG_VERSION")))
            .header("Assay-Timestamp", seconds.to_string())
            .header("Assay-Signature", signature(secret, seconds, message.body.as_bytes()));
        for (name, value) in message.headers() {
            request = request.header(name, value);
        }
        let sent = request.body(message.body.as_bytes().to_vec()).send().await;
        // The URL may hold a secret path.
        let answer = sent.map_err(|error| Refusal::caused(&error.without_url()))?;
        let verdict = verdict(&answer);
        drain(answer).await;
        verdict
    }
}

/// The header `Assay-Signature`: `t=SECONDS,v1=HEX`, where HEX is HMAC-SHA256 of `SECONDS.BODY`
/// under the text of `secret`.
#[must_use]
pub fn signature(secret: &Secret, seconds: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.reveal().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(format!("{seconds}.").as_bytes());
    mac.update(body);
    format!("t={seconds},v1={}", hex::encode(mac.finalize().into_bytes()))
}

/// Reads the URL of a webhook. It is `https`, names no user, and is not an address that is not
/// public; `allows_private` lifts the last, and permits `http` to loopback.
///
/// # Errors
/// [`GatewayError::Target`] saying what is wrong.
pub fn webhook_url(text: &str, allows_private: bool) -> Result<Url, GatewayError> {
    let wrong = |reason: &str| GatewayError::Target(reason.to_owned());
    if text.len() > MAX_URL_BYTES {
        return Err(GatewayError::Target(format!("the URL is longer than {MAX_URL_BYTES} bytes")));
    }
    let url = Url::parse(text).map_err(|error| GatewayError::Target(format!("the URL cannot be read: {error}")))?;
    let host = url.host_str().ok_or_else(|| wrong("the URL has no host"))?;
    let address: Option<IpAddr> = host.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let is_loopback = address.map_or_else(|| is_local_name(host), |address| address.is_loopback());
    match url.scheme() {
        "https" => {}
        "http" if is_loopback && allows_private => {}
        _ => return Err(wrong("the URL must begin with https://")),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("the URL names a user; receivers check the signature instead"));
    }
    if url.fragment().is_some() {
        return Err(wrong("the URL has a fragment, which is never sent; leave it out"));
    }
    if !allows_private && (is_loopback || address.is_some_and(|address| !is_public(address))) {
        return Err(wrong("the URL is of this machine or of a private network; signals are sent to public addresses"));
    }
    Ok(url)
}

fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

fn verdict(answer: &Response) -> Result<(), Refusal> {
    let status = answer.status();
    if status.is_success() {
        return Ok(());
    }
    if status == StatusCode::GONE {
        return Err(Refusal::last("it answered 410: it wants no more signals"));
    }
    if status.is_redirection() {
        return Err(Refusal::passing(format!("it answered {}: redirects are not followed", status.as_u16())));
    }
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let retry_after = seconds.map(|seconds| Duration::from_secs(seconds).min(MAX_RETRY_AFTER));
    Err(Refusal { retry_after, ..Refusal::passing(format!("it answered {}", status.as_u16())) })
}

/// Reads the rest of an answer, so that its connection can be used again.
async fn drain(mut answer: Response) {
    let mut read = 0;
    while let Ok(Some(bytes)) = answer.chunk().await {
        read += bytes.len();
        if read > MAX_ANSWER_BYTES {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_what_another_implementation_says() {
        // python3 -c "import hmac; print(hmac.new(b'whsec', b'1700000000.{\"seq\":1}', 'sha256').hexdigest())"
        let secret = Secret::new("whsec".to_owned());
        let expected = "t=1700000000,v1=6acb0a2c18af5c775575ce1ef81f008481506802ae0c05bb685f0e7c90d81bc7";
        assert_eq!(signature(&secret, 1_700_000_000, br#"{"seq":1}"#), expected);
    }

    #[test]
    fn urls_that_reach_inside_are_refused() {
        let reason =
            |text: &str, allows_private| webhook_url(text, allows_private).err().map(|error| error.to_string());
        for good in [
            "https://example.com/hook?x=1",
            "https://example.com:8443/",
            "https://1.1.1.1/",
            "https://[2606:4700::1111]/",
        ] {
            assert_eq!(reason(good, false), None, "{good}");
        }
        for bad in [
            "http://example.com/",
            "ftp://example.com/",
            "https://",
            "example.com",
            "https://user@example.com/",
            "https://:pass@example.com/",
            "https://example.com/#part",
            "https://localhost/",
            "https://a.localhost./",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://169.254.169.254/latest",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.0.0.1/",
            "https://[fd00::1]/",
            "javascript:alert(1)",
        ] {
            assert!(reason(bad, false).is_some(), "{bad}");
        }
        for good in ["http://127.0.0.1:9000/", "http://localhost/", "https://10.0.0.1/", "http://[::1]:1/"] {
            assert_eq!(reason(good, true), None, "{good}");
        }
        assert!(reason("http://10.0.0.1/", true).is_some() && reason("http://example.com/", true).is_some());
        assert!(reason(&format!("https://example.com/{}", "a".repeat(MAX_URL_BYTES)), false).is_some());
    }
}
