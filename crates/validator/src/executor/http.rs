//! An executor service over HTTP: requests signed like those to miners, an API key in a
//! header, responses signed by the service.

use std::time::Duration;

use assay_lp::protocol::auth::{Headers, sign_request, verify_response};
use assay_types::SigningKey;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Client, Method, Url};
use serde::de::DeserializeOwned;

use super::{Executor, ExecutorError, Order, Receipt, ReceiptStatus, VaultReport, VaultRound};
use crate::clock::system_ms;

/// One request to the service, connecting included.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of a response.
const MAX_RESPONSE_BYTES: usize = 64 * 1024;
/// Posts of one order or opening while the service is not reached; each has the same key.
const MAX_POSTS: u32 = 5;
/// Between two posts, and between two looks at a receipt.
const PAUSE: Duration = Duration::from_millis(250);

/// The service's API key; prints itself as `[hidden]`.
#[derive(Clone)]
pub struct ApiKey(HeaderValue);

impl ApiKey {
    /// A key as the service gave it.
    ///
    /// # Errors
    /// [`ExecutorError::Setup`] for text that no header can hold.
    pub fn new(text: &str) -> Result<Self, ExecutorError> {
        let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
            .map_err(|_| ExecutorError::Setup("the API key has characters that no header can hold".into()))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }
}

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[hidden]")
    }
}

/// The service's paths.
#[derive(Debug, Clone, Copy)]
pub struct Wire;

impl Wire {
    /// `POST`: opens a round, body [`VaultRound`], response [`VaultReport`].
    pub const ROUNDS: &str = "/v1/rounds";
    /// `POST`: executes an order, body [`Order`], response [`Receipt`].
    pub const EXECUTIONS: &str = "/v1/executions";

    /// `GET`: the receipt of an order.
    #[must_use]
    pub fn execution(order: &Order) -> String {
        format!("{}/{}", Self::EXECUTIONS, order.idempotency_key())
    }

    /// `GET`: the vault's holdings after a block.
    #[must_use]
    pub fn report(vault: &VaultRound, block: u64) -> String {
        format!("{}/{}/{}/reports/{block}", Self::ROUNDS, vault.job_id, vault.round_id)
    }
}

/// Posts orders to an executor service and follows their receipts.
pub struct HttpExecutor {
    http: Client,
    base: Url,
    key: SigningKey,
    service: String,
    api_key: ApiKey,
}

impl HttpExecutor {
    /// A client of the service at `url` whose public key is `service` (64 hexadecimal digits).
    ///
    /// # Errors
    /// [`ExecutorError::Setup`].
    pub fn new(url: &str, service: &str, key: SigningKey, api_key: ApiKey) -> Result<Self, ExecutorError> {
        let setup = |reason: String| ExecutorError::Setup(reason);
        let base = Url::parse(url).map_err(|error| setup(format!("`{url}`: {error}")))?;
        let plain = matches!(base.scheme(), "http" | "https") && base.path() == "/" && base.query().is_none();
        if !plain || !base.username().is_empty() || base.password().is_some() {
            return Err(setup("the service's address is http:// or https:// with host and port, nothing else".into()));
        }
        if !assay_lp::protocol::auth::is_key_text(service) {
            return Err(setup(format!("`{service}` is no public key of 64 lower-case hexadecimal digits")));
        }
        let http = Client::builder()
            .user_agent(concat!("assay/", env!("CARGO_PKG_VERSION")))
            .timeout(REQUEST_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| setup(error.to_string()))?;
        Ok(Self { http, base, key, service: service.to_owned(), api_key })
    }

