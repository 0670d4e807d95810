//! What a miner refuses, by status and by a text that helps.

use std::collections::BTreeSet;

use assay_lp::protocol::MAX_BODY_BYTES;
use assay_lp::protocol::QUERY_PATH;
use assay_lp::protocol::auth::{Headers, sign_request};
use assay_miner::{Fault, MAX_CONNECTIONS_PER_ADDRESS, Outcome, system_clock};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::{Miner, Response, Running, SECOND, ask, key, key_text, query, send, validator, within};

fn body() -> Vec<u8> {
    serde_json::to_vec(&query(100)).unwrap()
}

fn signed(miner: &Running, nonce: u64) -> Headers {
    sign_request(&key(1), "POST", QUERY_PATH, &body(), nonce, &miner.key).headers
}

async fn post(miner: &Running, headers: &Headers) -> Response {
    send("POST", &format!("{}{QUERY_PATH}", miner.url), headers.pairs(), &body()).await
}

fn refused(response: &Response, error: &str, helps: &str) {
    assert_eq!(response.status, 401, "{error}");
    let problem = response.problem();
    assert_eq!(problem.error, error);
    assert!(problem.message.contains(helps), "{error}: {}", problem.message);
    assert_eq!(response.assay_headers(), Headers::default(), "an unproven caller gets no signature");
}

#[tokio::test]
async fn unsigned_requests_are_refused() {
    let miner = Miner::default().start().await;
    refused(&post(&miner, &Headers::default()).await, "unsigned", "has no x-assay-signature header");
    let half = Headers { signature: None, ..signed(&miner, system_clock()()) };
    refused(&post(&miner, &half).await, "unsigned", "not signed");
}

#[tokio::test]
async fn tampered_requests_are_refused() {
    let miner = Miner::default().start().await;
    let headers = signed(&miner, system_clock()());
    let url = format!("{}{QUERY_PATH}", miner.url);
    let other_body = serde_json::to_vec(&query(101)).unwrap();
    refused(&send("POST", &url, headers.pairs(), &other_body).await, "tampered", "does not match");
    refused(&send("PUT", &url, headers.pairs(), &body()).await, "tampered", "method");
    refused(&send("POST", &format!("{url}?live=1"), headers.pairs(), &body()).await, "tampered", "path");
    let reveal = format!("{}/Reveal", miner.url);
    refused(&send("POST", &reveal, headers.pairs(), &body()).await, "tampered", "path");
    // None of these has used up the nonce of the honest request.
    assert_eq!(post(&miner, &headers).await.status, 200);
}

#[tokio::test]
async fn replayed_requests_are_refused() {
    let miner = Miner::default().start().await;
    let now = system_clock()();
    let headers = signed(&miner, now);
    assert_eq!(post(&miner, &headers).await.status, 200);
    refused(&post(&miner, &headers).await, "replayed", &now.to_string());
    assert_eq!(post(&miner, &signed(&miner, now - 1)).await.status, 200, "requests may overtake each other");
}

#[tokio::test]
async fn stale_and_future_requests_are_refused() {
    let miner = Miner::default().start().await;
    let now = system_clock()();
    refused(&post(&miner, &signed(&miner, now - 11 * SECOND)).await, "stale", "10000 ms are allowed");
    refused(&post(&miner, &signed(&miner, now + 60 * SECOND)).await, "future", "compare the clocks");
    assert_eq!(post(&miner, &signed(&miner, now - 5 * SECOND)).await.status, 200);
}

#[tokio::test]
async fn requests_to_others_and_of_strangers_are_refused() {
    let validators = Some(BTreeSet::from([key_text(1)]));
    let miner = Miner { validators, ..Miner::default() }.start().await;
    let now = system_clock()();
    let elsewhere = sign_request(&key(1), "POST", QUERY_PATH, &body(), now, &key_text(3)).headers;
    refused(&post(&miner, &elsewhere).await, "wrong_receiver", &key_text(3));
    let stranger = sign_request(&key(4), "POST", QUERY_PATH, &body(), now, &miner.key).headers;
    refused(&post(&miner, &stranger).await, "unknown_sender", &key_text(4));
    assert_eq!(post(&miner, &signed(&miner, now)).await.status, 200);
}

