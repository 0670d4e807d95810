//! What every job works with.

use std::path::Path;

use assay_lake::BlockingLake;
use assay_store::Home;
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
}

impl<'a> Workspace<'a> {
    /// Opens the home folder at `home` with the lake inside it.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn open(home: &Path, progress: &'a dyn Progress, threads: usize, dry_run: bool) -> Result<Self, JobError> {
        let home = Home::open(home)?;
        let lake = BlockingLake::open_local(home.lake())?;
        Ok(Self { home, lake, progress, threads, dry_run })
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
