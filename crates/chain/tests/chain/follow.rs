//! Following a chain that stands still, and one that grows.

use std::collections::BTreeSet;

use assay_amm::concentrated::Core;
use assay_amm::event::{Event, Located, Logged, RawLog};
use assay_amm::kind::UniswapV3;
use assay_amm::replay::{Replay, ReplayPool};
use assay_chain::{ChainError, HeaderMode, LogFollower, Progress};
use assay_testkit::Anvil;
use serde_json::json;

use crate::setting::{Indexed, address, client, market, options};

fn located((log, line): (&RawLog, u64)) -> Located {
    let Logged::Pool(event) = log.decode().unwrap() else { panic!("a pool logs its own events alone") };
    Located { place: log.place, line, event }
}

#[tokio::test]
async fn everything_from_the_first_block_is_indexed_and_replays_exactly() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    market.traffic();
    let mut indexed = Indexed::default();
    let options = options(address(&market), HeaderMode::All);
    let mut follower = LogFollower::from_block(client(&anvil.url()), options, 0).unwrap();
    indexed.follow_to_head(&mut follower).await;
    indexed.assert_is_all_of(&anvil, address(&market));
    assert_eq!(indexed.headers.len() as u64, follower.next_block());

    let events: Vec<Located> = indexed.logs.iter().zip(1..).map(located).collect();
    let names: BTreeSet<&str> = events.iter().map(|located| located.event.name()).collect();
    assert_eq!(names, BTreeSet::from(["burn", "collect", "initialize", "mint", "swap"]));
    let Event::Initialize { sqrt_price_x96, .. } = events[0].event else { panic!("the first event sets the price") };
    let core = Core::new(60, sqrt_price_x96).unwrap();
    let pool = UniswapV3::new(core, 3000, false).unwrap();
    let mut replay = Replay::new(ReplayPool::V3(pool));
    events.iter().for_each(|event| replay.apply(event).unwrap());
    assert_eq!(replay.mismatches(), []);
    assert_eq!(replay.counts().swaps, 43);
}

#[tokio::test]
async fn steps_are_small_when_asked_and_headers_few() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    market.traffic();
    anvil.rpc("anvil_mine", json!(["0x3e8"]));
    let mut few = options(address(&market), HeaderMode::WithLogs);
    few.max_range_blocks = 7;
    let mut indexed = Indexed::default();
    let mut follower = LogFollower::from_block(client(&anvil.url()), few, 0).unwrap();
    indexed.follow_to_head(&mut follower).await;
    indexed.assert_is_all_of(&anvil, address(&market));
    assert!(indexed.steps > 140, "{} steps", indexed.steps);
    assert!(indexed.headers.len() < 700, "{} headers", indexed.headers.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_head_is_followed_with_confirmations_and_until_a_block() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let head = client(&anvil.url()).block_number().await.unwrap();
    let mut careful = options(address(&market), HeaderMode::All);
    careful.confirmations = 5;
    careful.until = Some(head + 20);
    let mut follower = LogFollower::from_block(client(&anvil.url()), careful, 0).unwrap();
    let mut indexed = Indexed::default();
    indexed.follow_to_head(&mut follower).await;
    assert_eq!(indexed.headers.last().unwrap().number, head - 5);
    assert_eq!(follower.poll().await.unwrap(), Progress::AtHead { head });

    // The follower waits while the traffic comes, and ends by itself.
    let following = tokio::spawn(async move {
        while let Some(step) = follower.next().await.unwrap() {
            indexed.apply(step);
        }
        (indexed, follower)
    });
    tokio::task::block_in_place(|| market.traffic());
    let (indexed, mut follower) = following.await.unwrap();
    assert_eq!(indexed.headers.last().unwrap().number, head + 20);
    assert_eq!(follower.poll().await.unwrap(), Progress::Done);
    assert!(indexed.steps > 1);
}

#[tokio::test]
async fn a_follower_resumes_after_the_last_known_block() {
    let anvil = Anvil::start();
    let market = market(&anvil);
    let pool = address(&market);
    let mut indexed = Indexed::default();
    let first = options(pool, HeaderMode::All);
    indexed.follow_to_head(&mut LogFollower::from_block(client(&anvil.url()), first.clone(), 0).unwrap()).await;
    market.traffic();
    let last = *indexed.known().last().unwrap();
    let mut follower = LogFollower::resume(client(&anvil.url()), first, [last]).unwrap();
    assert_eq!(follower.next_block(), last.number + 1);
    indexed.follow_to_head(&mut follower).await;
    indexed.assert_is_all_of(&anvil, pool);
}

#[tokio::test]
async fn nonsense_is_refused_before_the_node_is_asked() {
    let node = || client("http://127.0.0.1:1");
    let none = options([0; 20], HeaderMode::All);
    let none = assay_chain::FollowOptions { addresses: Vec::new(), ..none };
    assert!(matches!(LogFollower::from_block(node(), none.clone(), 0), Err(ChainError::Invalid(_))));
    let many = assay_chain::FollowOptions { addresses: vec![[1; 20]; 101], ..none };
    assert!(matches!(LogFollower::from_block(node(), many, 0), Err(ChainError::Invalid(_))));
    let some = options([1; 20], HeaderMode::All);
    assert!(matches!(LogFollower::resume(node(), some, []), Err(ChainError::Invalid(_))));
}
