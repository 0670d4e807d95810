//! What loans leave that are traded along pairs and paid back.

use assay_amm::trade::calculator::{FlashLoan, path_profit};
use assay_types::time::format_utc;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MAX_PATHS, check_tokens, default_fee, default_gas, percent, problem, reserves, wrong};
use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::number::{Figure, Number};
use crate::problem::Problem;

/// A loan to buy in one pair and sell in another: the buy pair pays the bought token for the
/// borrowed one, the sell pair the borrowed one for the bought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct FlashLoanQuestion {
    /// Reserve of the borrowed token in the pair that is bought from.
    reserve_in_buy: Number,
    /// Reserve of the bought token there.
    reserve_out_buy: Number,
    /// Reserve of the bought token in the pair that is sold to.
    reserve_in_sell: Number,
    /// Reserve of the borrowed token there.
    reserve_out_sell: Number,
    /// The lender's fee, a fraction in [0, 1) with at most 9 digits after the point.
    #[serde(default = "default_fee")]
    #[schema(required = false)]
    flashloan_fee: Number,
    /// The cost of the transaction in the borrowed token, at least 0.
    #[serde(default = "default_gas")]
    #[schema(required = false)]
    gas_cost: Number,
}

/// The best size of a loan. Amounts are in the borrowed token.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlashLoanAnswer {
    success: bool,
    /// What to borrow, at most 30 % of the borrowed token's reserve; 0 when no size pays.
    flashloan_amount: Figure,
    /// The lender's fee, a fraction.
    flashloan_fee: Figure,
    /// The cost of the transaction.
    gas_cost: Figure,
    /// Whether a size pays.
    profitable: bool,
    /// What is left after the loan, its fee and the gas.
    expected_profit: Figure,
    /// The best size without the cap.
    uncapped_amount: Figure,
    /// What that size would leave.
    uncapped_profit: Figure,
    /// The cap.
    max_amount: Figure,
    /// Whether no other size can do better, to the last unit.
    certified: bool,
    /// Now, ISO-8601 UTC.
    timestamp: String,
}

/// The best size of a flash loan between two pairs.
#[utoipa::path(post, path = "/api/calculate-flashloan", tag = "arbitrage", security(()),
    request_body = FlashLoanQuestion, responses(
    (status = 200, description = "The best size", body = FlashLoanAnswer),
    (status = 400, description = "A number has no answer", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn calculate_flashloan(
    ApiJson(question): ApiJson<FlashLoanQuestion>,
) -> Result<ApiJson<FlashLoanAnswer>, Problem> {
    let loan = FlashLoan {
        buy: [question.reserve_in_buy.0, question.reserve_out_buy.0],
        sell: [question.reserve_in_sell.0, question.reserve_out_sell.0],
        loan_fee: question.flashloan_fee.0,
        gas_cost: question.gas_cost.0,
    };
    let size = loan.best_size().map_err(problem)?;
    Ok(ApiJson(FlashLoanAnswer {
        success: true,
        flashloan_amount: Figure(size.amount),
        flashloan_fee: Figure(loan.loan_fee),
        gas_cost: Figure(loan.gas_cost),
        profitable: size.amount.is_positive(),
        expected_profit: Figure(size.expected_profit),
        uncapped_amount: Figure(size.uncapped_amount),
        uncapped_profit: Figure(size.uncapped_profit),
        max_amount: Figure(size.cap),
        certified: size.certified,
        timestamp: format_utc(now_ms()),
    }))
}

/// Cycles, each with its loan and its gas.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PathsQuestion {
    /// Cycles of pairs: reserves in trading direction.
    #[schema(value_type = Vec<Vec<Vec<Number>>>, min_items = 1, max_items = 256)]
    paths: Vec<Vec<[Number; 2]>>,
    /// The loan of each cycle.
    flashloan_amounts: Vec<Number>,
    /// The cost of the transaction of each cycle, at least 0.
    gas_costs: Vec<Number>,
    /// The lender's fee, a fraction in [0, 1) with at most 9 digits after the point.
    #[serde(default = "default_fee")]
    #[schema(required = false)]
    flashloan_fee: Number,
    /// The tokens along each cycle, the last the same as the first, if the chaining is to be checked.
    #[serde(default)]
    tokens: Option<Vec<Vec<String>>>,
}

/// What one cycle leaves.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathResult {
    /// Its place in the question, from 0.
    path_index: usize,
    /// The output less the loan, its fee and the gas; may be negative.
    profit: Figure,
    /// The slippages of the hops added up, in percent.
    slippage: f64,
    /// The same with four digits and its unit.
    slippage_pct: String,
    /// What the whole path loses, in percent.
    compound_slippage: f64,
    /// What the last pair pays.
    amount_out: Figure,
    /// Whether it is the most profitable; the first of equal ones.
    is_best: bool,
}

