//! What trades do to pairs, and lose along paths of them.

use assay_amm::trade::calculator::{PathSlippage, impact, path_slippage};
use assay_types::time::format_utc;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{check_tokens, percent, problem, reserves};
use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::number::{Figure, Number};
use crate::problem::Problem;

/// A trade in a pair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ImpactQuestion {
    /// Reserve of the token paid in.
    reserve_in: Number,
    /// Reserve of the token received.
    reserve_out: Number,
    /// What is paid in.
    trade_amount: Number,
}

/// What a trade does to a pair. Shares are in percent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImpactAnswer {
    success: bool,
    /// How far the spot price falls, in percent; the fee stays in the reserves.
    market_impact: f64,
    /// The same with four digits and its unit.
    market_impact_pct: String,
    /// What the trade loses against the spot price, fee included, in percent.
    slippage: f64,
    /// What it loses without the fee, in percent.
    price_impact: f64,
    /// What the trade receives.
    amount_out: Figure,
    /// As asked.
    reserve_in: Figure,
    /// As asked.
    reserve_out: Figure,
    /// As asked.
    trade_amount: Figure,
    /// Now, ISO-8601 UTC.
    timestamp: String,
}

/// How far a trade moves the price of a pair.
#[utoipa::path(post, path = "/api/calculate-impact", tag = "arbitrage", security(()),
    request_body = ImpactQuestion, responses(
    (status = 200, description = "The impact", body = ImpactAnswer),
    (status = 400, description = "A number has no answer", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn calculate_impact(
    ApiJson(question): ApiJson<ImpactQuestion>,
) -> Result<ApiJson<ImpactAnswer>, Problem> {
    let ImpactQuestion { reserve_in, reserve_out, trade_amount } = question;
    let found = impact([reserve_in.0, reserve_out.0], trade_amount.0).map_err(problem)?;
    Ok(ApiJson(ImpactAnswer {
        success: true,
        market_impact: found.market_impact * 100.0,
        market_impact_pct: percent(found.market_impact),
        slippage: found.slippage * 100.0,
        price_impact: found.price_impact * 100.0,
        amount_out: Figure(found.amount_out),
        reserve_in: Figure(reserve_in.0),
        reserve_out: Figure(reserve_out.0),
        trade_amount: Figure(trade_amount.0),
        timestamp: format_utc(now_ms()),
    }))
}

/// An amount along a path.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct SlippageQuestion {
    /// Reserves of each pair in trading direction: of the token paid in, of the token received.
    #[schema(value_type = Vec<Vec<Number>>, min_items = 1, max_items = 16)]
    path: Vec<[Number; 2]>,
    /// What is paid into the first pair.
    flashloan_amount: Number,
    /// The tokens along the path, one more than it has pairs, if its chaining is to be checked.
    #[serde(default)]
    tokens: Option<Vec<String>>,
}

/// What an amount loses along a path. Shares are in percent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct SlippageAnswer {
    success: bool,
    /// The slippages of the hops added up, in percent.
    total_slippage: f64,
    /// The same with four digits and its unit.
    total_slippage_pct: String,
    /// What the whole path loses, in percent: the slippages compounded.
    compound_slippage: f64,
    /// What it loses without the fees, in percent.
    price_impact: f64,
    /// The slippage of each hop, in percent.
    hop_slippages: Vec<f64>,
    /// What the last pair pays.
    amount_out: Figure,
    /// Pairs in the path.
    hops: usize,
    /// As asked.
    flashloan_amount: Figure,
    /// Now, ISO-8601 UTC.
    timestamp: String,
}

/// What an amount loses along a path of pairs.
#[utoipa::path(post, path = "/api/calculate-multihop-slippage", tag = "arbitrage", security(()),
    request_body = SlippageQuestion, responses(
    (status = 200, description = "The slippage", body = SlippageAnswer),
    (status = 400, description = "A number or path has no answer", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn calculate_multihop_slippage(
    ApiJson(question): ApiJson<SlippageQuestion>,
) -> Result<ApiJson<SlippageAnswer>, Problem> {
    let path = reserves(&question.path);
    if let Some(tokens) = &question.tokens {
        check_tokens("tokens", tokens, path.len(), false)?;
    }
    let found = path_slippage(&path, question.flashloan_amount.0).map_err(problem)?;
    let PathSlippage { total, compound, price_impact, hops, amount_out } = found;
    Ok(ApiJson(SlippageAnswer {
        success: true,
        total_slippage: total * 100.0,
        total_slippage_pct: percent(total),
        compound_slippage: compound * 100.0,
        price_impact: price_impact * 100.0,
        hops: hops.len(),
        hop_slippages: hops.into_iter().map(|slippage| slippage * 100.0).collect(),
        amount_out: Figure(amount_out),
        flashloan_amount: Figure(question.flashloan_amount.0),
        timestamp: format_utc(now_ms()),
    }))
}
