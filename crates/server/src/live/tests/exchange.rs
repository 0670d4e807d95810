//! Streams on the fake exchange.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use assay_engine::publish_phrase;
use assay_lake::{Clock, LiveSettings};
use assay_store::database::{StreamMode, StreamStatus};
use assay_testkit::{FakeExchange, Schedule, Series, SocketFault};
use assay_types::{Action, Signal, Timeframe};
use serde_json::json;

use super::support::*;
use crate::access::Role;
use crate::clock::now_ms;
use crate::live::{Cause, LiveOptions, SourceRequest, VenueAddress, compare};
use crate::state::ServerState;
use crate::testing::{Routes, caller};

/// An exchange whose clock stands a second after the lake's last close.
pub async fn exchange(more: usize) -> (FakeExchange, Arc<AtomicI64>) {
    let clock = Arc::new(AtomicI64::new(FIRST_MS + STORED as i64 * STEP + 1_000));
    let series = Series { candles: candles(more), timeframe: Some(Timeframe::M1), ..Series::default() };
    (FakeExchange::start(series, Schedule::calm(), clock.clone()).await, clock)
}

pub fn options(exchange: &FakeExchange, clock: &Arc<AtomicI64>) -> LiveOptions {
    let address =
        VenueAddress { venue: "binance".to_owned(), base_url: exchange.base_url(), socket_url: exchange.socket_url() };
    let feed =
        LiveSettings { grace_ms: 50, retry_ms: 20, backoff_ms: 10, overdue_ms: STEP / 2, ..LiveSettings::default() };
    LiveOptions { addresses: vec![address], feed, clock: Clock::Simulated(clock.clone()) }
}

pub fn from_binance() -> SourceRequest {
    SourceRequest::Exchange { venue: "binance".to_owned() }
}

