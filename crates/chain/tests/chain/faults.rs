//! Nodes and connections that misbehave, in front of a real node.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use assay_chain::{ChainError, ClientOptions, Endpoint, HeaderMode, LogFollower, RpcClient};
use assay_testkit::{Anvil, Deed, NodeProxy};
use serde_json::{Value, json};

use crate::setting::{Indexed, NodeMarket, address, client, market, options};

type Change = fn(&str) -> String;

fn busy_chain(anvil: &Anvil) -> NodeMarket<'_> {
    let market = market(anvil);
    market.traffic();
    anvil.rpc("anvil_mine", json!(["0xc8"]));
    market
}

/// The blocks of a question for logs.
fn asked_blocks(question: &Value) -> Option<u64> {
    let filter = (question["method"] == "eth_getLogs").then(|| &question["params"][0])?;
    let number = |name: &str| u64::from_str_radix(filter[name].as_str()?.strip_prefix("0x")?, 16).ok();
    Some(number("toBlock")? - number("fromBlock")? + 1)
}

fn error_answer(question: &Value, code: i64, message: &str) -> Deed {
    let body = json!({ "jsonrpc": "2.0", "id": question["id"], "error": { "code": code, "message": message } });
    Deed::Answer(200, String::new(), body.to_string())
}

async fn index_through(anvil: &Anvil, market: &NodeMarket<'_>, rule: impl Fn(&Value) -> Deed + Send + Sync + 'static) {
    let proxy = NodeProxy::start(anvil.address(), rule);
    let mut indexed = Indexed::default();
    let options = options(address(market), HeaderMode::All);
    let mut follower = LogFollower::from_block(client(&proxy.url()), options, 0).unwrap();
    indexed.follow_to_head(&mut follower).await;
    indexed.assert_is_all_of(anvil, address(market));
}

#[tokio::test]
async fn ranges_that_the_node_refuses_are_halved_until_it_answers() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    for (code, message) in [(-32005, "query returned more than 10000 results"), (-32602, "invalid params")] {
        let (refused, widest) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let (refusals, answered) = (Arc::clone(&refused), Arc::clone(&widest));
        index_through(&anvil, &market, move |question| match asked_blocks(question) {
            Some(blocks) if blocks > 20 => {
                refusals.fetch_add(1, Ordering::SeqCst);
                error_answer(question, code, message)
            }
            Some(blocks) => {
                answered.fetch_max(blocks, Ordering::SeqCst);
                Deed::Pass
            }
            None => Deed::Pass,
        })
        .await;
        let (refused, widest) = (refused.load(Ordering::SeqCst), widest.load(Ordering::SeqCst));
        assert!((2..=8).contains(&refused) && (10..=20).contains(&widest), "{refused} refusals, {widest} blocks");
    }
}

#[tokio::test]
async fn a_block_that_is_refused_alone_is_an_error() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    let proxy = NodeProxy::start(anvil.address(), |question| match asked_blocks(question) {
        Some(_) => error_answer(question, -32005, "query returned more than 10000 results"),
        None => Deed::Pass,
    });
    let mut follower =
        LogFollower::from_block(client(&proxy.url()), options(address(&market), HeaderMode::All), 0).unwrap();
    let error = follower.poll().await.unwrap_err();
    assert!(matches!(&error, ChainError::RangeRefused { range, .. } if *range == (0..=0)), "{error}");
    assert!(error.to_string().contains("10000 results"), "{error}");
}

#[tokio::test]
async fn connections_cut_in_the_middle_of_an_answer_lose_nothing() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    let count = AtomicU64::new(0);
    index_through(&anvil, &market, move |_| match count.fetch_add(1, Ordering::SeqCst) % 3 {
        0 => Deed::Cut(40),
        1 => Deed::Cut(0),
        _ => Deed::Pass,
    })
    .await;
}

#[tokio::test]
async fn a_busy_node_is_asked_again() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    let count = AtomicU64::new(0);
    index_through(&anvil, &market, move |question| match count.fetch_add(1, Ordering::SeqCst) % 6 {
        0 => Deed::Answer(429, "retry-after: 0\r\n".into(), "slow down".into()),
        1 => Deed::Answer(503, String::new(), "<html>away</html>".into()),
        2 => Deed::Answer(200, String::new(), "<html>please wait</html>".into()),
        3 if !question.is_array() => error_answer(question, -32005, "request rate limited"),
        _ => Deed::Pass,
    })
    .await;
}

