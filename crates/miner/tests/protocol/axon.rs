//! The loopback matrix of the v10 axon wire, over real HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};

use assay_lp::RebalanceAnswer;
use assay_lp::protocol::axon_v10::{Call, query_body};
use assay_lp::round::Reply;
use assay_miner::{AxonKey, AxonServer, Fault, MinerClient, MinerEndpoint, Outcome, Wire, system_clock};
use serde_json::Value;

use crate::support::{Miner, Response, Running, SECOND, answer, ask, key, query, send, within};

const BOB: &str = "5FHneW46xGXgs5mUiveU4sbTyGBzmstUspZC92UhjJM694ty";

/// `//Alice` of every Substrate chain.
fn alice() -> AxonKey {
    let mut secret = [0; 32];
    hex::decode_to_slice("e5be9a5092b81bca64be81d212e7f2f9eba183bb7a90954f7b76361f6edb5c0a", &mut secret).unwrap();
    AxonKey::from_mini_secret(&secret).unwrap()
}

async fn axon(validators: Option<BTreeSet<String>>) -> Running {
    Miner { axon: Some(AxonServer { hotkey: BOB.into(), validators }), ..Miner::default() }.start().await
}

/// Headers of a signed request with a client id of its own, so that cases do not meet.
fn headers(nonce: u64) -> BTreeMap<String, String> {
    static CLIENTS: AtomicU64 = AtomicU64::new(0);
    let uuid = format!("00000000-0000-1000-8000-{:012}", CLIENTS.fetch_add(1, Ordering::SeqCst));
    let alice = alice();
    let call = Call {
        axon_ip: "127.0.0.1",
        axon_port: 8091,
        axon_hotkey: BOB,
        dendrite_ip: "127.0.0.1",
        dendrite_hotkey: alice.address(),
        uuid: &uuid,
        nonce,
        timeout_s: 60.0,
    };
    call.headers(&alice.sign(&call.message()), 0).into_iter().collect()
}

async fn post(miner: &Running, path: &str, headers: &BTreeMap<String, String>, body: &str) -> Response {
    let headers = headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    send("POST", &format!("{}{path}", miner.url), headers, body.as_bytes()).await
}

fn body() -> String {
    query_body(&query(100)).to_string()
}

/// The status of a request whose headers of these beginnings are left out.
async fn without(miner: &Running, left_out: &[&str]) -> u16 {
    let mut headers = headers(system_clock()());
    headers.retain(|name, _| !left_out.iter().any(|start| name.starts_with(start)));
    post(miner, "/RebalanceQuery", &headers, &body()).await.status
}

#[tokio::test]
async fn a_signed_request_is_answered_in_the_open() {
    let miner = axon(None).await;
    let response = post(&miner, "/RebalanceQuery", &headers(system_clock()()), &body()).await;
    assert_eq!(response.status, 200);
    assert_eq!(RebalanceAnswer::read(&response.body), Ok(answer()));
    let said: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((&said["name"], &said["job_id"]), (&"RebalanceQuery".into(), &"weth-usdc".into()));
    assert_eq!(response.headers["bt_header_axon_status_code"], "200");
    assert_eq!(response.headers["bt_header_axon_status_message"], "Success");
}

#[tokio::test]
async fn the_wire_lets_through_what_that_axon_lets_through() {
    let miner = axon(None).await;
    assert_eq!(without(&miner, &["bt_header_dendrite_signature"]).await, 200, "unsigned");
    assert_eq!(without(&miner, &["bt_header_axon_"]).await, 200, "no axon headers");
    assert_eq!(without(&miner, &["bt_header_dendrite_version"]).await, 200, "no version");
    assert_eq!(without(&miner, &["name", "timeout"]).await, 200, "no name, no time-out");
    let tampered = body().replace("\"block_number\":100", "\"block_number\":999");
    let response = post(&miner, "/RebalanceQuery", &headers(system_clock()()), &tampered).await;
    assert_eq!(response.status, 200, "the body is not covered");
    let future = headers(system_clock()() + 86_400 * SECOND);
    assert_eq!(post(&miner, "/RebalanceQuery", &future, &body()).await.status, 200);
}

