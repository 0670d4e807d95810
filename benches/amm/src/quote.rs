//! Quotes of exact inputs on the real WBTC/WETH pool with its 458 ticks.

use std::hint::black_box;

use amms::amms::amm::AutomatedMarketMaker;
use assay_amm::{Context, U256};

use crate::measure::{Contender, race};
use crate::real_pool::{OnChain, TOKENS, of_amms, ours, v3};

pub fn run() {
    let ours = ours();
    let amms = of_amms(v3(&ours));
    let mut chain = OnChain::new(v3(&ours));
    let context = Context::default();
    let whole = |decimals: usize, count: u64| U256::from(count) * U256::from(10).pow(U256::from(decimals));
    let cases = [
        ("1 WETH in", 1, whole(18, 1)),
        ("1 WBTC in", 0, whole(8, 1)),
        ("100 WBTC in", 0, whole(8, 100)),
        ("1000 WETH in", 1, whole(18, 1000)),
    ];
    for (name, token_in, amount) in cases {
        let (from, to) = (TOKENS[token_in], TOKENS[1 - token_in]);
        let out =
            ours.quote_exact_in(token_in, 1 - token_in, amount, &context).expect("the pool has this much").amount_out;
        assert_eq!(amms.simulate_swap(from, to, amount).expect("amms answers"), out, "amms-rs, {name}");
        let question = chain.question(token_in, amount);
        assert_eq!(chain.answer(&question).unsigned(0), out, "the deployed contracts, {name}");
        race(
            name,
            vec![
                Contender::new("assay", 1, || ours.quote_exact_in(token_in, 1 - token_in, black_box(amount), &context)),
                Contender::new("amms-rs", 1, || amms.simulate_swap(from, to, black_box(amount))),
                Contender::new("the quoter in revm", 1, || chain.answer(&question)),
            ],
        );
    }
}
