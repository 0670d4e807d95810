//! The calculators of arbitrage: sizes, impact and slippage of constant-product pairs from
//! figures alone, answered by the exact engine. Open to everyone: they look at nothing stored
//! and what they compute is bounded.

mod loans;
#[cfg(test)]
mod tests;
mod trades;

use assay_amm::trade::calculator::{self, CalculatorError, Decimal, GAS_COST, LOAN_FEE, Reserves};
use assay_types::time::format_utc;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::number::Number;
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Paths in one question at most.
pub(crate) const MAX_PATHS: usize = 256;
/// Longest name of a token.
const MAX_TOKEN: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(loans::calculate_flashloan))
        .routes(routes!(trades::calculate_impact))
        .routes(routes!(trades::calculate_multihop_slippage))
        .routes(routes!(loans::simulate_paths))
}

/// A server that is well.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CalculatorHealth)]
struct Health {
    /// `ok`.
    status: &'static str,
    /// Now, ISO-8601 UTC.
    timestamp: String,
    /// Seconds since the start.
    uptime: f64,
}

/// Whether the calculators answer.
#[utoipa::path(get, path = "/api/health", tag = "arbitrage", security(()), responses(
    (status = 200, description = "All is well", body = Health),
))]
async fn health(State(state): State<ServerState>) -> ApiJson<Health> {
    let now = now_ms();
    ApiJson(Health {
        status: "ok",
        timestamp: format_utc(now),
        uptime: (now - state.started_at_ms).max(0) as f64 / 1e3,
    })
}

fn default_fee() -> Number {
    Number(Decimal::parse(LOAN_FEE).unwrap_or(Decimal::ZERO))
}

fn default_gas() -> Number {
    Number(Decimal::parse(GAS_COST).unwrap_or(Decimal::ZERO))
}

fn reserves(path: &[[Number; 2]]) -> Vec<Reserves> {
    path.iter().map(|[reserve_in, reserve_out]| [reserve_in.0, reserve_out.0]).collect()
}

/// Refuses tokens that do not chain: as many as hops and one, no hop from a token to itself,
/// and for a cycle the last one the first.
fn check_tokens(field: &str, tokens: &[String], hops: usize, is_cycle: bool) -> Result<(), Problem> {
    if tokens.len() != hops + 1 {
        return Err(wrong(field, format!("{field} names {} tokens for {hops} hops; name {}", tokens.len(), hops + 1)));
    }
    if let Some(long) = tokens.iter().find(|token| token.is_empty() || token.len() > MAX_TOKEN) {
        return Err(wrong(field, format!("a token's name has {} bytes; it has 1 to {MAX_TOKEN}", long.len())));
    }
    if let Some(hop) = tokens.windows(2).position(|pair| pair[0].eq_ignore_ascii_case(&pair[1])) {
        return Err(wrong(field, format!("hop {hop} trades {} for itself", tokens[hop])));
    }
    let ends = tokens.first().zip(tokens.last());
    match ends.filter(|(first, last)| is_cycle && !first.eq_ignore_ascii_case(last)) {
        Some((first, last)) => Err(wrong(field, format!("the cycle begins with {first} and ends with {last}"))),
        None => Ok(()),
    }
}

fn percent(fraction: f64) -> String {
    format!("{:.4}%", fraction * 100.0)
}

fn wrong(field: &str, detail: String) -> Problem {
    Problem::new(Code::BadRequest, detail).field(field)
}

fn problem(error: CalculatorError) -> Problem {
    let problem = Problem::new(Code::BadRequest, error.to_string());
    match error.field() {
        Some(field) => problem.field(field),
        None => problem,
    }
}

const _: () = assert!(calculator::MAX_HOPS == 16, "the schema of paths says so");
