//! What no peer at hand computes: the stable curve of the Solidly family, and the proven
//! best size of a cycle of two constant-product pairs.

use std::hint::black_box;

use assay_amm::U256;
use assay_amm::kind::UniswapV2;
use assay_amm::trade::{Leg, Terms, optimal_input};

use crate::data;
use crate::measure::{Contender, race};

const STABLE: &str = "arbitrage/quotes/states/chain_data/8453/aerodrome_v2_dola_usdbc_stable_block_46875151.json";

pub fn run() {
    let snapshot = data::state(STABLE);
    let (pool, context) = (&snapshot.pool, snapshot.context());
    let amount = U256::from(10).pow(U256::from(21));
    pool.quote_exact_in(0, 1, amount, &context).expect("the pool has this much");
    race(
        "Solidly stable, 1,000 DOLA to USDbC",
        vec![Contender::new("assay", 1, || pool.quote_exact_in(0, 1, black_box(amount), &context))],
    );

    // WETH/USDC pairs whose prices are 1.5 % apart.
    let pair = |reserves| UniswapV2::new(reserves, 3, 1000).expect("reserves of a real pair");
    let cheap = pair([31_847_209_411_502, 9_874_553_108_277_413_906_123]);
    let dear = pair([8_213_007_665_214, 2_509_118_830_775_102_334_871]);
    let legs = [Leg { pool: &cheap, token_in: 0 }, Leg { pool: &dear, token_in: 1 }];
    let terms = Terms::default();
    let sizing = optimal_input(&legs, &terms).expect("a cycle of two pairs");
    assert!(sizing.certified && sizing.trade.is_some(), "{sizing:?}");
    race(
        "best size of a cycle of two pairs, proven",
        vec![Contender::new("assay", 1, || optimal_input(black_box(&legs), &terms))],
    );
}
