//! Spans of requests to an OpenTelemetry collector, over OTLP.

use assay_jobs::JobError;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracerProvider, Tracer};
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

/// The standard variable that names the collector, such as `http://localhost:4317`.
const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const SERVICE: &str = "assay";

/// Sends spans in batches; dropped, it sends what waits.
pub(super) struct Exporter(SdkTracerProvider);

impl Exporter {
    /// The exporter to the collector of the environment; `None` where none is named.
    pub fn from_environment() -> Result<Option<Self>, JobError> {
        if std::env::var_os(ENDPOINT).is_none_or(|endpoint| endpoint.is_empty()) {
            return Ok(None);
        }
        let exporter = SpanExporter::builder().with_tonic().build();
        let exporter = exporter.map_err(|error| JobError::Input(format!("{ENDPOINT}: {error}")))?;
        let resource = Resource::builder().with_service_name(SERVICE).build();
        Ok(Some(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())))
    }

    /// Takes the spans of this process.
    pub fn layer<S: Subscriber + for<'span> LookupSpan<'span>>(&self) -> OpenTelemetryLayer<S, Tracer> {
        tracing_opentelemetry::layer().with_tracer(self.0.tracer(SERVICE))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // Nobody is left to be told.
        let _ = self.0.shutdown();
    }
}