/// The cycles compared.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PathsAnswer {
    success: bool,
    /// In the order of the question.
    results: Vec<PathResult>,
    /// The most profitable.
    best_path_index: usize,
    /// What it leaves.
    best_profit: Figure,
    /// Cycles compared.
    total_paths_simulated: usize,
    /// Now, ISO-8601 UTC.
    timestamp: String,
}

/// What loans traded along cycles leave, and which leaves most.
#[utoipa::path(post, path = "/api/simulate-paths", tag = "arbitrage", security(()),
    request_body = PathsQuestion, responses(
    (status = 200, description = "The cycles compared", body = PathsAnswer),
    (status = 400, description = "A number or path has no answer", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "The body is no JSON", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn simulate_paths(ApiJson(question): ApiJson<PathsQuestion>) -> Result<ApiJson<PathsAnswer>, Problem> {
    let count = question.paths.len();
    if !(1..=MAX_PATHS).contains(&count) {
        return Err(wrong("paths", format!("there are {count} paths; give 1 to {MAX_PATHS}")));
    }
    let lengths = [
        ("flashloanAmounts", Some(question.flashloan_amounts.len())),
        ("gasCosts", Some(question.gas_costs.len())),
        ("tokens", question.tokens.as_ref().map(Vec::len)),
    ];
    for (field, length) in lengths {
        if let Some(length) = length.filter(|length| *length != count) {
            return Err(wrong(field, format!("{field} has {length} entries for {count} paths; give one for each")));
        }
    }
    let mut found = Vec::with_capacity(count);
    let costs = question.flashloan_amounts.iter().zip(&question.gas_costs);
    for (index, (path, (amount, gas))) in question.paths.iter().zip(costs).enumerate() {
        if let Some(tokens) = question.tokens.as_ref().map(|tokens| &tokens[index]) {
            check_tokens(&format!("tokens[{index}]"), tokens, path.len(), true)?;
        }
        let names = [format!("paths[{index}]"), format!("flashloanAmounts[{index}]"), format!("gasCosts[{index}]")];
        let path = reserves(path);
        let done = path_profit((&names[0], &path), (&names[1], amount.0), question.flashloan_fee.0, (&names[2], gas.0));
        found.push(done.map_err(problem)?);
    }
    // The first of equal ones.
    let best = (0..count).reduce(|best, index| if found[index].profit > found[best].profit { index } else { best });
    let best = best.unwrap_or(0);
    Ok(ApiJson(PathsAnswer {
        success: true,
        best_path_index: best,
        best_profit: Figure(found[best].profit),
        total_paths_simulated: count,
        results: found
            .into_iter()
            .enumerate()
            .map(|(path_index, path)| PathResult {
                path_index,
                profit: Figure(path.profit),
                slippage: path.slippage.total * 100.0,
                slippage_pct: percent(path.slippage.total),
                compound_slippage: path.slippage.compound * 100.0,
                amount_out: Figure(path.slippage.amount_out),
                is_best: path_index == best,
            })
            .collect(),
        timestamp: format_utc(now_ms()),
    }))
}
