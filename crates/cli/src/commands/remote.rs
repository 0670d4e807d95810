//! A running server, asked over its API.

use std::path::PathBuf;
use std::time::Duration;

use assay_jobs::JobError;
use assay_server::DEFAULT_LISTEN;
use clap::Args;
use reqwest::Method;
use serde_json::Value;

/// The longest that one answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Where the server is, and who asks.
#[derive(Args, Clone)]
pub struct Place {
    /// Where the server is.
    #[arg(long, global = true, value_name = "URL", env = "ASSAY_SERVER")]
    server: Option<String>,
    /// A file with the API key [default: the variable ASSAY_API_KEY].
    #[arg(long, global = true, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

/// A server and the key that opens it.
pub struct Remote {
    http: reqwest::Client,
    url: String,
    key: String,
}

/// Why there was no answer.
#[derive(Debug)]
pub enum Asked {
    /// The server refuses.
    Refused(String),
    /// The server is away.
    Away(String),
}

impl Place {
    /// The server; nothing is asked yet. The key is never an argument.
    pub fn remote(&self) -> Result<Remote, JobError> {
        let key = match &self.key_file {
            Some(file) => assay_store::read_to_string(file)?,
            None => std::env::var("ASSAY_API_KEY")
                .map_err(|_| JobError::Input("no API key: set ASSAY_API_KEY, or give --key-file FILE".to_owned()))?,
        };
        // A WebSocket begins as a request of HTTP/1.
        let http = reqwest::Client::builder().http1_only().build();
        let http = http.map_err(|error| JobError::Failed(format!("cannot ask servers: {error}")))?;
        let url = self.server.clone().unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}"));
        Ok(Remote { http, url: url.trim_end_matches('/').to_owned(), key: key.trim().to_owned() })
    }
}

impl Remote {
    /// A request with the key, not sent.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        self.http.request(method, format!("{}{path}", self.url)).bearer_auth(&self.key)
    }

    /// The JSON at `path`.
    pub async fn get(&self, path: &str) -> Result<Value, Asked> {
        answer(self.request(Method::GET, path).timeout(TIMEOUT)).await
    }

    /// The JSON that `body` is answered with.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Asked> {
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        answer(request.body(body.to_string()).timeout(TIMEOUT)).await
    }

    /// The error of a command that was not answered.
    pub fn error(&self, asked: Asked) -> JobError {
        match asked {
            Asked::Refused(detail) => JobError::Input(format!("the server refuses: {detail}")),
            Asked::Away(detail) => {
                JobError::Failed(format!("{} does not answer ({detail}); start it with `assay up`", self.url))
            }
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Value, Asked> {
    let response = request.send().await.map_err(away)?;
    let status = response.status();
    let body = response.bytes().await.map_err(away)?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() { Ok(value) } else { Err(refusal(status.as_u16(), &value)) }
}

/// An error of the connection, without the address it may quote.
pub fn away(error: reqwest::Error) -> Asked {
    Asked::Away(error.without_url().to_string())
}

/// What a status other than success means.
pub fn refusal(status: u16, problem: &Value) -> Asked {
    let detail = problem["detail"].as_str().unwrap_or("no reason was given").to_owned();
    if status >= 500 || status == 429 { Asked::Away(detail) } else { Asked::Refused(detail) }
}

/// Text for a path, so that nothing in it means another path.
pub fn segment(text: &str) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    let escaped = |byte: u8| if is_plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") };
    text.bytes().map(escaped).collect()
}
