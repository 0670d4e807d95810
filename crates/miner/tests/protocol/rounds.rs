//! What honest miners and validators do.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_lp::protocol::auth;
use assay_lp::protocol::seal;
use assay_lp::protocol::{QUERY_PATH, REVEAL_PATH, RevealReply};
use assay_lp::round::Reply;
use assay_miner::{Fault, MAX_ASKS, Outcome};
use assay_types::Hash;
use serde_json::Value;

use crate::support::{
    Miner, answer, ask, committed, key, key_text, query, reveal, send, validator, validator_of, within,
};

#[tokio::test]
async fn an_answer_is_sealed_then_revealed() {
    let miner = Miner::default().start().await;
    let (validator, endpoint) = (validator(), miner.endpoint());
    let asked = validator.ask(&ask(&endpoint, 100), within(5_000)).await;
    assert!(asked.authenticated);
    assert_eq!((&asked.miner, asked.reply()), (&miner.key, None));
    let commitment = committed(&asked);
    let revealed = validator.reveal(&reveal(&endpoint, 100, commitment), within(5_000)).await;
    assert_eq!(revealed.reply(), Reply::Answer(answer()));
    let opened = revealed.outcome.unwrap();
    assert_eq!(opened.answer, answer());
    // The record alone lets anybody check the seal again.
    let request = reveal(&endpoint, 100, commitment).request;
    let reply = RevealReply { salt: opened.salt, answer: opened.text };
    assert_eq!(seal::verify(&request.place(&miner.key), commitment, &reply), Ok(()));
}

