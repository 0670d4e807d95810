//! `assay signals tail`: signals of a running server as they are stored.

use std::path::{Path, PathBuf};
use std::time::Duration;

use assay_jobs::JobError;
use assay_server::DEFAULT_LISTEN;
use clap::Args;
use serde_json::Value;

use crate::output::Console;

/// How often the server is asked.
const POLL: Duration = Duration::from_millis(250);
/// The longest that one answer is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest wait while the server is away.
const MAX_WAIT: Duration = Duration::from_secs(10);
/// Signals asked for at once.
const PAGE: usize = 200;

#[derive(Args)]
pub struct Tail {
    /// Model id: the weights hash.
    model: String,
    /// Where the server is.
    #[arg(long, value_name = "URL", env = "ASSAY_SERVER")]
    server: Option<String>,
    /// A file with the API key [default: the variable ASSAY_API_KEY].
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Number of the first signal; without it the last ten and what follows.
    #[arg(long, value_name = "SEQ")]
    from: Option<u64>,
    /// End after so many signals.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
}

impl Tail {
    pub fn run(self, console: &Console) -> anyhow::Result<()> {
        let key = read_key(self.key_file.as_deref())?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(self.follow(&key, console))
    }

    async fn follow(&self, key: &str, console: &Console<'_>) -> anyhow::Result<()> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).build()?;
        let server = self.server.clone().unwrap_or_else(|| format!("http://{DEFAULT_LISTEN}"));
        let base = format!("{}/v1/signals/{}", server.trim_end_matches('/'), self.model);
        let mut next = self.from;
        let mut left = self.count;
        let mut wait = POLL;
        loop {
            if left == Some(0) {
                return Ok(());
            }
            let from = next.map_or_else(|| "last=10".to_owned(), |seq| format!("from_seq={seq}"));
            let answer = ask(&http, &format!("{base}?{from}&limit={PAGE}"), key).await;
            let items = match answer {
                Ok(items) => items,
                Err(Asked::Refused(detail)) => return Err(JobError::Input(detail).into()),
                Err(Asked::Away(_)) if next.is_some() => {
                    // Nothing is lost: it goes on from the next number.
                    wait = (wait * 2).min(MAX_WAIT);
                    tokio::time::sleep(wait).await;
                    continue;
                }
                Err(Asked::Away(detail)) => {
                    let text = format!("{server} does not answer ({detail}); start it with `assay up`");
                    return Err(JobError::Failed(text).into());
                }
            };
            wait = POLL;
            let is_full = items.len() == PAGE;
            for item in items {
                if left == Some(0) {
                    return Ok(());
                }
                next = item["seq"].as_u64().map(|seq| seq + 1).or(next);
                console.raw(&format!("{item}\n"))?;
                left = left.map(|left| left - 1);
            }
            next = next.or(Some(0));
            if !is_full {
                tokio::time::sleep(wait).await;
            }
        }
    }
}

/// Why there was no answer.
enum Asked {
    /// The server refuses.
    Refused(String),
    /// The server is away.
    Away(String),
}

async fn ask(http: &reqwest::Client, url: &str, key: &str) -> Result<Vec<Value>, Asked> {
    let away = |error: reqwest::Error| Asked::Away(error.without_url().to_string());
    let response = http.get(url).bearer_auth(key).send().await.map_err(away)?;
    let status = response.status();
    let body = response.bytes().await.map_err(away)?;
    let value: Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(value["items"].as_array().cloned().unwrap_or_default());
    }
    let detail = value["detail"].as_str().unwrap_or("no reason was given").to_owned();
    if status.is_server_error() || status.as_u16() == 429 {
        return Err(Asked::Away(detail));
    }
    Err(Asked::Refused(format!("the server refuses: {detail}")))
}

/// The API key, from the file or the environment; never from an argument.
fn read_key(file: Option<&Path>) -> Result<String, JobError> {
    let text = match file {
        Some(file) => assay_store::read_to_string(file)?,
        None => std::env::var("ASSAY_API_KEY")
            .map_err(|_| JobError::Input("no API key: set ASSAY_API_KEY, or give --key-file FILE".to_owned()))?,
    };
    Ok(text.trim().to_owned())
}