pub async fn joined(exchange: &FakeExchange, connections: u64) {
    let wait = async {
        while exchange.socket_connections() < connections {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
}

/// Lets the candle after `said` signals close `delay_ms` ago, and waits for its signal.
pub async fn close(running: &Running, exchange: &FakeExchange, model_id: &str, said: u64, delay_ms: i64) {
    exchange.advance_to(FIRST_MS + (STORED as i64 + said as i64 + 1) * STEP + delay_ms);
    running.said(model_id, said + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_late_candle_is_exactly_one_difference() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let stream = begin(&routes.state, &runs[0], from_binance()).await;
    joined(&exchange, 1).await;
    for said in 0..30 {
        // The twelfth candle comes seven seconds after its close.
        close(&running, &exchange, &stream.model_id, said, if said == 11 { 7_000 } else { 1_000 }).await;
    }
    let said = all_signals(&routes.state, &stream.model_id).await;
    assert_eq!(said.len(), 30);
    let actions: Vec<Action> =
        said.iter().map(|row| serde_json::from_str::<Signal>(&row.signal).unwrap().action).collect();
    assert!(
        actions.iter().enumerate().all(|(index, action)| (*action == Action::Hold) == (index == 11)),
        "{actions:?}"
    );
    let comparison = compare(&routes.state, &stream, routes.state.live.reading().unwrap()).await.unwrap();
    assert_eq!(comparison.differences.len(), 1, "{:?}", comparison.differences);
    assert_eq!((comparison.differences[0].seq, comparison.differences[0].cause), (11, Cause::LateCandle));
    let audit = audited(&routes.state, &stream).await;
    assert!(audit.is_clean(), "{:?}", audit.forged);
    assert_eq!(
        (audit.stale_seqs.as_slice(), audit.final_equity.to_string()),
        ([11].as_slice(), said[29].equity.clone())
    );
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_socket_change_nothing_and_a_restart_goes_on() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap();
    let mut histories = Vec::new();
    for disturbed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        let runs = {
            let home = home.clone();
            tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap()
        };
        let state = ServerState::open(settings(&home)).await.unwrap();
        // Both homes sign with the same key, so that their signals can be compared.
        std::fs::create_dir_all(home.join("keys")).unwrap();
        routes.state.settings.home.signing_key().unwrap();
        std::fs::copy(routes.home.path().join("keys/signing.key"), home.join("keys/signing.key")).unwrap();
        let (exchange, clock) = exchange(40).await;
        state.live.configure(options(&exchange, &clock));
        let mut running = Running::over(state.clone());
        let streams = [begin(&state, &runs[0], from_binance()).await, begin(&state, &runs[1], from_binance()).await];
        joined(&exchange, 1).await;
        // The second stream may join a candle later than the first, so both wait for it.
        let wait = async {
            while state.platform.running_streams().await.unwrap().len() < 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        wait.await;
        if disturbed {
            let at = |number: usize| STORED + number;
            exchange.set_socket_faults(&[
                (at(4), SocketFault::Drop),
                (at(9), SocketFault::Duplicate),
                (at(14), SocketFault::Malformed),
            ]);
        }
        for said in 0..24 {
            exchange.advance_to(FIRST_MS + (STORED as i64 + said as i64 + 1) * STEP + 1_000);
            running.said(&streams[0].model_id, said + 1).await;
            if disturbed && [6, 17].contains(&said) {
                // As a killed process ends: nothing is noted.
                let connections = exchange.socket_connections();
                running.kill().await;
                running = Running::over(state.clone());
                joined(&exchange, connections + 1).await;
            }
        }
        let said = all_signals(&state, &streams[0].model_id).await;
        histories.push(said.into_iter().map(|row| (row.signal, row.equity)).collect::<Vec<_>>());
        running.kill().await;
    }
    assert_eq!(histories[0].len(), 24);
    assert_eq!(histories[0], histories[1]);
    drop(runs);
}

#[tokio::test(flavor = "multi_thread")]
async fn publishing_needs_the_phrase_and_all_limits_and_a_breach_halts() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let owner = caller("owner", Role::Owner);
    let trader = caller("trader", Role::Trader);
    let body = json!({ "run_id": runs[0], "source": { "kind": "exchange", "venue": "binance" }, "limits": { "daily_loss": "5000" } });
    let (status, begun) = routes.post(&owner, "/v1/streams", &body).await;
    assert_eq!(status.as_u16(), 201, "{begun}");
    assert_eq!((&begun["mode"], &begun["status"]), (&json!("paper"), &json!("running")));
    assert_eq!(routes.post(&owner, "/v1/streams", &body).await.0.as_u16(), 409);
    let (stream_id, model_id) = (begun["stream_id"].as_str().unwrap(), begun["model_id"].as_str().unwrap().to_owned());
    let path = |rest: &str| format!("/v1/streams/{stream_id}{rest}");
    // A paper stream is its owner's alone.
    assert_eq!(routes.get(&trader, &path("")).await.0.as_u16(), 404);
    assert_eq!(routes.get(&trader, &format!("/v1/signals/{model_id}")).await.0.as_u16(), 404);
    assert_eq!(routes.get(&owner, &path("/signal-file")).await.0.as_u16(), 409);
    joined(&exchange, 1).await;
    for said in 0..3 {
        close(&running, &exchange, &model_id, said, 1_000).await;
    }
    let limits = json!({ "max_exposure": "1000000", "daily_loss": "5000", "signals_per_hour": 1000 });
    let live = |phrase: &str, limits: &serde_json::Value| json!({ "phrase": phrase, "limits": limits });
    let phrase = publish_phrase(&model_id);
    for (body, status) in [
        (live("publish live", &limits), 409),
        (live(&phrase, &json!({ "daily_loss": "5000" })), 409),
        (live(&phrase, &json!({ "max_exposure": "1000000", "daily_loss": "5001", "signals_per_hour": 9 })), 409),
        (json!({ "phrase": phrase }), 400),
    ] {
        assert_eq!(routes.post(&owner, &path("/go-live"), &body).await.0.as_u16(), status, "{body}");
    }
    let (status, published) = routes.post(&owner, &path("/go-live"), &live(&phrase, &limits)).await;
    assert_eq!((status.as_u16(), &published["mode"]), (200, &json!("live")), "{published}");
    assert_eq!(routes.get(&owner, "/v1/mode").await.1["mode"], "live");
    // The running desk takes the change before the next close.
    let wait = async {
        let mut said = 3;
        loop {
            close(&running, &exchange, &model_id, said, 1_000).await;
            let last = all_signals(&routes.state, &model_id).await.pop().unwrap();
            said += 1;
            if last.mode == StreamMode::Live {
                return said;
            }
        }
    };
    let said = tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let (_, seen) = routes.get(&trader, &format!("/v1/signals/{model_id}?limit=200")).await;
    let modes: Vec<&str> =
        seen["items"].as_array().unwrap().iter().map(|item| item["mode"].as_str().unwrap()).collect();
    assert!(!modes.is_empty() && modes.iter().all(|mode| *mode == "live"));
    assert_eq!(seen["items"][0]["latency_ms"].as_i64().unwrap(), 1_000);
    let (_, all) = routes.get(&owner, &format!("/v1/signals/{model_id}?limit=200")).await;
    assert_eq!(all["items"].as_array().unwrap().len() as u64, said);
    // Tighter at once, looser with the phrase alone.
    let tighter = json!({ "limits": { "max_exposure": "1", "daily_loss": "5000", "signals_per_hour": 1000 } });
    assert_eq!(routes.post(&trader, &path("/limits"), &tighter).await.0.as_u16(), 403);
    assert_eq!(routes.post(&owner, &path("/limits"), &tighter).await.0.as_u16(), 200);
    let looser = json!({ "limits": limits });
    assert_eq!(routes.post(&owner, &path("/limits"), &looser).await.0.as_u16(), 409);
    let wait = async {
        let mut said = said;
        while running.stream(stream_id).await.status == StreamStatus::Running {
            exchange.advance_to(clock.load(Ordering::SeqCst) + STEP);
            said += 1;
            running.said(&model_id, said).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    let halted = running.stream(stream_id).await;
    assert_eq!(halted.status, StreamStatus::Halted);
    assert!(halted.reason.unwrap().contains("max_exposure"));
    let last = all_signals(&routes.state, &model_id).await.pop().unwrap();
    assert_eq!(serde_json::from_str::<Signal>(&last.signal).unwrap().action, Action::Flat0);
    let loosened = json!({ "limits": limits, "phrase": assay_engine::loosen_phrase(&model_id) });
    assert_eq!(routes.post(&owner, &path("/limits"), &loosened).await.0.as_u16(), 200);
    assert_eq!(routes.post(&owner, &path("/resume"), &json!({ "reason": "looked at" })).await.0.as_u16(), 200);
    // It holds at what it missed and goes on, without a hole.
    exchange.advance_to(clock.load(Ordering::SeqCst) + 2 * STEP);
    let stored = running.said(&model_id, last.seq + 3).await;
    assert!(stored.iter().zip(0..).all(|(row, seq)| row.seq == seq));
    let stream = running.stream(stream_id).await;
    assert_eq!(stream.status, StreamStatus::Running);
    assert!(audited(&routes.state, &stream).await.is_clean());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_stream_missed_is_not_said_while_stopped() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let owner = caller("owner", Role::Owner);
    let one = begin(&routes.state, &runs[0], from_binance()).await;
    let two = begin(&routes.state, &runs[1], from_binance()).await;
    joined(&exchange, 1).await;
    // Until both speak.
    let mut said = 0;
    while routes.state.platform.next_seq(&two.model_id).await.unwrap() == 0 {
        close(&running, &exchange, &one.model_id, said, 1_000).await;
        said += 1;
    }
    let path = |rest: &str| format!("/v1/streams/{}/{rest}", two.stream_id);
    assert_eq!(routes.post(&owner, &path("stop"), &json!({})).await.0.as_u16(), 200);
    let mut before = routes.state.platform.next_seq(&two.model_id).await.unwrap();
    loop {
        close(&running, &exchange, &one.model_id, said, 1_000).await;
        said += 1;
        let now = routes.state.platform.next_seq(&two.model_id).await.unwrap();
        if now == before {
            break;
        }
        before = now;
    }
    assert_eq!(routes.post(&owner, "/v1/stop", &json!({ "reason": "storm" })).await.0.as_u16(), 200);
    assert_eq!(routes.post(&owner, &path("resume"), &json!({})).await.0.as_u16(), 200);
    // It would join within a second.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(routes.state.platform.next_seq(&two.model_id).await.unwrap(), before, "said while stopped");
    assert_eq!(routes.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    let stored = running.said(&two.model_id, before + 1).await;
    let last = stored.last().unwrap();
    assert_eq!(serde_json::from_str::<Signal>(&last.signal).unwrap().action, Action::Hold);
    assert!(stored.iter().zip(0..).all(|(row, seq)| row.seq == seq));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_that_do_not_read_fail_their_stream_alone() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 3)).await.unwrap();
    let (exchange, clock) = exchange(20).await;
    routes.state.live.configure(options(&exchange, &clock));
    let platform = &routes.state.platform;
    let mut streams = Vec::new();
    for run_id in &runs {
        streams.push(begin(&routes.state, run_id, from_binance()).await);
    }
    let damage = async |index: usize| {
        let stream = platform.stream(&streams[index].stream_id).await.unwrap().unwrap();
        platform.set_stream_limits(&stream.stream_id, &stream.limits, "{\"daily", false, now_ms()).await.unwrap();
    };
    let failed = async |index: usize| {
        let wait = async {
            loop {
                let stream = platform.stream(&streams[index].stream_id).await.unwrap().unwrap();
                if stream.status == StreamStatus::Failed {
                    return stream.reason.unwrap();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap()
    };
    // One before the feed starts, one while it runs.
    damage(0).await;
    let running = Running::over(routes.state.clone());
    assert!(failed(0).await.contains("limits"), "the reason names them");
    joined(&exchange, 1).await;
    for said in 0..2 {
        close(&running, &exchange, &streams[1].model_id, said, 1_000).await;
        running.said(&streams[2].model_id, said + 1).await;
    }
    damage(1).await;
    assert!(failed(1).await.contains("limits"));
    for said in 2..5 {
        close(&running, &exchange, &streams[2].model_id, said, 1_000).await;
    }
    assert_eq!(all_signals(&routes.state, &streams[1].model_id).await.len(), 2);
    assert!(all_signals(&routes.state, &streams[0].model_id).await.is_empty());
    assert_eq!(running.stream(&streams[2].stream_id).await.status, StreamStatus::Running);
    running.stop().await;
}
