//! How long signals take.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::audience::hearing;
use crate::extract::{ApiJson, ApiPath};
use crate::problem::Problem;
use crate::state::ServerState;

/// Signals that are looked at.
const LATEST: u32 = 1_000;
/// Later than this a signal is stale to an auditor.
const LIMIT_MS: i64 = 5_000;

/// From the close of a candle to the moment its signal was stored, just before it is sent; of
/// recorded candles from the moment the candle was taken.
#[derive(Debug, Serialize, ToSchema)]
struct Latency {
    /// The model.
    model_id: String,
    /// The signals that were looked at: the last 1,000 at most.
    signals: usize,
    /// Half of them took at most this many ms; null without signals.
    #[schema(required)]
    p50_ms: Option<i64>,
    /// 95 % took at most this many ms.
    #[schema(required)]
    p95_ms: Option<i64>,
    /// 99 % took at most this many ms.
    #[schema(required)]
    p99_ms: Option<i64>,
    /// The share, from 0 to 1, that took at most 5 s.
    #[schema(required)]
    share_under_5s: Option<f64>,
}

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(latency))
}

/// How long a model's last signals took.
#[utoipa::path(get, path = "/v1/signals/{model_id}/latency", tag = "signals",
    params(("model_id" = String, Path, description = "The model")), responses(
    (status = 200, description = "Latencies", body = Latency),
    (status = 404, description = "No such model", body = Problem, content_type = "application/problem+json"),
))]
async fn latency(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath(model_id): ApiPath<String>,
) -> Result<ApiJson<Latency>, Problem> {
    caller.require(Scope::Read)?;
    hearing(&state, &caller, &model_id).await?;
    let mut taken = state.platform.signal_latencies(&model_id, LATEST).await?;
    taken.sort_unstable();
    let in_time = taken.iter().filter(|latency| **latency <= LIMIT_MS).count();
    Ok(ApiJson(Latency {
        model_id,
        signals: taken.len(),
        p50_ms: percentile(&taken, 50),
        p95_ms: percentile(&taken, 95),
        p99_ms: percentile(&taken, 99),
        share_under_5s: (!taken.is_empty()).then(|| in_time as f64 / taken.len() as f64),
    }))
}

/// The smallest value that `percent` of the ascending `values` do not exceed.
fn percentile(values: &[i64], percent: usize) -> Option<i64> {
    let rank = (values.len() * percent).div_ceil(100);
    values.get(rank.saturating_sub(1)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let values: Vec<i64> = (1..=200).collect();
        assert_eq!(
            (percentile(&values, 50), percentile(&values, 95), percentile(&values, 99)),
            (Some(100), Some(190), Some(198))
        );
        assert_eq!((percentile(&[7], 50), percentile(&[7], 99), percentile(&[], 50)), (Some(7), Some(7), None));
    }
}
