//! Datasets: what the lake holds.

#![allow(unused_qualifications, reason = "utoipa::path writes the paths of parameters out")]

use assay_jobs::time_text::format_utc;
use assay_store::database::DatasetRow;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{Caller, Scope};
use crate::extract::{ApiJson, ApiPath, ApiQuery};
use crate::page::{Page, PageQuery};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(show))
}

/// A dataset and its coverage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Dataset {
    /// Its name, `exchange/SYMBOL/timeframe`.
    dataset: String,
    /// Rows stored.
    rows: u64,
    /// Time of the first row, ISO-8601 UTC.
    first: String,
    /// Time of the last row.
    last: String,
    /// Candles missing in all gaps.
    missing: u64,
    /// How many gaps there are.
    gap_count: usize,
    /// How many partitions it has.
    partition_count: u64,
    /// When it was last seen to change.
    updated_at: String,
}

/// A dataset with its gaps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DatasetDetail {
    #[serde(flatten)]
    dataset: Dataset,
    /// Holes between first and last; empty for trades.
    gaps: Vec<DatasetGap>,
}

/// A hole in a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct DatasetGap {
    /// First open time that is missing, ISO-8601 UTC.
    from: String,
    /// Open time that ends the hole.
    to: String,
    /// Candles missing.
    missing: u64,
}

/// A summary as jobs write it.
#[derive(Debug, Default, Deserialize)]
struct Summary {
    rows: u64,
    first_ms: i64,
    last_ms: i64,
    gaps: Vec<SummaryGap>,
    missing: u64,
    partition_count: u64,
}

/// A hole in a summary.
#[derive(Debug, Deserialize)]
struct SummaryGap {
    from_ms: i64,
    to_ms: i64,
    missing: u64,
}

fn read(row: DatasetRow) -> Result<DatasetDetail, Problem> {
    let summary: Summary = serde_json::from_str(&row.summary).map_err(|error| {
        Problem::new(Code::Internal, format!("the catalogue's row of {} does not read: {error}", row.dataset))
    })?;
    let gap = |gap: &SummaryGap| DatasetGap {
        from: format_utc(gap.from_ms),
        to: format_utc(gap.to_ms),
        missing: gap.missing,
    };
    let dataset = Dataset {
        dataset: row.dataset,
        rows: summary.rows,
        first: format_utc(summary.first_ms),
        last: format_utc(summary.last_ms),
        missing: summary.missing,
        gap_count: summary.gaps.len(),
        partition_count: summary.partition_count,
        updated_at: format_utc(row.updated_at),
    };
    Ok(DatasetDetail { dataset, gaps: summary.gaps.iter().map(gap).collect() })
}

/// Datasets in the order in which they became known.
#[utoipa::path(get, path = "/v1/datasets", tag = "datasets", params(PageQuery), responses(
    (status = 200, description = "A page of them", body = Page<Dataset>),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn list(
    State(state): State<ServerState>,
    caller: Caller,
    ApiQuery(query): ApiQuery<PageQuery>,
) -> Result<ApiJson<Page<Dataset>>, Problem> {
    caller.require(Scope::Read)?;
    let paging = query.paging()?;
    let rows = state.platform.datasets(paging.after.unwrap_or(0), paging.fetch()).await?;
    let rows = rows.into_iter().map(|row| Ok((row.number, read(row)?.dataset)));
    let rows = rows.collect::<Result<Vec<_>, Problem>>()?;
    Ok(ApiJson(paging.page(rows, |row| row.0, |row| row.1)))
}

/// One dataset: coverage and gaps.
#[utoipa::path(get, path = "/v1/datasets/{exchange}/{symbol}/{timeframe}", tag = "datasets",
    params(("exchange" = String, Path), ("symbol" = String, Path), ("timeframe" = String, Path)), responses(
    (status = 200, description = "The dataset", body = DatasetDetail),
    (status = 404, description = "There is no such thing, or it may not be seen", body = Problem,
        content_type = "application/problem+json"),
))]
async fn show(
    State(state): State<ServerState>,
    caller: Caller,
    ApiPath((exchange, symbol, timeframe)): ApiPath<(String, String, String)>,
) -> Result<ApiJson<DatasetDetail>, Problem> {
    caller.require(Scope::Read)?;
    let name = format!("{exchange}/{symbol}/{timeframe}");
    let row = state.platform.dataset(&name).await?.ok_or_else(|| Problem::not_found("dataset", &name))?;
    read(row).map(ApiJson)
}
