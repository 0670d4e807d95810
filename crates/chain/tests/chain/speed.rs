//! How fast logs come in from a local node.

use std::time::Instant;

use assay_bytecode::MarketSwap;
use assay_chain::{HeaderMode, LogFollower};
use assay_testkit::Anvil;

use crate::setting::{Indexed, address, client, market, options};

/// Swaps of a transaction.
const SWAPS: u64 = 50;
/// Transactions, each in a block of its own.
const BLOCKS: u64 = 200;

#[tokio::test]
async fn thousands_of_logs_a_second_come_from_a_local_node() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    market.mint(-6000, 6000, 10_u128.pow(24));
    for block in 0..BLOCKS {
        let swap = |index| {
            let amount = 10_u128.pow(15) + u128::from(block * SWAPS + index);
            MarketSwap { zero_for_one: (block + index) % 2 == 0, amount, exact_out: false }
        };
        market.swap(&(0..SWAPS).map(swap).collect::<Vec<_>>());
    }
    let options = options(address(&market), HeaderMode::All);
    let mut follower = LogFollower::from_block(client(&anvil.url()), options, 0).unwrap();
    let mut indexed = Indexed::default();
    let started = Instant::now();
    indexed.follow_to_head(&mut follower).await;
    let seconds = started.elapsed().as_secs_f64();
    assert_eq!(indexed.logs.len() as u64, BLOCKS * SWAPS + 2);
    let rate = indexed.logs.len() as f64 / seconds;
    println!("{} logs in {seconds:.3} s: {rate:.0} logs/s", indexed.logs.len());
    // The node takes half of the time; beside other tests an unoptimised client has little left.
    let least = if cfg!(debug_assertions) { 1000.0 } else { 5000.0 };
    assert!(rate > least, "{rate:.0} logs/s");
}