    /// One signed request and its verified response.
    async fn exchange<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> Result<T, ExecutorError> {
        let nonce = system_ms().saturating_mul(1_000_000).saturating_add(next_nonce());
        let signed = sign_request(&self.key, method.as_str(), path, &body, nonce, &self.service);
        let mut url = self.base.clone();
        url.set_path(path);
        let request = signed
            .headers
            .pairs()
            .fold(self.http.request(method, url), |request, (name, value)| request.header(name, value));
        let request = request.header(AUTHORIZATION, self.api_key.0.clone()).header(CONTENT_TYPE, "application/json");
        let mut response = request.body(body).send().await.map_err(unreachable)?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
            if bytes.len() + chunk.len() > MAX_RESPONSE_BYTES {
                return Err(ExecutorError::Response(format!("is above {MAX_RESPONSE_BYTES} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        if status != 200 {
            let message = String::from_utf8_lossy(&bytes).chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(ExecutorError::Refused { status, message });
        }
        let headers = Headers::read(|name| response.headers().get(name)?.to_str().ok().map(str::to_owned));
        let us = assay_types::public_key_text(&self.key);
        verify_response(&headers, &self.service, &us, signed.digest, status, &bytes)
            .map_err(|error| ExecutorError::Response(error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| ExecutorError::Response(error.to_string()))
    }

    /// Posts again while the service may not have seen it: it knows each body by its key.
    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl serde::Serialize) -> Result<T, ExecutorError> {
        let body = serde_json::to_vec(body).map_err(|error| ExecutorError::Response(error.to_string()))?;
        let mut posts = 0;
        loop {
            posts += 1;
            match self.exchange(Method::POST, path, body.clone()).await {
                Err(error) if is_passing(&error) && posts < MAX_POSTS => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
    }
}

#[async_trait::async_trait]
impl Executor for HttpExecutor {
    async fn open(&self, vault: &VaultRound) -> Result<VaultReport, ExecutorError> {
        self.post(Wire::ROUNDS, vault).await
    }

    async fn execute(&self, order: &Order) -> Result<Receipt, ExecutorError> {
        let mut receipt: Receipt = self.post(Wire::EXECUTIONS, order).await?;
        while receipt.status == ReceiptStatus::Pending {
            tokio::time::sleep(PAUSE).await;
            match self.exchange(Method::GET, &Wire::execution(order), Vec::new()).await {
                Err(error) if is_passing(&error) => {}
                looked => receipt = looked?,
            }
        }
        Ok(receipt)
    }

    async fn receipt(&self, order: &Order) -> Result<Option<Receipt>, ExecutorError> {
        loop {
            match self.exchange(Method::GET, &Wire::execution(order), Vec::new()).await {
                Err(ExecutorError::Refused { status: 404, .. }) => return Ok(None),
                Err(error) if is_passing(&error) => tokio::time::sleep(PAUSE).await,
                done => return done.map(Some),
            }
        }
    }

    async fn report(&self, vault: &VaultRound, block: u64) -> Result<VaultReport, ExecutorError> {
        loop {
            match self.exchange(Method::GET, &Wire::report(vault, block), Vec::new()).await {
                Err(error) if is_passing(&error) => tokio::time::sleep(PAUSE).await,
                done => return done,
            }
        }
    }
}

/// Whether the same request may succeed.
fn is_passing(error: &ExecutorError) -> bool {
    match error {
        ExecutorError::Unreachable(_) => true,
        ExecutorError::Refused { status, .. } => *status >= 500 || *status == 429,
        _ => false,
    }
}

/// Distinguishes requests of one millisecond.
fn next_nonce() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) % 1_000_000
}

/// The innermost reason, which names no address.
fn unreachable(error: reqwest::Error) -> ExecutorError {
    let mut source: &dyn std::error::Error = &error;
    while let Some(inner) = source.source() {
        source = inner;
    }
    ExecutorError::Unreachable(source.to_string().chars().filter(|c| !c.is_control()).take(200).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_api_key_is_never_printed() {
        let key = ApiKey::new("very-secret").unwrap();
        assert_eq!(format!("{key:?}"), "[hidden]");
        assert!(!format!("{:?}", key.0).contains("secret"));
        assert!(ApiKey::new("line\nbreak").is_err());
    }
}
