//! The recorded `querySwap` answers of Balancer V2 pools, equal to the last unit.

use std::fs;

use crate::recorded::{Answer, Tally, answers, data, read};
use assay_amm::snapshot::{self, Snapshot};
use assay_amm::{Context, PoolKind};

const STATES: &str = "arbitrage/quotes/states/chain_data/1";
const ANSWERS: &str = "arbitrage/quotes/answers/tests/balancer";

/// Every recorded pool whose file starts with `prefix`, with its address in lower case.
fn pools(prefix: &str) -> Vec<(String, Snapshot)> {
    #[derive(serde::Deserialize)]
    struct Address {
        address: String,
    }
    let mut names: Vec<String> = fs::read_dir(data(STATES))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(prefix))
        .collect();
    names.sort();
    let load = |name: String| {
        let text = read(&format!("{STATES}/{name}"));
        let address: Address = serde_json::from_str(&text).unwrap();
        let snapshot = snapshot::decode(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
        (address.address.to_lowercase(), snapshot)
    };
    names.into_iter().map(load).collect()
}

fn compare(tally: &mut Tally, snapshot: &Snapshot, answer: &Answer) {
    let (token_in, token_out) = answer.direction(|name| snapshot.token(name).unwrap());
    let call = format!("{} {} {}", answer.address, answer.arguments.join(" "), answer.amount);
    let context = Context::default();
    let ours = if answer.has("GIVEN_IN") {
        snapshot.pool.quote_exact_in(token_in, token_out, answer.amount, &context).map(|quote| quote.amount_out)
    } else {
        assert!(answer.has("GIVEN_OUT"), "{call}");
        snapshot.pool.quote_exact_out(token_in, token_out, answer.amount, &context).map(|quote| quote.amount_in)
    };
    match ours {
        Ok(ours) => tally.compare(&call, answer.value(), ours),
        Err(error) => tally.refuse(&call, answer.value(), error),
    }
}

fn tally(family: &str, prefix: &str, kinds: &[PoolKind], files: &[&str]) -> Tally {
    let pools = pools(prefix);
    let mut tally = Tally::new(family);
    for file in files {
        for answer in answers(&format!("{ANSWERS}/{file}")) {
            let address = answer.address.to_lowercase();
            let (_, snapshot) = pools.iter().find(|(own, _)| *own == address).expect("a recorded state");
            assert!(kinds.contains(&snapshot.pool.kind()), "{address} is {}", snapshot.pool.kind());
            compare(&mut tally, snapshot, &answer);
        }
    }
    tally
}

/// How every recorded answer of a weighted pool compares.
pub fn weighted() -> Tally {
    let files = [
        "test_balancer_v2_onchain_parity/test_balancer_v2_expanded_multi_token_given_in.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_expanded_multi_token_given_out.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_expanded_two_token_given_in.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_expanded_two_token_given_out.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_usdc_weth_query_swap.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_weth_bal_query_swap.json",
        "test_balancer_v2_onchain_parity/test_balancer_v2_weth_rpl_query_swap.json",
    ];
    tally("balancer-weighted", "balancer_weighted", &[PoolKind::BalancerWeighted], &files)
}

/// How every recorded answer of a stable pool compares.
pub fn stable() -> Tally {
    let files = [
        "test_balancer_stable_onchain_parity/test_balancer_v2_stable_query_swap_given_in.json",
        "test_balancer_stable_onchain_parity/test_balancer_v2_stable_query_swap_given_out.json",
    ];
    let kinds = [PoolKind::BalancerStable, PoolKind::BalancerComposableStable];
    tally("balancer-stable", "balancer_stable", &kinds, &files)
}
