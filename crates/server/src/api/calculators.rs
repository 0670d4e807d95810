//! The calculators of arbitrage: sizes, impact and slippage of constant-product pairs from
//! figures alone, answered by the exact engine. Open to everyone: they look at nothing stored
//! and what they compute is bounded.

use assay_amm::trade::calculator::{
    self, CalculatorError, Decimal, FlashLoan, GAS_COST, LOAN_FEE, PathSlippage, Reserves, impact, path_profit,
    path_slippage,
};
use assay_types::time::format_utc;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::clock::now_ms;
use crate::extract::ApiJson;
use crate::number::{Figure, Number};
use crate::problem::{Code, Problem};
use crate::state::ServerState;

/// Paths in one question at most.
pub(crate) const MAX_PATHS: usize = 256;
/// Longest name of a token.
const MAX_TOKEN: usize = 64;

pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(calculate_flashloan))
        .routes(routes!(calculate_impact))
        .routes(routes!(calculate_multihop_slippage))
        .routes(routes!(simulate_paths))
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

/// A loan to buy in one pair and sell in another: the buy pair pays the bought token for the
/// borrowed one, the sell pair the borrowed one for the bought.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FlashLoanQuestion {
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
struct FlashLoanAnswer {
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
async fn calculate_flashloan(
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

/// A trade in a pair.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ImpactQuestion {
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
struct ImpactAnswer {
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
async fn calculate_impact(ApiJson(question): ApiJson<ImpactQuestion>) -> Result<ApiJson<ImpactAnswer>, Problem> {
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
struct SlippageQuestion {
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
struct SlippageAnswer {
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
async fn calculate_multihop_slippage(
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

/// Cycles, each with its loan and its gas.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PathsQuestion {
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
struct PathResult {
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
struct PathsAnswer {
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
async fn simulate_paths(ApiJson(question): ApiJson<PathsQuestion>) -> Result<ApiJson<PathsAnswer>, Problem> {
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::testing::Routes;

    async fn ask(routes: &Routes, path: &str, body: Value) -> Value {
        let (status, answer) = routes.ask(None, "POST", path, Some(&body)).await;
        assert!(status.is_success() || answer["code"] == "bad_request", "{status} {answer}");
        answer
    }

    fn close(answer: &Value, field: &str, printed: &str) {
        let digits = printed.split('.').nth(1).unwrap().len();
        let found = answer[field].as_f64().unwrap_or_else(|| panic!("{field} in {answer}"));
        assert_eq!(format!("{found:.digits$}"), printed, "{field}");
    }

    #[tokio::test]
    async fn the_documented_figures_come_out() {
        let routes = Routes::start().await;
        let (status, health) = routes.ask(None, "GET", "/api/health", None).await;
        assert!(status.is_success() && health["status"] == "ok" && health["uptime"].as_f64().unwrap() >= 0.0);
        let loan = |reserve_in: Value, reserve_out: Value| json!({ "reserveInBuy": 1_000_000, "reserveOutBuy": "2000000", "reserveInSell": reserve_in, "reserveOutSell": reserve_out });
        for (reserve_in, reserve_out, amount, profit) in [
            (json!(1.8e6), json!(1e6), "24010.835", "1112.6213"),
            (json!("1900000"), json!(1_000_000), "10982.31", "146.67"),
            (json!(1_500_000), json!("1000000.0"), "64899.36", "9690.35"),
            (json!(1_800_000), json!(1_100_000), "48409.00", "4829.05"),
        ] {
            let answer = ask(&routes, "/api/calculate-flashloan", loan(reserve_in, reserve_out)).await;
            close(&answer, "flashloanAmount", amount);
            close(&answer, "expectedProfit", profit);
            assert_eq!((&answer["success"], &answer["profitable"]), (&json!(true), &json!(true)));
            assert_eq!((&answer["gasCost"], &answer["flashloanFee"]), (&json!(100), &json!(0.0009)));
        }
        for reserve_in in [2_000_000, 2_100_000, 2_200_000] {
            let answer = ask(&routes, "/api/calculate-flashloan", loan(json!(reserve_in), json!(1_000_000))).await;
            assert_eq!((&answer["flashloanAmount"], &answer["profitable"]), (&json!(0), &json!(false)));
        }
        let pair = |amount: u32| json!({ "reserveIn": 1e6, "reserveOut": 2e6, "tradeAmount": amount });
        let impact = ask(&routes, "/api/calculate-impact", pair(50_000)).await;
        close(&impact, "marketImpact", "9.2840927");
        assert_eq!(impact["marketImpactPct"], "9.2841%");
        let impact = ask(&routes, "/api/calculate-impact", pair(10_000)).await;
        close(&impact, "marketImpact", "1.9674832");
        close(&impact, "slippage", "1.2841966");
        let path = json!([[1e6, 2e6], [2e6, 2e6], [2e6, 1e6]]);
        let hops = json!({ "path": path, "flashloanAmount": 25_000, "tokens": ["A", "B", "C", "A"] });
        let slippage = ask(&routes, "/api/calculate-multihop-slippage", hops).await;
        close(&slippage, "totalSlippage", "7.9834430");
        assert_eq!((&slippage["totalSlippagePct"], &slippage["hops"]), (&json!("7.9834%"), &json!(3)));
        assert!(slippage["compoundSlippage"].as_f64() < slippage["totalSlippage"].as_f64());
    }

    #[tokio::test]
    async fn the_best_path_is_the_first_of_the_most_profitable() {
        let routes = Routes::start().await;
        let (good, poor) = (json!([[1e6, 2e6], [1.8e6, 1e6]]), json!([[1e6, 2e6], [2.1e6, 1e6]]));
        let question = json!({ "paths": [poor, good, good], "flashloanAmounts": ["24010.835", "24010.835", "24010.835"],
            "gasCosts": [0, 100, 100] });
        let answer = ask(&routes, "/api/simulate-paths", question).await;
        assert_eq!((&answer["bestPathIndex"], &answer["totalPathsSimulated"]), (&json!(1), &json!(3)));
        close(&answer, "bestProfit", "1112.6213");
        assert!(answer["results"][0]["profit"].as_f64().unwrap() < 0.0);
        let best: Vec<bool> = (0..3).map(|path| answer["results"][path]["isBest"].as_bool().unwrap()).collect();
        assert_eq!(best, [false, true, false]);
    }

    #[tokio::test]
    async fn what_has_no_answer_is_named() {
        let routes = Routes::start().await;
        let pair = json!([[1, 1]]);
        let many = |count: usize| vec![json!(1); count];
        for (path, body, field) in [
            ("calculate-impact", json!({ "reserveIn": 0, "reserveOut": 1, "tradeAmount": 1 }), "reserveIn"),
            ("calculate-impact", json!({ "reserveIn": "NaN", "reserveOut": 1, "tradeAmount": 1 }), "reserveIn"),
            ("calculate-impact", json!({ "reserveIn": 1, "reserveOut": -2, "tradeAmount": 1 }), "reserveOut"),
            ("calculate-multihop-slippage", json!({ "path": [], "flashloanAmount": 1 }), "path"),
            ("calculate-multihop-slippage", json!({ "path": vec![[1, 1]; 17], "flashloanAmount": 1 }), "path"),
            ("calculate-multihop-slippage", json!({ "path": pair, "flashloanAmount": 0 }), "flashloanAmount"),
            ("calculate-multihop-slippage", json!({ "path": [[1, 0]], "flashloanAmount": 1 }), "path[0][1]"),
            (
                "calculate-multihop-slippage",
                json!({ "path": pair, "flashloanAmount": 1, "tokens": ["A", "a"] }),
                "tokens",
            ),
            ("simulate-paths", json!({ "paths": [], "flashloanAmounts": [], "gasCosts": [] }), "paths"),
            ("simulate-paths", json!({ "paths": [pair], "flashloanAmounts": [], "gasCosts": [1] }), "flashloanAmounts"),
            ("simulate-paths", json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [-1] }), "gasCosts[0]"),
            (
                "simulate-paths",
                json!({ "paths": vec![&pair; 257], "flashloanAmounts": many(257), "gasCosts": many(257) }),
                "paths",
            ),
            (
                "simulate-paths",
                json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [1], "flashloanFee": 1 }),
                "flashloanFee",
            ),
            (
                "simulate-paths",
                json!({ "paths": [pair], "flashloanAmounts": [1], "gasCosts": [1], "tokens": [["A", "B"]] }),
                "tokens[0]",
            ),
        ] {
            let answer = ask(&routes, &format!("/api/{path}"), body.clone()).await;
            assert_eq!((&answer["status"], &answer["field"]), (&json!(400), &json!(field)), "{body}: {answer}");
        }
    }
}
