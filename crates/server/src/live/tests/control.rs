//! The stop.

use std::time::Duration;

use assay_gateway::Notice;
use assay_store::database::StreamStatus;
use serde_json::json;

use super::support::{PATIENCE, Running, all_signals, audited, begin, replay, settings, trained};
use crate::access::Role;
use crate::state::ServerState;
use crate::testing::{Routes, caller};

/// How long a quiet stream is listened to; undisturbed it would say hundreds of signals.
const QUIET: Duration = Duration::from_millis(700);

#[tokio::test(flavor = "multi_thread")]
async fn after_the_mark_nothing_is_said_until_an_explicit_resume() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let owner = caller("owner", Role::Owner);
    let running = Running::over(routes.state.clone());
    let stream = begin(&routes.state, &runs[0], replay(1)).await;
    let mut heard = routes.state.live.hub.subscribe(&stream.model_id);
    running.said(&stream.model_id, 40).await;
    // In the middle of the burst.
    let (status, stopped) = routes.post(&owner, "/v1/stop", &json!({ "reason": "storm" })).await;
    assert_eq!((status.as_u16(), &stopped["mode"]), (200, &json!("stopped")));
    assert!(stopped["stopped"]["by"].as_str().unwrap().starts_with("owner"));
    // What was on its way when the mark was set.
    tokio::time::sleep(Duration::from_millis(50)).await;
    while tokio::time::timeout(Duration::from_millis(1), heard.next()).await.is_ok() {}
    let count = all_signals(&routes.state, &stream.model_id).await.len();
    assert!(tokio::time::timeout(QUIET, heard.next()).await.is_err(), "a signal after the mark");
    assert_eq!(all_signals(&routes.state, &stream.model_id).await.len(), count);
    assert_eq!(running.stream(&stream.stream_id).await.status, StreamStatus::Running);
    // A restart changes nothing.
    running.stop().await;
    let again = ServerState::open(settings(routes.home.path())).await.unwrap();
    let running = Running::over(again.clone());
    let mut heard = again.live.hub.subscribe(&stream.model_id);
    assert!(tokio::time::timeout(QUIET, heard.next()).await.is_err(), "a signal after a restart");
    let (status, refused) = routes.post(&owner, "/v1/resume", &json!({})).await;
    assert_eq!(status.as_u16(), 400, "{refused}");
    assert_eq!(routes.post(&caller("v", Role::Viewer), "/v1/resume", &json!({ "reason": "x" })).await.0.as_u16(), 403);
    assert_eq!(routes.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    assert_eq!(routes.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 409);
    let next = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap();
    assert!(matches!(next, Notice::Signal(signal) if signal.seq >= count as u64));
    running.until(&stream.stream_id, StreamStatus::Ended).await;
    let said = all_signals(&again, &stream.model_id).await;
    assert!(said.iter().zip(0..).all(|(signal, seq)| signal.seq == seq));
    assert!(audited(&again, &stream).await.is_clean());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_made_by_hand_stops_and_other_machines_follow() {
    let here = Routes::start().await;
    // Another machine: a home of its own, the same database.
    let folder = tempfile::tempdir().unwrap();
    let mut there = settings(folder.path());
    there.platform = here.state.settings.platform.clone();
    let there = ServerState::open(there).await.unwrap();
    let (one, two) = (Running::over(here.state.clone()), Running::over(there.clone()));
    let until = |stopped: bool| {
        let there = there.clone();
        async move {
            let wait = async {
                while there.live.stop.is_stopped() != stopped {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::time::timeout(PATIENCE, wait).await.unwrap();
        }
    };
    std::fs::write(here.state.live.stop.path(), "by hand").unwrap();
    until(true).await;
    assert_eq!(there.live.stop.mark().unwrap().reason, "by hand");
    let owner = caller("owner", Role::Owner);
    assert_eq!(here.get(&owner, "/v1/mode").await.1["mode"], "stopped");
    assert_eq!(here.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    until(false).await;
    assert!(!here.state.live.stop.is_stopped());
    one.stop().await;
    two.stop().await;
}