#[tokio::test]
async fn unreadable_headers_are_refused() {
    let miner = Miner::default().start().await;
    let now = system_clock()();
    let old = Headers { version: Some("btauth/1".into()), ..signed(&miner, now) };
    refused(&post(&miner, &old).await, "malformed", "x-assay-version is `btauth/1`, not `assay/1`");
    let late = Headers { nonce: Some("today".into()), ..signed(&miner, now) };
    refused(&post(&miner, &late).await, "malformed", "nanoseconds since 1970");
}

#[tokio::test]
async fn bodies_are_bounded() {
    let miner = Miner::default().start().await;
    let url = format!("{}{QUERY_PATH}", miner.url);
    let huge = vec![b' '; MAX_BODY_BYTES + 1];
    let headers = sign_request(&key(1), "POST", QUERY_PATH, &huge, system_clock()(), &miner.key).headers;
    let response = send("POST", &url, headers.pairs(), &huge).await;
    assert_eq!((response.status, response.problem().error.as_str()), (413, "too_large"));
    let largest = vec![b' '; MAX_BODY_BYTES];
    let headers = sign_request(&key(1), "POST", QUERY_PATH, &largest, system_clock()(), &miner.key).headers;
    assert_eq!(send("POST", &url, headers.pairs(), &largest).await.status, 400, "read, and found empty");
}

#[tokio::test]
async fn a_slow_caller_is_sent_away_while_others_are_served() {
    let miner = Miner::default().start().await;
    let address = miner.url.strip_prefix("http://").unwrap();
    let mut slow_headers = TcpStream::connect(address).await.unwrap();
    slow_headers.write_all(b"POST /RebalanceQuery HTTP/1.1\r\nhost: a").await.unwrap();
    let mut slow_body = TcpStream::connect(address).await.unwrap();
    let mut head = "POST /RebalanceQuery HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n".to_owned();
    signed(&miner, system_clock()()).pairs().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    slow_body.write_all((head + "\r\n{").as_bytes()).await.unwrap();
    assert!(validator().ask(&ask(&miner.endpoint(), 100), within(5_000)).await.authenticated);
    let (mut nothing, mut said) = (Vec::new(), Vec::new());
    slow_headers.read_to_end(&mut nothing).await.unwrap();
    while !said.ends_with(b"}") {
        assert!(slow_body.read_buf(&mut said).await.unwrap() > 0);
    }
    assert!(said.starts_with(b"HTTP/1.1 408 "), "{}", String::from_utf8_lossy(&said));
}

#[tokio::test]
async fn one_host_cannot_take_all_connections() {
    let miner = Miner::default().start().await;
    let address = miner.url.strip_prefix("http://").unwrap();
    let mut idle = Vec::new();
    for _ in 0..MAX_CONNECTIONS_PER_ADDRESS {
        idle.push(TcpStream::connect(address).await.unwrap());
    }
    let mut over = TcpStream::connect(address).await.unwrap();
    assert_eq!(over.read(&mut [0]).await.unwrap(), 0, "closed at once");
    // Another address of the loopback network is another host.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
    let mut other = socket.connect(address.parse().unwrap()).await.unwrap();
    other.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
    let mut said = [0; 12];
    other.read_exact(&mut said).await.unwrap();
    assert_eq!(&said, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_validator_with_a_wrong_clock_is_told_so() {
    let miner = Miner::default().start().await;
    let slow = assay_miner::MinerClient::new(key(1), None, std::sync::Arc::new(|| system_clock()() - 60 * SECOND));
    let asked = slow.unwrap().ask(&ask(&miner.endpoint(), 100), within(5_000)).await;
    match asked.outcome {
        Outcome::Failed(Fault::Refused { status: 401, message }) => {
            assert!(message.starts_with("stale: ") && message.ends_with("compare the clocks"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    assert!(validator().ask(&ask(&miner.endpoint(), 100), within(5_000)).await.authenticated);
}
