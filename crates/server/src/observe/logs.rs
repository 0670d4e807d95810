//! Logs on standard error.

use std::str::FromStr;

use assay_jobs::JobError;
use tracing_subscriber::EnvFilter;

/// What a line of log looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl FromStr for LogFormat {
    type Err = JobError;

    fn from_str(text: &str) -> Result<Self, JobError> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(JobError::Input(format!("log format `{text}`: give text or json"))),
        }
    }
}

/// Starts the logs of this process; `level` is like `info` or `warn,assay_server=debug`.
/// A second start changes nothing.
///
/// # Errors
/// [`JobError::Input`] for a level that is none.
pub fn start_logs(format: LogFormat, level: &str) -> Result<(), JobError> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|error| JobError::Input(format!("log level `{level}`: {error}; give for example info")))?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // Fails where logs were started before, as in tests.
    let _ = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().with_span_list(false).try_init(),
    };
    Ok(())
}
