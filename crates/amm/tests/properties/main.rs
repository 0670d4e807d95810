//! What needs the repository alone: properties of every pool kind on random pools, and
//! damaged states and records. `ASSAY_CASES` is how many times the usual number of random
//! cases run (1 without it).
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test fails where it stands, and reads its number of cases from the environment"
)]
#![allow(clippy::needless_range_loop, reason = "loops over the two tokens index several arrays at once")]

mod balancer_stable;
mod balancer_weighted;
mod big_integers;
mod concentrated;
mod curve;
mod damage;
mod damaged_records;
mod damaged_states;
#[path = "../oracle/mod.rs"]
mod oracle;
mod records;
mod replay_bad_input;
mod sizing_brute_force;
mod solidly;
mod states_of_pools;
mod uniswap_v2;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// `count` cases, the same on every run unless `PROPTEST_RNG_SEED` names another seed.
fn cases(count: u32) -> ProptestConfig {
    let times: u32 = std::env::var("ASSAY_CASES").map_or(1, |times| times.parse().unwrap());
    let usual = ProptestConfig::default();
    let mut config = ProptestConfig {
        cases: count * times,
        max_global_rejects: usual.max_global_rejects * times,
        failure_persistence: None,
        ..usual
    };
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(3);
    }
    config
}
