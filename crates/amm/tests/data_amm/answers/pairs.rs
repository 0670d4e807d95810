//! The recorded answers of Aerodrome V2 and Pancake V2 pairs, equal to the last unit, and
//! the recorded answer that nothing can be compared with.

use crate::recorded::{Tally, answers, read};
use assay_amm::{Context, PoolKind, snapshot};

const STATES: &str = "arbitrage/quotes/states/chain_data/8453";
const ANSWERS: &str = "arbitrage/quotes/answers/tests";

/// Answers of one pair against its recorded state.
fn tally(kind: PoolKind, state: &str, file: &str) -> Tally {
    #[derive(serde::Deserialize)]
    struct Address {
        pool: String,
    }
    let text = read(&format!("{STATES}/{state}"));
    let address: Address = serde_json::from_str(&text).unwrap();
    let snapshot = snapshot::decode(&text).unwrap();
    assert_eq!(snapshot.pool.kind(), kind);
    let mut tally = Tally::new(kind.name());
    for answer in answers(&format!("{ANSWERS}/{file}")) {
        assert_eq!(answer.address, address.pool);
        let (token_in, token_out) = answer.direction(|name| snapshot.token(name).unwrap());
        let call = format!("{} {}", answer.arguments.join(" "), answer.amount);
        match snapshot.pool.quote_exact_in(token_in, token_out, answer.amount, &Context::default()) {
            Ok(quote) => tally.compare(&call, answer.value(), quote.amount_out),
            Err(error) => tally.refuse(&call, answer.value(), error),
        }
    }
    tally
}

/// How every recorded answer of this pair compares.
pub fn solidly_stable() -> Tally {
    tally(
        PoolKind::SolidlyStable,
        "aerodrome_v2_dola_usdbc_stable_block_46875151.json",
        "aerodrome/test_aerodrome_v2_onchain_parity/test_aerodrome_v2_stable_get_amount_out.json",
    )
}

/// How every recorded answer of this pair compares.
pub fn solidly_volatile() -> Tally {
    tally(
        PoolKind::SolidlyVolatile,
        "aerodrome_v2_tbtc_weth_volatile_block_46875151.json",
        "aerodrome/test_aerodrome_v2_onchain_parity/test_aerodrome_v2_volatile_get_amount_out.json",
    )
}

/// How every recorded answer of this pair compares.
pub fn pancake() -> Tally {
    tally(
        PoolKind::UniswapV2,
        "pancakeswap_v2_weth_usdbc_block_46875151.json",
        "pancakeswap/test_pancakeswap_v2_onchain_parity/test_pancakeswap_v2_router_get_amounts_out.json",
    )
}

/// The one answer of Camelot, whose pool's state is not recorded.
pub fn camelot() -> String {
    let file = "uniswap/v2/test_camelot_v2_onchain_parity/test_create_camelot_v2_pool.json";
    let recorded = answers(&format!("{ANSWERS}/{file}"));
    let [answer] = &recorded[..] else { panic!("one answer is recorded") };
    assert_eq!(answer.address, "0x84652bb2539513BAf36e225c930Fdd8eaa63CE27");
    // Its chain is 42161, of which no state is recorded.
    assert!(!crate::recorded::data("arbitrage/quotes/states/chain_data/42161").exists());
    format!("Camelot {} {} {}", answer.address, answer.arguments.join(" "), answer.amount)
}
