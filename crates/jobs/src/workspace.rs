//! What every job works with.

use std::path::Path;

use assay_lake::{BlockingLake, Lake, S3Config};
use assay_store::Home;
use assay_types::Secret;
use assay_types::time::{format_utc, parse_utc};

use crate::error::JobError;
use crate::progress::Progress;

/// Local state, the lake, and how to tell progress.
pub struct Workspace<'a> {
    /// Runs, objects, trials and keys.
    pub home: Home,
    /// Candles and trades.
    pub lake: BlockingLake,
    /// Where progress goes.
    pub progress: &'a dyn Progress,
    /// Worker threads; results do not depend on it.
    pub threads: usize,
    /// Whether to write nothing.
    pub dry_run: bool,
    /// Another address for the interfaces of exchanges, such as a proxy.
    pub exchange_url: Option<String>,
}

impl<'a> Workspace<'a> {
    /// Opens the home folder at `home` with the lake inside it, or with the lake at
    /// `lake` (a folder, or `s3://BUCKET/PREFIX`). A dry run makes no folders: what is
    /// missing is as good as empty.
    ///
    /// # Errors
    /// When a folder cannot be made or the store's settings are not accepted.
    pub fn open(
        home: &Path,
        lake: Option<&str>,
        progress: &'a dyn Progress,
        threads: usize,
        dry_run: bool,
    ) -> Result<Self, JobError> {
        let home = if dry_run { Home::at(home) } else { Home::open(home)? };
        let local = |folder: &Path| {
            let lake = if dry_run && !folder.exists() { Lake::empty(folder) } else { Lake::open_local(folder)? };
            BlockingLake::new(lake)
        };
        let lake = match lake {
            None => local(&home.lake())?,
            Some(address) => match address.strip_prefix("s3://") {
                Some(bucket) => BlockingLake::new(Lake::open_s3(&s3(bucket))?)?,
                None if address.contains("://") => {
                    return Err(JobError::Input(format!("--lake {address}: use a folder, or s3://BUCKET/PREFIX")));
                }
                None => local(Path::new(address))?,
            },
        };
        Ok(Self { home, lake, progress, threads, dry_run, exchange_url: None })
    }

    /// Refuses to go on when the work is to end.
    ///
    /// # Errors
    /// [`JobError::Cancelled`].
    pub fn go_on(&self) -> Result<(), JobError> {
        if self.progress.is_cancelled() { Err(JobError::Cancelled) } else { Ok(()) }
    }
}

/// `BUCKET/PREFIX` with the standard environment variables: `AWS_REGION`,
/// `AWS_ENDPOINT_URL` for a store that is not Amazon's, and `AWS_ACCESS_KEY_ID` with
/// `AWS_SECRET_ACCESS_KEY` (without them, the machine's role).
fn s3(address: &str) -> S3Config {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (bucket, prefix) = address.split_once('/').unwrap_or((address, ""));
    let keys = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    S3Config {
        bucket: bucket.to_owned(),
        prefix: prefix.trim_end_matches('/').to_owned(),
        region: variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION")).unwrap_or("us-east-1".to_owned()),
        endpoint: variable("AWS_ENDPOINT_URL"),
        credentials: keys.map(|(id, secret)| (Secret::new(id), Secret::new(secret))),
    }
}

/// Milliseconds since 1970 UTC, now.
#[must_use]
pub fn now_ms() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.map_or(0, |elapsed| i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX))
}

/// A date that a user gave for `what`.
///
/// # Errors
/// [`JobError::Input`] naming `what`.
pub fn user_time(what: &str, text: &str) -> Result<i64, JobError> {
    parse_utc(text).map_err(|error| JobError::Input(format!("{what}: {error}")))
}

/// A period as text: `2017-08-17T04:00:00Z … 2024-04-21T15:00:00Z`.
#[must_use]
pub fn period_text(from_ms: i64, to_ms: i64) -> String {
    format!("{} … {}", format_utc(from_ms), format_utc(to_ms))
}
