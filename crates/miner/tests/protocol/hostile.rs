//! Miners that try to cost others something: each is asked beside an honest one.

use std::sync::Arc;
use std::time::Duration;

use assay_lp::protocol::auth::Headers;
use assay_lp::round::Reply;
use assay_miner::{Asked, Fault, MinerEndpoint, Outcome, Wire, system_clock};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::rogue::{Rogue, raw};
use crate::support::{Miner, SECOND, ask, committed, key, key_text, validator, within};

const DEADLINE_MS: u64 = 2_000;
/// Above the deadline by what scheduling on a busy machine may take.
const LATEST_MS: u128 = 3_000;

/// Asks the rogue beside an honest miner; both outcomes, with the honest one in time.
async fn beside_an_honest_miner(rogue: MinerEndpoint) -> Asked {
    let honest = Miner::default().start().await;
    let start = Instant::now();
    let asks = vec![ask(&rogue, 100), ask(&honest.endpoint(), 100)];
    let mut asked = validator().ask_all(asks, within(DEADLINE_MS)).await;
    assert!(start.elapsed().as_millis() <= LATEST_MS, "{:?}", start.elapsed());
    let honest = asked.pop().unwrap();
    committed(&honest);
    assert!(honest.authenticated && honest.response_ms < DEADLINE_MS / 2, "{} ms", honest.response_ms);
    let rogue = asked.pop().unwrap();
    assert!(matches!(rogue.reply(), Some(Reply::Missed(_))));
    assert!(!rogue.authenticated && u128::from(rogue.response_ms) <= LATEST_MS);
    rogue
}

#[tokio::test]
async fn a_byte_a_second_lasts_until_the_deadline() {
    let rogue = Rogue::start(|seen, mut stream| async move {
        for byte in raw(200, &seen.sign(&key(3), 200, b"{}"), b"{}") {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    assert_eq!(beside_an_honest_miner(rogue.endpoint(3)).await.outcome, Outcome::Failed(Fault::Late));
}

#[tokio::test]
async fn ten_megabytes_are_not_read() {
    let rogue = Rogue::responding(|seen| {
        let body = vec![b' '; 10 << 20];
        raw(200, &seen.sign(&key(3), 200, &body), &body)
    })
    .await;
    assert_eq!(beside_an_honest_miner(rogue.endpoint(3)).await.outcome, Outcome::Failed(Fault::TooLarge));
}

#[tokio::test]
async fn a_body_without_end_is_cut_off() {
    let (ended, mut end) = mpsc::unbounded_channel();
    let rogue = Rogue::start(move |_, mut stream| {
        let ended = ended.clone();
        async move {
            _ = stream.write_all(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n").await;
            let chunk = [b"8000\r\n".as_slice(), &[b' '; 0x8000], b"\r\n"].concat();
            while stream.write_all(&chunk).await.is_ok() {}
            ended.send(()).unwrap();
        }
    })
    .await;
    assert_eq!(beside_an_honest_miner(rogue.endpoint(3)).await.outcome, Outcome::Failed(Fault::TooLarge));
    end.recv().await.expect("the validator hung up");
}

#[tokio::test]
async fn headers_without_end_are_cut_off() {
    let rogue = Rogue::start(|_, mut stream| async move {
        _ = stream.write_all(b"HTTP/1.1 200 X\r\n").await;
        while stream.write_all(b"x-more: and more and more and more\r\n").await.is_ok() {}
    })
    .await;
    let outcome = beside_an_honest_miner(rogue.endpoint(3)).await.outcome;
    assert!(matches!(outcome, Outcome::Failed(Fault::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn garbage_costs_only_its_miner() {
    for body in ["NaN", "{\"commitment\":NaN}", "[[[[", "<html>"] {
        let rogue =
            Rogue::responding(move |seen| raw(200, &seen.sign(&key(3), 200, body.as_bytes()), body.as_bytes())).await;
        let outcome = beside_an_honest_miner(rogue.endpoint(3)).await.outcome;
        assert!(matches!(outcome, Outcome::Failed(Fault::Malformed(_))), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_long_refusal_is_shortened_and_has_no_control_characters() {
    let rogue = Rogue::responding(|_| raw(503, &Headers::default(), "no\r\n\u{1b}[2J".repeat(5_000).as_bytes())).await;
    match beside_an_honest_miner(rogue.endpoint(3)).await.outcome {
        Outcome::Failed(Fault::Refused { status: 503, message }) => {
            assert_eq!(message.chars().count(), 200);
            assert!(!message.contains(char::is_control));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_miner_with_a_wrong_clock_refuses_only_for_itself() {
    for (offset, word) in [(3_600_i64, "stale: "), (-3_600, "future: ")] {
        let clock = Arc::new(move || system_clock()().saturating_add_signed(offset * SECOND as i64));
        let miner = Miner { seed: 3, clock, ..Miner::default() }.start().await;
        match beside_an_honest_miner(miner.endpoint()).await.outcome {
            Outcome::Failed(Fault::Refused { status: 401, message }) => assert!(message.starts_with(word), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_dead_port_is_known_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let endpoint = MinerEndpoint::new(&key_text(3), &url, Wire::Native).unwrap();
    let outcome = beside_an_honest_miner(endpoint).await.outcome;
    assert!(matches!(outcome, Outcome::Failed(Fault::Unreachable(_))), "{outcome:?}");
}

#[tokio::test]
async fn a_slow_strategy_is_late() {
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let strategy = Arc::new(move |_: &_| {
        _ = wait.lock().unwrap().recv();
        crate::support::answer()
    });
    let miner = Miner { seed: 3, strategy, ..Miner::default() }.start().await;
    assert_eq!(beside_an_honest_miner(miner.endpoint()).await.outcome, Outcome::Failed(Fault::Late));
    drop(done);
}

#[tokio::test]
async fn silent_miners_delay_no_other_of_two_hundred_and_fifty_six() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let mut honest = Vec::new();
    for seed in 10..74 {
        honest.push(Miner { seed, ..Miner::default() }.start().await);
    }
    // Three silent ones before each honest one.
    let quiet = MinerEndpoint::new(&key_text(3), &url, Wire::Native).unwrap();
    let asks = honest.iter().flat_map(|m| [quiet.clone(), quiet.clone(), quiet.clone(), m.endpoint()]);
    let asks: Vec<_> = asks.map(|endpoint| ask(&endpoint, 100)).collect();
    assert_eq!(asks.len(), 256);
    let start = Instant::now();
    let asked = validator().ask_all(asks, within(DEADLINE_MS)).await;
    assert!(start.elapsed().as_millis() <= LATEST_MS, "{:?}", start.elapsed());
    for (index, asked) in asked.iter().enumerate() {
        if index % 4 == 3 {
            assert_eq!(asked.miner, honest[index / 4].key);
            committed(asked);
        } else {
            assert_eq!(asked.outcome, Outcome::Failed(Fault::Late));
        }
    }
}
