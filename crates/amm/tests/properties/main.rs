//! Properties of the concentrated kinds on random pools: gaps without liquidity, prices at
//! both ends, spacings from 1 to 16,384.
#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]
#![allow(clippy::needless_range_loop, reason = "loops over the two tokens index several arrays at once")]

mod books;
#[path = "../oracle/mod.rs"]
mod oracle;
mod pools;
mod second_engine;
mod swaps;

use proptest::prelude::ProptestConfig;
use proptest::test_runner::RngSeed;

/// The same cases on every run.
pub fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        cases: count,
        rng_seed: RngSeed::Fixed(20_260_721),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}
