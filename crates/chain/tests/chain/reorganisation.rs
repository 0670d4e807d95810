//! Chains that take blocks back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use assay_chain::{ChainError, HeaderMode, LogFollower, REMEMBERED_BLOCKS};
use assay_testkit::{Anvil, Deed, NodeProxy};
use serde_json::json;

use crate::setting::{Indexed, address, client, market, options};

#[tokio::test]
async fn blocks_that_left_the_chain_are_rolled_back() {
    for headers in [HeaderMode::All, HeaderMode::WithLogs] {
        let anvil = Anvil::start();
        let market = market(&anvil);
        let pool = address(&market);
        market.traffic();
        let mut indexed = Indexed::default();
        let mut follower = LogFollower::from_block(client(&anvil.url()), options(pool, headers), 0).unwrap();
        indexed.follow_to_head(&mut follower).await;
        let (head, logs) = (indexed.headers.last().unwrap().number, indexed.logs.len());
        anvil.rpc("anvil_reorg", json!([8, []]));
        indexed.follow_to_head(&mut follower).await;
        assert_eq!(indexed.rollbacks, [head - 8]);
        indexed.assert_is_all_of(&anvil, pool);
        assert!(indexed.logs.len() < logs, "the blocks that went held logs");

        market.traffic();
        indexed.follow_to_head(&mut follower).await;
        indexed.assert_is_all_of(&anvil, pool);
    }
}

#[tokio::test]
async fn a_chain_that_was_cut_short_and_grew_otherwise_is_rolled_back() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let pool = address(&market);
    let snapshot = anvil.rpc("evm_snapshot", json!([]));
    let at = client(&anvil.url()).block_number().await.unwrap();
    market.traffic();
    let mut indexed = Indexed::default();
    let mut follower = LogFollower::from_block(client(&anvil.url()), options(pool, HeaderMode::All), 0).unwrap();
    indexed.follow_to_head(&mut follower).await;
    anvil.rpc("evm_revert", json!([snapshot]));
    // Nothing contradicts what was indexed while the chain is only shorter.
    indexed.follow_to_head(&mut follower).await;
    assert!(indexed.rollbacks.is_empty());
    anvil.rpc("evm_increaseTime", json!([100]));
    market.mint(-60, 60, 10_u128.pow(15));
    indexed.follow_to_head(&mut follower).await;
    assert_eq!(indexed.rollbacks, [at]);
    indexed.assert_is_all_of(&anvil, pool);
}

#[tokio::test]
async fn a_reorganisation_while_away_is_rolled_back_by_the_known_blocks() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let pool = address(&market);
    market.traffic();
    let following = options(pool, HeaderMode::All);
    let mut indexed = Indexed::default();
    indexed.follow_to_head(&mut LogFollower::from_block(client(&anvil.url()), following.clone(), 0).unwrap()).await;
    let known = indexed.known();
    anvil.rpc("anvil_reorg", json!([3, []]));

    // With the last block alone there is nothing to roll back to.
    let mut alone = LogFollower::resume(client(&anvil.url()), following.clone(), known.last().copied()).unwrap();
    let error = alone.poll().await.unwrap_err();
    assert!(matches!(error, ChainError::DeepReorganisation { known: 1, .. }), "{error}");

    let mut follower = LogFollower::resume(client(&anvil.url()), following, known).unwrap();
    indexed.follow_to_head(&mut follower).await;
    assert_eq!(indexed.rollbacks.len(), 1);
    indexed.assert_is_all_of(&anvil, pool);
}

#[tokio::test]
async fn a_reorganisation_below_all_remembered_blocks_is_an_error_that_says_what_to_do() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let following = options(address(&market), HeaderMode::All);
    anvil.rpc("anvil_mine", json!([format!("{:#x}", REMEMBERED_BLOCKS + 20)]));
    let mut follower = LogFollower::from_block(client(&anvil.url()), following, 0).unwrap();
    let mut indexed = Indexed::default();
    indexed.follow_to_head(&mut follower).await;
    anvil.rpc("anvil_reorg", json!([REMEMBERED_BLOCKS + 5, []]));
    let error = follower.poll().await.unwrap_err();
    assert!(matches!(error, ChainError::DeepReorganisation { .. }), "{error}");
    assert!(error.to_string().contains("index again") && !error.is_retryable());
}

#[tokio::test]
async fn a_reorganisation_between_two_questions_is_never_indexed_half() {
    for headers in [HeaderMode::All, HeaderMode::WithLogs] {
        let anvil = Arc::new(Anvil::start());
        let market = market(&anvil);
        let pool = address(&market);
        market.traffic();
        let (node, done) = (Arc::clone(&anvil), AtomicBool::new(false));
        // The chain changes after its logs were read and before they are answered.
        let proxy = NodeProxy::start(anvil.address(), move |question| {
            if question["method"] == "eth_getLogs" && !done.swap(true, Ordering::SeqCst) {
                let answer = node.rpc("eth_getLogs", question["params"].clone());
                node.rpc("anvil_reorg", json!([10, []]));
                let body = json!({ "jsonrpc": "2.0", "id": question["id"], "result": answer });
                return Deed::Answer(200, String::new(), body.to_string());
            }
            Deed::Pass
        });
        let mut indexed = Indexed::default();
        let mut follower = LogFollower::from_block(client(&proxy.url()), options(pool, headers), 0).unwrap();
        indexed.follow_to_head(&mut follower).await;
        indexed.assert_is_all_of(&anvil, pool);
    }
}
