//! The metrics of this process, as Prometheus reads them.

use std::sync::OnceLock;

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// Seconds; the aim for reads is 0.02.
const BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

static PAGE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Starts counting; servers of one process share the counts.
pub(crate) fn start() {
    let page = PAGE.get_or_init(|| {
        let builder = PrometheusBuilder::new().set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS_S);
        let builder = builder.inspect_err(|error| tracing::error!(%error, "metrics have no buckets")).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok().map(|()| handle)
    });
    if let Some(page) = page {
        page.run_upkeep();
    }
    describe();
}

/// The page of all metrics.
pub(crate) fn render() -> String {
    PAGE.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

fn describe() {
    metrics::describe_counter!("assay_http_requests_total", "Requests by method, route and status");
    metrics::describe_histogram!("assay_http_request_seconds", "Time to the head of the answer, by method and route");
    metrics::describe_gauge!("assay_http_connections", "Open connections");
    metrics::describe_gauge!("assay_sockets", "Open WebSockets by stream");
    metrics::describe_counter!("assay_part_restarts_total", "Restarts of parts of the server that failed, by part");
    metrics::describe_counter!("assay_audit_unnoted_total", "Refused writes without a credential that are not noted");
    metrics::describe_counter!("assay_signals_total", "Signals that were stored, by mode");
    metrics::describe_counter!("assay_signals_late_total", "Signals that said HOLD because their candle was late");
    metrics::describe_histogram!("assay_close_to_commit_seconds", "From a candle taken to its signals committed");
    metrics::describe_gauge!("assay_feed_gaps", "Candles that an exchange never had, by feed");
    metrics::describe_gauge!("assay_feed_filled", "Candles that came over REST, by feed");
    metrics::describe_gauge!("assay_feed_connects", "Connections made, by feed");
    metrics::describe_gauge!("assay_feed_malformed", "Messages that could not be read, by feed");
    metrics::describe_gauge!("assay_feed_skew_ms", "The exchange's clock less ours, by feed");
}