#[tokio::test]
async fn asked_again_a_miner_gives_the_same_commitment_and_thinks_once() {
    let thoughts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&thoughts);
    let strategy = Arc::new(move |_: &_| {
        counter.fetch_add(1, Ordering::SeqCst);
        answer()
    });
    let miner = Miner { strategy, ..Miner::default() }.start().await;
    let (validator, endpoint) = (validator(), miner.endpoint());
    let asks = (0..8).map(|_| ask(&endpoint, 100)).collect();
    let asked = validator.ask_all(asks, within(5_000)).await;
    assert!(asked.iter().all(|one| committed(one) == committed(&asked[0])), "at the same time");
    let later = validator.ask(&ask(&endpoint, 100), within(5_000)).await;
    assert_eq!(committed(&later), committed(&asked[0]));
    assert_eq!(thoughts.load(Ordering::SeqCst), 1);
    let next = validator.ask(&ask(&endpoint, 200), within(5_000)).await;
    assert_ne!(committed(&next), committed(&later));
    assert_eq!(thoughts.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_validator_that_hangs_up_and_asks_again_meets_the_same_thought() {
    let thoughts = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&thoughts);
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let strategy = Arc::new(move |_: &_| {
        counter.fetch_add(1, Ordering::SeqCst);
        _ = wait.lock().unwrap().recv();
        answer()
    });
    let miner = Miner { strategy, ..Miner::default() }.start().await;
    let (validator, endpoint) = (validator(), miner.endpoint());
    let first = validator.ask(&ask(&endpoint, 100), within(300)).await;
    assert_eq!(first.outcome, Outcome::Failed(Fault::Late));
    drop(done);
    let second = validator.ask(&ask(&endpoint, 100), within(5_000)).await;
    let opened = validator.reveal(&reveal(&endpoint, 100, committed(&second)), within(5_000)).await;
    assert!(opened.outcome.is_ok());
    assert_eq!(thoughts.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_opens_for_the_validator_that_has_its_commitment_only() {
    let miner = Miner::default().start().await;
    let endpoint = miner.endpoint();
    let commitment = committed(&validator().ask(&ask(&endpoint, 100), within(5_000)).await);
    let refused = |outcome: Result<_, Fault>| match outcome {
        Err(Fault::Refused { status: 404, message }) => message.starts_with("unknown_commitment: "),
        other => panic!("{:?}", other.map(|_: assay_miner::RevealedAnswer| ())),
    };
    assert!(refused(validator_of(9).reveal(&reveal(&endpoint, 100, commitment), within(5_000)).await.outcome));
    assert!(refused(validator().reveal(&reveal(&endpoint, 101, commitment), within(5_000)).await.outcome));
    let guess = seal::Commitment(Hash::of(b"guess"));
    assert!(refused(validator().reveal(&reveal(&endpoint, 100, guess), within(5_000)).await.outcome));
    assert!(validator().reveal(&reveal(&endpoint, 100, commitment), within(5_000)).await.outcome.is_ok());
}

#[tokio::test]
async fn two_validators_get_two_seals_of_one_answer() {
    let miner = Miner::default().start().await;
    let endpoint = miner.endpoint();
    let first = committed(&validator_of(1).ask(&ask(&endpoint, 100), within(5_000)).await);
    let second = committed(&validator_of(9).ask(&ask(&endpoint, 100), within(5_000)).await);
    assert_ne!(first, second);
    let opened = validator_of(9).reveal(&reveal(&endpoint, 100, second), within(5_000)).await.outcome.unwrap();
    assert_eq!(opened.answer, answer());
}

#[tokio::test]
async fn many_miners_are_asked_at_once_and_keep_their_order() {
    let mut miners = Vec::new();
    for seed in 10..74 {
        miners.push(Miner { seed, ..Miner::default() }.start().await);
    }
    let validator = validator();
    let asked = validator.ask_all(miners.iter().map(|m| ask(&m.endpoint(), 100)).collect(), within(20_000)).await;
    assert!(asked.iter().zip(&miners).all(|(asked, miner)| asked.miner == miner.key && asked.authenticated));
    let reveals = asked.iter().zip(&miners).map(|(a, m)| reveal(&m.endpoint(), 100, committed(a))).collect();
    let revealed = validator.reveal_all(reveals, within(20_000)).await;
    assert!(revealed.iter().zip(&miners).all(|(revealed, miner)| revealed.miner == miner.key));
    assert!(revealed.iter().all(|revealed| revealed.outcome.as_ref().unwrap().answer == answer()));
}

#[tokio::test]
async fn one_call_asks_a_bounded_number() {
    let miner = Miner::default().start().await;
    let asks = (0..=MAX_ASKS).map(|_| ask(&miner.endpoint(), 100)).collect();
    // The deadline is there already: what matters is who would have been asked.
    let asked = validator().ask_all(asks, within(0)).await;
    assert_eq!(asked.len(), MAX_ASKS + 1);
    assert_eq!(asked[MAX_ASKS].outcome, Outcome::Failed(Fault::NotAsked { limit: MAX_ASKS }));
}

#[tokio::test]
async fn a_strategy_that_fails_costs_its_miner_the_answer() {
    let miner = Miner { strategy: Arc::new(|_| panic!("no idea")), ..Miner::default() }.start().await;
    let asked = validator().ask(&ask(&miner.endpoint(), 100), within(5_000)).await;
    let message = "no_answer: the strategy failed".to_owned();
    assert_eq!(asked.outcome, Outcome::Failed(Fault::Refused { status: 500, message }));
}

#[tokio::test]
async fn every_response_to_a_proven_request_is_signed() {
    let miner = Miner::default().start().await;
    let query = serde_json::to_vec(&query(100)).unwrap();
    for (method, path, body, status) in [
        ("POST", QUERY_PATH, query.as_slice(), 200),
        ("POST", QUERY_PATH, b"NaN".as_slice(), 400),
        ("POST", REVEAL_PATH, b"{}".as_slice(), 400),
        ("POST", "/Elsewhere", b"{}".as_slice(), 404),
        ("PUT", QUERY_PATH, b"{}".as_slice(), 404),
    ] {
        let now = assay_miner::system_clock()();
        let signed = auth::sign_request(&key(1), method, path, body, now, &miner.key);
        let response = send(method, &format!("{}{path}", miner.url), signed.headers.pairs(), body).await;
        assert_eq!(response.status, status, "{method} {path}");
        let headers = response.assay_headers();
        let proof = auth::verify_response(&headers, &miner.key, &key_text(1), signed.digest, status, &response.body);
        assert_eq!(proof, Ok(()));
    }
}

#[tokio::test]
async fn health_names_the_miner() {
    let miner = Miner::default().start().await;
    let response = send("GET", &format!("{}/health", miner.url), std::iter::empty(), b"").await;
    let health: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!(health, serde_json::json!({"status": "ok", "protocol": "assay/1", "key": miner.key}));
}
