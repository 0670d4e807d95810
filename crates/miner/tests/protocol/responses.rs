//! What a validator does not believe.

use std::sync::{Arc, Mutex};

use assay_lp::protocol::auth::{AuthError, Headers};
use assay_lp::protocol::seal::{Commitment, SealError, SealPlace};
use assay_lp::protocol::{QUERY_PATH, RevealReply, seal};
use assay_lp::round::Reply;
use assay_lp::{AnswerError, RebalanceAnswer};
use assay_miner::{Fault, Outcome};
use assay_types::Hash;
use serde_json::json;

use crate::rogue::{Rogue, Seen, raw};
use crate::support::{Miner, answer, ask, committed, key, key_text, reveal, validator, within};

fn commit_body() -> Vec<u8> {
    json!({ "commitment": Hash::of(b"a seal") }).to_string().into_bytes()
}

async fn fault(respond: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Fault {
    let rogue = Rogue::responding(respond).await;
    let asked = validator().ask(&ask(&rogue.endpoint(3), 100), within(5_000)).await;
    assert!(!asked.authenticated);
    match asked.outcome {
        Outcome::Failed(fault) => fault,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_honest_response_of_a_plain_socket_passes() {
    let rogue = Rogue::responding(|seen| raw(200, &seen.sign(&key(3), 200, &commit_body()), &commit_body())).await;
    let asked = validator().ask(&ask(&rogue.endpoint(3), 100), within(5_000)).await;
    assert!(asked.authenticated);
    assert_eq!(committed(&asked), Commitment(Hash::of(b"a seal")));
}

#[tokio::test]
async fn unsigned_and_tampered_responses_are_refused() {
    assert_eq!(
        fault(|_| raw(200, &Headers::default(), &commit_body())).await,
        Fault::NotAuthentic(AuthError::Unsigned)
    );
    let other_body = json!({ "commitment": Hash::of(b"another seal") }).to_string().into_bytes();
    let swapped = fault(move |seen| raw(200, &seen.sign(&key(3), 200, &commit_body()), &other_body)).await;
    assert_eq!(swapped, Fault::NotAuthentic(AuthError::Tampered));
    let promoted = fault(|seen| raw(200, &seen.sign(&key(3), 500, &commit_body()), &commit_body())).await;
    assert_eq!(promoted, Fault::NotAuthentic(AuthError::Tampered), "a status is signed too");
}

#[tokio::test]
async fn another_miners_response_is_refused() {
    let theirs = fault(|seen| raw(200, &seen.sign(&key(4), 200, &commit_body()), &commit_body())).await;
    assert_eq!(theirs, Fault::NotAuthentic(AuthError::UnknownSender(key_text(4))));
    let renamed = fault(|seen| {
        let signed = seen.sign(&key(4), 200, &commit_body());
        raw(200, &Headers { key: Some(key_text(3)), ..signed }, &commit_body())
    });
    assert_eq!(renamed.await, Fault::NotAuthentic(AuthError::Tampered));
}

#[tokio::test]
async fn a_response_to_an_earlier_request_is_refused() {
    let first = Arc::new(Mutex::new(None));
    let rogue = Rogue::responding(move |seen| {
        let fresh = raw(200, &seen.sign(&key(3), 200, &commit_body()), &commit_body());
        first.lock().unwrap().get_or_insert(fresh).clone()
    })
    .await;
    let endpoint = rogue.endpoint(3);
    assert!(validator().ask(&ask(&endpoint, 100), within(5_000)).await.authenticated);
    let again = validator().ask(&ask(&endpoint, 100), within(5_000)).await;
    assert_eq!(again.outcome, Outcome::Failed(Fault::NotAuthentic(AuthError::Tampered)));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let honest = Miner { seed: 3, ..Miner::default() }.start().await;
    let location = format!("HTTP/1.1 307 X\r\nlocation: {}{QUERY_PATH}\r\ncontent-length: 0\r\n\r\n", honest.url);
    let redirected = fault(move |_| location.clone().into_bytes()).await;
    assert_eq!(redirected, Fault::Refused { status: 307, message: String::new() });
}

#[tokio::test]
async fn signed_nonsense_is_malformed() {
    for body in ["NaN", "{}", "[]", "", r#"{"commitment":"short"}"#, "\u{0}\u{1}"] {
        let nonsense = fault(move |seen| raw(200, &seen.sign(&key(3), 200, body.as_bytes()), body.as_bytes())).await;
        assert!(matches!(nonsense, Fault::Malformed(_)), "{body}: {nonsense:?}");
    }
    assert!(matches!(fault(|_| b"no HTTP at all\r\n\r\n".to_vec()).await, Fault::Unreachable(_)));
    assert!(matches!(fault(|_| Vec::new()).await, Fault::Unreachable(_)), "closed without a word");
}

/// A miner that reveals this, whatever it sealed.
async fn revealing(reply: RevealReply, commitment: Commitment) -> Result<RebalanceAnswer, Fault> {
    let body = serde_json::to_vec(&reply).unwrap();
    let rogue = Rogue::responding(move |seen| raw(200, &seen.sign(&key(3), 200, &body), &body)).await;
    let revealed = validator().reveal(&reveal(&rogue.endpoint(3), 100, commitment), within(5_000)).await;
    revealed.outcome.map(|opened| opened.answer)
}

fn sealed_by(miner: &str, text: &str) -> Commitment {
    let place = SealPlace { job_id: "weth-usdc", round_id: "weth-usdc_evaluation_7", checkpoint: 100, miner };
    seal::commit(&place, &[8; 32], text)
}

#[tokio::test]
async fn a_reveal_must_open_its_commitment() {
    let text = serde_json::to_string(&answer()).unwrap();
    let commitment = sealed_by(&key_text(3), &text);
    assert_eq!(revealing(seal::reveal(&[8; 32], &text), commitment).await, Ok(answer()));
    let false_reveal = |outcome| matches!(outcome, Err(Fault::FalseReveal(_)));
    let changed = text.replace("-200", "-400");
    assert!(false_reveal(revealing(seal::reveal(&[8; 32], &changed), commitment).await));
    assert!(false_reveal(revealing(seal::reveal(&[9; 32], &text), commitment).await));
    let salt = RevealReply { salt: "x".into(), answer: text };
    assert_eq!(revealing(salt, commitment).await, Err(Fault::FalseReveal(SealError::Salt)));
}

#[tokio::test]
async fn a_copied_commitment_cannot_be_opened_by_the_copier() {
    let honest = Miner::default().start().await;
    let commitment = committed(&validator().ask(&ask(&honest.endpoint(), 100), within(5_000)).await);
    let opened = validator().reveal(&reveal(&honest.endpoint(), 100, commitment), within(5_000)).await;
    let opened = opened.outcome.unwrap();
    // Even with the honest miner's salt and answer at hand.
    let reply = RevealReply { salt: opened.salt, answer: opened.text };
    assert!(matches!(revealing(reply, commitment).await, Err(Fault::FalseReveal(SealError::Mismatch { .. }))));
}

#[tokio::test]
async fn a_withheld_reveal_is_a_fault() {
    let commitment = sealed_by(&key_text(3), "{}");
    let silent = Rogue::start(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let revealed = validator().reveal(&reveal(&silent.endpoint(3), 100, commitment), within(300)).await;
    assert_eq!(revealed.outcome, Err(Fault::Late));
    assert_eq!(revealed.reply(), Reply::Invalid("no complete response before the deadline".into()));
    let denying = Rogue::responding(|seen| raw(404, &seen.sign(&key(3), 404, b"gone"), b"gone")).await;
    let revealed = validator().reveal(&reveal(&denying.endpoint(3), 100, commitment), within(5_000)).await;
    assert_eq!(revealed.outcome, Err(Fault::Refused { status: 404, message: "gone".into() }));
}

#[tokio::test]
async fn a_true_reveal_of_an_unusable_answer_is_invalid() {
    for (text, empty) in [("{}", true), (r#"{"desired_positions":[{"tick_lower":NaN}]}"#, false), ("NaN", false)] {
        let outcome = revealing(seal::reveal(&[8; 32], text), sealed_by(&key_text(3), text)).await;
        match outcome {
            Err(Fault::Answer(AnswerError::Empty)) if empty => {}
            Err(Fault::Answer(AnswerError::Malformed(_))) if !empty => {}
            other => panic!("{text}: {other:?}"),
        }
    }
}
