//! Recorded answers of Uniswap V3, Uniswap V4 and Slipstream contracts, and hops that
//! failed in the field.
use crate::recorded::{Answer, Tally, answers, read};
use assay_amm::concentrated::{Amount, Core};
use assay_amm::snapshot::{Snapshot, decode};
use assay_amm::{AmmError, Pool, U256};

const STATES: &str = "arbitrage/quotes/states/chain_data";
const ANSWERS: &str = "arbitrage/quotes/answers/tests";
/// The selector of `NotEnoughLiquidity(bytes32)`, as the quoter passes it on.
const NOT_ENOUGH_LIQUIDITY: &str = "7a5ed734";

/// What the quoter contract answers: a swap without a price limit, even one that ends
/// before its input is used up.
fn quoted(snapshot: &Snapshot, answer: &Answer, names: [&str; 2]) -> Result<U256, AmmError> {
    let (token_in, token_out) = answer.direction(|name| names.iter().position(|own| *own == name).unwrap());
    let context = snapshot.context();
    let exact_out = answer.has("quoteExactOutputSingle");
    // V4's quoter refuses what the liquidity does not cover; V3's answers for the part it does.
    if matches!(snapshot.pool, Pool::UniswapV4(_)) {
        return Ok(if exact_out {
            snapshot.pool.quote_exact_out(token_in, token_out, answer.amount, &context)?.amount_in
        } else {
            snapshot.pool.quote_exact_in(token_in, token_out, answer.amount, &context)?.amount_out
        });
    }
    let limit = Core::furthest_limit(token_in == 0);
    let amount = if exact_out { Amount::Out(answer.amount) } else { Amount::In(answer.amount) };
    let swapped = snapshot.pool.quote_limited(token_in, token_out, amount, limit, &context)?;
    Ok(if exact_out { swapped.amount_in } else { swapped.amount_out })
}

fn compare(family: &str, state: &str, recorded: &str, names: [&str; 2]) -> (Tally, Vec<Answer>) {
    let snapshot = decode(&read(&format!("{STATES}/{state}"))).unwrap();
    let before = snapshot.clone();
    let mut tally = Tally::new(family);
    let mut refused = Vec::new();
    for answer in answers(&format!("{ANSWERS}/{recorded}")) {
        let call = format!("{:?} {}", answer.arguments, answer.amount);
        let ours = quoted(&snapshot, &answer, names);
        match (&answer.outcome, ours) {
            (Ok(value), Ok(ours)) => tally.compare(&call, *value, ours),
            (Ok(value), Err(error)) => tally.refuse(&call, *value, error),
            (Err(refusal), Err(AmmError::LiquidityExhausted { .. }))
                if refusal.message.contains(NOT_ENOUGH_LIQUIDITY) => {}
            (Err(refusal), _) if refusal.exception == "Timeout" => {}
            (Err(refusal), ours) => panic!("{call}: the contract says {refusal:?}, we {ours:?}"),
        }
        if answer.outcome.is_err() {
            refused.push(answer);
        }
    }
    assert_eq!(before, snapshot, "quoting changes no state");
    (tally, refused)
}

/// How every recorded answer of the V3 quoter compares.
pub fn uniswap_v3() -> Tally {
    let (tally, refused) = compare(
        "uniswap-v3",
        "1/uniswap_v3_wbtc_weth_block_24407242.json",
        "uniswap/v3/test_uniswap_v3_onchain_parity/test_cached_calculations_v3_wbtc_weth.json",
        ["WBTC", "WETH"],
    );
    assert!(refused.is_empty());
    tally
}

/// How every recorded answer of the V4 quoter compares, and how many reverts we refuse for
/// the same reason.
pub fn uniswap_v4() -> (Tally, usize) {
    let (tally, refused) = compare(
        "uniswap-v4",
        "1/uniswap_v4_eth_usdc_block_24407242.json",
        "uniswap/v4/test_uniswap_v4_onchain_parity/test_cached_calculations_v4_eth_usdc.json",
        ["ETH", "USDC"],
    );
    (tally, refused.len())
}

/// How every recorded answer of a Slipstream quoter compares, and the call that timed out.
pub fn slipstream() -> (Tally, String) {
    let (tally, refused) = compare(
        "slipstream",
        "8453/aerodrome_v3_cbeth_weth_block_46875151.json",
        "aerodrome/test_aerodrome_v3_onchain_parity/test_aerodrome_v3_cbeth_weth_quote.json",
        ["cbETH", "WETH"],
    );
    let [call] = &refused[..] else { panic!("one call timed out at the node, not {}", refused.len()) };
    (tally, format!("Aerodrome {} {}", call.arguments.join(" "), call.amount))
}