#[tokio::test]
async fn batches_that_the_node_refuses_are_made_smaller() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    // One names batches and their limit, the other knows none.
    for (most, message) in [(10, "batch limit of 10 exceeded"), (1, "Invalid Request")] {
        index_through(&anvil, &market, move |question| match question.as_array() {
            Some(calls) if calls.len() > most => {
                let error = json!({ "code": -32600, "message": message });
                let body = json!({ "jsonrpc": "2.0", "id": null, "error": error });
                Deed::Answer(400, String::new(), body.to_string())
            }
            _ => Deed::Pass,
        })
        .await;
    }
}

#[tokio::test]
async fn answers_to_other_questions_are_never_taken() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    let count = AtomicU64::new(0);
    index_through(&anvil, &market, move |_| match count.fetch_add(1, Ordering::SeqCst) % 2 {
        0 => Deed::Replace(|body| body.replace("\"id\":", "\"id\":9")),
        _ => Deed::Pass,
    })
    .await;
}

#[tokio::test]
async fn logs_that_contradict_the_headers_are_never_taken() {
    let anvil = Anvil::start();
    let market = busy_chain(&anvil);
    let pool = address(&market);
    let is_logs = |question: &Value| asked_blocks(question).is_some();
    let spoil: [(Change, &str); 3] = [
        (|body| body.replacen("\"blockHash\":\"0x", "\"blockHash\":\"0x00", 1), "bytes"),
        (|body| body.replacen("\"removed\":false", "\"removed\":true", 1), "removed"),
        (
            |body| {
                body.replacen(
                    "\"address\":\"0x",
                    "\"address\":\"0x0000000000000000000000000000000000000000\",\"other\":\"",
                    1,
                )
            },
            "not asked for",
        ),
    ];
    for (change, hint) in spoil {
        let rule = move |question: &Value| if is_logs(question) { Deed::Replace(change) } else { Deed::Pass };
        let proxy = NodeProxy::start(anvil.address(), rule);
        let mut follower = LogFollower::from_block(client(&proxy.url()), options(pool, HeaderMode::All), 0).unwrap();
        let error = follower.poll().await.unwrap_err();
        assert!(matches!(error, ChainError::Malformed { .. }) && error.to_string().contains(hint), "{error}");
    }
    // A hash of the right length that is another block's: read again, and in the end an error.
    fn other_block(body: &str) -> String {
        let place = body.find("\"blockHash\":\"0x").unwrap() + 15;
        format!("{}{}{}", &body[..place], "ab".repeat(32), &body[place + 64..])
    }
    let rule = move |question: &Value| if is_logs(question) { Deed::Replace(other_block) } else { Deed::Pass };
    let proxy = NodeProxy::start(anvil.address(), rule);
    let mut follower = LogFollower::from_block(client(&proxy.url()), options(pool, HeaderMode::All), 0).unwrap();
    let error = follower.poll().await.unwrap_err();
    assert!(matches!(error, ChainError::Unsteady { .. }) && error.is_retryable(), "{error}");
}

#[tokio::test]
async fn a_node_that_is_away_hangs_or_talks_too_much_ends_in_an_error_without_the_key() {
    let anvil = Anvil::start();
    let impatient = |url: &str, method: &'static str| {
        let options = ClientOptions {
            request_timeout: Duration::from_millis(100),
            max_attempts: 3,
            first_backoff: Duration::from_millis(5),
            max_response_bytes: 1000,
        };
        let client = RpcClient::with(Endpoint::parse(&format!("{url}/v2/topsecretkey")).unwrap(), options).unwrap();
        async move { client.call(assay_chain::Call::new(method, json!(["latest", true]))).await.unwrap_err() }
    };
    let hanging = NodeProxy::start(anvil.address(), |_| Deed::Hang);
    let enormous = NodeProxy::start(anvil.address(), |_| Deed::Answer(200, String::new(), "x".repeat(1001)));
    let moved =
        NodeProxy::start(anvil.address(), |_| Deed::Answer(307, "location: http://x/\r\n".into(), String::new()));
    let told = NodeProxy::start(anvil.address(), |_| {
        Deed::Answer(401, String::new(), r#"{"error":"no project topsecretkey"}"#.into())
    });
    let away = "http://127.0.0.1:1".to_owned();
    for (url, hint) in [
        (hanging.url(), "3 times"),
        (enormous.url(), "longer than 1000 bytes"),
        (moved.url(), "307"),
        (told.url(), "401"),
        (away, "3 times"),
    ] {
        let error = impatient(&url, "eth_getBlockByNumber").await;
        assert!(error.to_string().contains(hint), "{error}");
        assert!(!format!("{error} {error:?}").contains("topsecretkey"), "{error:?}");
    }
}
