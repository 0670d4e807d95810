//! Logs on standard error, and, with the feature `otel`, spans to an OpenTelemetry collector.

use std::io::stderr;
use std::str::FromStr;

use assay_jobs::JobError;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, fmt};

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

/// The logs of a process; dropped, what still waits for a collector is sent.
#[must_use = "what waits for a collector is sent when it is dropped"]
pub struct Logs {
    #[cfg(feature = "otel")]
    _spans: Option<super::spans::Exporter>,
}

/// Starts the logs of this process, within its runtime; `level` is like `info` or
/// `warn,assay_server=debug`. A second start changes nothing.
///
/// # Errors
/// [`JobError::Input`] for a level that is none, or a collector that cannot be one.
pub fn start_logs(format: LogFormat, level: &str) -> Result<Logs, JobError> {
    let filter = EnvFilter::builder()
        .parse(level)
        .map_err(|error| JobError::Input(format!("log level `{level}`: {error}; give for example info")))?;
    let lines = match format {
        LogFormat::Text => fmt::layer().with_ansi(false).with_writer(stderr).boxed(),
        LogFormat::Json => fmt::layer().json().with_span_list(false).with_writer(stderr).boxed(),
    };
    let registry = tracing_subscriber::registry().with(lines).with(filter);
    #[cfg(feature = "otel")]
    {
        let spans = super::spans::Exporter::from_environment()?;
        // Fails where logs were started before, as in tests.
        let _ = registry.with(spans.as_ref().map(super::spans::Exporter::layer)).try_init();
        Ok(Logs { _spans: spans })
    }
    #[cfg(not(feature = "otel"))]
    {
        let _ = registry.try_init();
        Ok(Logs {})
    }
}
