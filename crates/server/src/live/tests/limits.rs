//! Ways around the limits, and around a stop of one stream, that do not lead there.

use std::sync::atomic::Ordering;
use std::time::Duration;

use assay_engine::loosen_phrase;
use assay_store::database::StreamStatus;
use assay_types::{Action, Signal};
use serde_json::json;
use sqlx::{Connection as _, Executor as _, SqliteConnection};

use super::exchange::{close, exchange, from_binance, joined, options};
use super::support::*;
use crate::access::Role;
use crate::live::used::used_limits;
use crate::testing::{Routes, caller};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_stream_of_the_model_keeps_its_limits_and_what_was_used_of_them() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let (exchange, clock) = exchange(120).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let owner = caller("owner", Role::Owner);
    let source = json!({ "kind": "exchange", "venue": "binance" });
    let hasty = json!({ "run_id": runs[0], "source": source, "limits": { "signals_per_hour": 1 } });
    let (_, begun) = routes.post(&owner, "/v1/streams", &hasty).await;
    let (first, model_id) = (begun["stream_id"].as_str().unwrap(), begun["model_id"].as_str().unwrap());
    assert_eq!(running.stream(first).await.status, StreamStatus::Running, "{begun}");
    joined(&exchange, 1).await;
    let wait = async {
        let mut said = 0;
        while running.stream(first).await.status == StreamStatus::Running {
            close(&running, &exchange, model_id, said, 1_000).await;
            said += 1;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    assert_eq!(running.stream(first).await.status, StreamStatus::Halted);
    assert_eq!(routes.post(&owner, &format!("/v1/streams/{first}/stop"), &json!({})).await.0.as_u16(), 200);

    let looser = json!({ "run_id": runs[0], "source": source, "limits": { "signals_per_hour": 1000 } });
    let (status, refused) = routes.post(&owner, "/v1/streams", &looser).await;
    assert_eq!(status.as_u16(), 409);
    assert!(refused["detail"].as_str().unwrap().contains(&loosen_phrase(model_id)), "{refused}");
    let none = json!({ "run_id": runs[0], "source": source, "limits": {} });
    assert_eq!(routes.post(&owner, "/v1/streams", &none).await.0.as_u16(), 409);
    let (status, again) = routes.post(&owner, "/v1/streams", &json!({ "run_id": runs[0], "source": source })).await;
    assert_eq!((status.as_u16(), &again["limits"]["signals_per_hour"]), (201, &json!(1)), "{again}");
    let second = running.stream(again["stream_id"].as_str().unwrap()).await;
    // An interlude on recorded candles gives nothing back.
    let stop = |id: &str| format!("/v1/streams/{id}/stop");
    assert_eq!(routes.post(&owner, &stop(&second.stream_id), &json!({})).await.0.as_u16(), 200);
    let recorded = json!({ "run_id": runs[0], "source": { "kind": "replay", "pace_ms": 1 } });
    let (status, interlude) = routes.post(&owner, "/v1/streams", &recorded).await;
    assert_eq!(status.as_u16(), 201, "{interlude}");
    let interlude = interlude["stream_id"].as_str().unwrap();
    let wait = async {
        while running.stream(interlude).await.status == StreamStatus::Running {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    routes.post(&owner, &stop(interlude), &json!({})).await;
    let said = all_signals(&routes.state, model_id).await.len() as u64;
    // Nor is another user a way around.
    let other = caller("ben", Role::Owner);
    let (status, refused) = routes.post(&other, "/v1/streams", &json!({ "run_id": runs[0], "source": source })).await;
    assert_eq!(status.as_u16(), 409, "{refused}");
    let (status, again) = routes.post(&owner, "/v1/streams", &json!({ "run_id": runs[0], "source": source })).await;
    assert_eq!(status.as_u16(), 201, "{again}");
    let second = running.stream(again["stream_id"].as_str().unwrap()).await;
    // Two changes were made within this hour, and the closing one that halted it.
    let used = used_limits(&routes.state, &second).await.unwrap().unwrap();
    assert!(used.changes.len() >= 2, "{used:?}");
    joined(&exchange, 2).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let wait = async {
        let mut said = said;
        while running.stream(&second.stream_id).await.status == StreamStatus::Running {
            exchange.advance_to(clock.load(Ordering::SeqCst) + STEP);
            said += 1;
            running.said(model_id, said).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap();
    // Within the same hour it may change nothing: its first wish halts it, and it stays flat.
    let stored = all_signals(&routes.state, model_id).await;
    let later = stored.iter().filter(|row| row.stream_id == second.stream_id);
    let hour_end = used.changes[0] + 3_600_000;
    for row in later.filter(|row| row.closed_at < hour_end) {
        let action = serde_json::from_str::<Signal>(&row.signal).unwrap().action;
        assert!(matches!(action, Action::Flat0 | Action::Hold), "{action:?} at {}", row.seq);
    }
    assert_eq!(
        routes.post(&owner, &format!("/v1/streams/{}/stop", second.stream_id), &json!({})).await.0.as_u16(),
        200
    );
    let mut typed = looser;
    typed["phrase"] = json!(loosen_phrase(model_id));
    assert_eq!(routes.post(&owner, "/v1/streams", &typed).await.0.as_u16(), 201);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_was_stopped_says_nothing_of_the_next_close() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let one = begin(&routes.state, &runs[0], from_binance()).await;
    joined(&exchange, 1).await;
    for said in 0..3 {
        close(&running, &exchange, &one.model_id, said, 1_000).await;
    }
    // Not told to the feed, which would look a second later.
    let platform = &routes.state.platform;
    platform.set_stream_status(&one.stream_id, StreamStatus::Stopped, None, 1).await.unwrap();
    exchange.advance_to(FIRST_MS + (STORED as i64 + 4) * STEP + 1_000);
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(all_signals(&routes.state, &one.model_id).await.len(), 3);
    // Nobody listened meanwhile. A new stream says nothing of that time, the resumed one holds.
    exchange.advance_to(FIRST_MS + (STORED as i64 + 8) * STEP + 1_000);
    let two = begin(&routes.state, &runs[1], from_binance()).await;
    joined(&exchange, 2).await;
    exchange.advance_to(FIRST_MS + (STORED as i64 + 9) * STEP + 1_000);
    let said = running.said(&two.model_id, 1).await;
    assert_eq!(said[0].closed_at, FIRST_MS + (STORED as i64 + 9) * STEP);
    platform.set_stream_status(&one.stream_id, StreamStatus::Running, None, 2).await.unwrap();
    routes.state.live.changed.notify_one();
    let said = running.said(&one.model_id, 9).await;
    let actions: Vec<Action> =
        said[3..].iter().map(|row| serde_json::from_str::<Signal>(&row.signal).unwrap().action).collect();
    assert_eq!(actions, [Action::Hold; 6]);
    assert!(audited(&routes.state, &one).await.is_clean());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_stored_in_time_is_a_hold() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let stream = begin(&routes.state, &runs[0], from_binance()).await;
    joined(&exchange, 1).await;
    close(&running, &exchange, &stream.model_id, 0, 1_000).await;
    // Another process writes to the file for longer than a signal may take.
    let path = routes.home.path().join("platform.db");
    let mut other = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    exchange.advance_to(FIRST_MS + (STORED as i64 + 2) * STEP + 1_000);
    tokio::time::sleep(Duration::from_millis(500)).await;
    exchange.advance_to(FIRST_MS + (STORED as i64 + 2) * STEP + 7_000);
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    other.execute("ROLLBACK").await.unwrap();
    let said = running.said(&stream.model_id, 2).await;
    assert_eq!(serde_json::from_str::<Signal>(&said[1].signal).unwrap().action, Action::Hold);
    assert!(said[1].stored_at - said[1].closed_at >= 7_000, "{:?}", said[1]);
    close(&running, &exchange, &stream.model_id, 2, 1_000).await;
    let audit = audited(&routes.state, &stream).await;
    assert!(audit.is_clean() && audit.stale_seqs == [1], "{:?}", audit.stale_seqs);
    running.stop().await;
}