#[tokio::test]
async fn nonces_follow_their_rules() {
    let miner = axon(None).await;
    let now = system_clock()();
    assert_eq!(post(&miner, "/RebalanceQuery", &headers(now - 50 * SECOND), &body()).await.status, 200);
    assert_eq!(post(&miner, "/RebalanceQuery", &headers(now - 70 * SECOND), &body()).await.status, 401);
    let once = headers(now);
    assert_eq!(post(&miner, "/RebalanceQuery", &once, &body()).await.status, 200);
    let replay = post(&miner, "/RebalanceQuery", &once, &body()).await;
    assert_eq!(replay.status, 401);
    assert_eq!(replay.headers["bt_header_axon_status_code"], "401");
    let said: Value = serde_json::from_slice(&replay.body).unwrap();
    assert_eq!(said["message"], "not verified: the nonce is not above the last one");
}

#[tokio::test]
async fn a_forged_far_nonce_does_not_lock_the_caller_out() {
    let miner = axon(None).await;
    let genuine = headers(system_clock()());
    let mut forged = genuine.clone();
    forged.remove("bt_header_dendrite_signature");
    forged.insert("bt_header_dendrite_nonce".into(), u64::MAX.to_string());
    assert_eq!(post(&miner, "/RebalanceQuery", &forged, &body()).await.status, 200);
    assert_eq!(post(&miner, "/RebalanceQuery", &genuine, &body()).await.status, 200);
}

#[tokio::test]
async fn every_refusal_has_its_status() {
    let miner = axon(None).await;
    assert_eq!(without(&miner, &["computed_body_hash"]).await, 401);
    assert_eq!(without(&miner, &["bt_header_input_obj_"]).await, 500);
    assert_eq!(without(&miner, &["bt_header_dendrite_nonce"]).await, 401);
    assert_eq!(without(&miner, &["bt_header_dendrite_hotkey"]).await, 401);
    let mut forged = headers(system_clock()());
    forged.insert("bt_header_dendrite_nonce".into(), (system_clock()() + 1).to_string());
    assert_eq!(post(&miner, "/RebalanceQuery", &forged, &body()).await.status, 401, "another nonce than signed");
    let good = || headers(system_clock()());
    assert_eq!(post(&miner, "/Unknown", &good(), &body()).await.status, 404);
    assert_eq!(post(&miner, "/bad-name", &good(), &body()).await.status, 400);
    assert_eq!(post(&miner, "/RebalanceQuery", &good(), "NaN").await.status, 422);
    assert_eq!(post(&miner, "/RebalanceQuery", &good(), &" ".repeat(100_000)).await.status, 413);
    let closed = axon(Some(BTreeSet::from([BOB.to_owned()]))).await;
    assert_eq!(post(&closed, "/RebalanceQuery", &good(), &body()).await.status, 403);
}

#[tokio::test]
async fn without_the_option_the_wire_is_not_spoken() {
    let miner = Miner::default().start().await;
    let response = post(&miner, "/RebalanceQuery", &headers(system_clock()()), &body()).await;
    assert_eq!((response.status, response.problem().error.as_str()), (401, "unsigned"));
}

#[tokio::test]
async fn a_validator_marks_such_answers_unauthenticated() {
    let miner = axon(Some(BTreeSet::from([alice().address().to_owned()]))).await;
    let endpoint = MinerEndpoint::new(BOB, &miner.url, Wire::AxonV10).unwrap();
    let validator = MinerClient::new(key(1), Some(alice()), system_clock()).unwrap();
    for _ in 0..2 {
        let asked = validator.ask(&ask(&endpoint, 100), within(5_000)).await;
        assert_eq!(asked.outcome, Outcome::Open(answer()));
        assert_eq!(asked.reply(), Some(Reply::Answer(answer())));
        assert!(!asked.authenticated);
    }
    let keyless = MinerClient::new(key(1), None, system_clock()).unwrap();
    let asked = keyless.ask(&ask(&endpoint, 100), within(5_000)).await;
    assert_eq!(asked.outcome, Outcome::Failed(Fault::NoAxonKey));
    // The native wire goes on beside it.
    assert!(validator.ask(&ask(&miner.endpoint(), 100), within(5_000)).await.authenticated);
}
