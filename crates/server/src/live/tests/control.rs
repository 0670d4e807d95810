//! The stop.

use std::time::Duration;

use assay_gateway::Notice;
use assay_store::database::{Resumed, Stream, StreamStatus};
use assay_store::{Cleared, ResumeRequest, StopMark};
use serde_json::{Value, json};
use sqlx::Connection as _;

use super::support::{PATIENCE, Running, all_signals, audited, begin, replay, replayed, settings, trained};
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
    // Carried perhaps before it had a word in it.
    let worded = async {
        while there.live.stop.mark().unwrap().reason != "by hand" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, worded).await.unwrap();
    let owner = caller("owner", Role::Owner);
    assert_eq!(here.get(&owner, "/v1/mode").await.1["mode"], "stopped");
    assert_eq!(here.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    until(false).await;
    assert!(!here.state.live.stop.is_stopped());
    one.stop().await;
    two.stop().await;
}

/// What everybody may read of the stream: its signals, and the signal file.
async fn readable(routes: &Routes, stream: &Stream) -> (Value, Value) {
    let owner = caller("owner", Role::Owner);
    let signals = routes.get(&owner, &format!("/v1/signals/{}?last=200", stream.model_id)).await;
    let file = routes.get(&owner, &format!("/v1/streams/{}/signal-file", stream.stream_id)).await;
    assert_eq!((signals.0.as_u16(), file.0.as_u16()), (200, 200));
    (signals.1, file.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_close_that_waits_for_the_database_is_not_stored_after_the_mark() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let running = Running::over(routes.state.clone());
    let stream = begin(&routes.state, &runs[0], replay(5)).await;
    running.said(&stream.model_id, 20).await;
    // Somebody else writes, so that the next close waits for its turn.
    let file = format!("sqlite:{}", routes.home.path().join("platform.db").display());
    let mut other = sqlx::SqliteConnection::connect(&file).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let before = readable(&routes, &stream).await;
    let mark = routes.state.live.stop.set(&StopMark::new(String::new(), "ann".into(), "storm".into())).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    tokio::time::sleep(QUIET).await;
    assert_eq!(readable(&routes, &stream).await, before, "something was stored after the mark");
    while !matches!(routes.state.live.stop.clear(&mark), Ok(Cleared::Resumed)) {}
    running.state.platform.resume_stop(&resumed(&mark), 1).await.unwrap();
    running.until(&stream.stream_id, StreamStatus::Ended).await;
    let (lines, _) = replayed(&routes.state, &runs[0]).await;
    let said = all_signals(&routes.state, &stream.model_id).await;
    assert_eq!(said.iter().map(|row| row.signal.as_str()).collect::<Vec<_>>(), lines);
    assert!(audited(&routes.state, &stream).await.is_clean());
    running.stop().await;
}

fn resumed(mark: &StopMark) -> Resumed {
    Resumed { id: mark.id.clone(), at: String::new(), by: "ann".to_owned(), reason: "calm".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_stop_stands_whatever_a_resume_does_meanwhile() {
    let routes = Routes::start().await;
    let owner = caller("owner", Role::Owner);
    let running = Running::over(routes.state.clone());
    let stop = json!({ "reason": "storm" });
    let resume = |id: &Value| json!({ "reason": "calm", "id": id });
    let first = routes.post(&owner, "/v1/stop", &stop).await.1["stopped"]["id"].clone();
    let second = routes.post(&owner, "/v1/stop", &stop).await.1["stopped"]["id"].clone();
    let (status, problem) = routes.post(&owner, "/v1/resume", &resume(&first)).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("conflict")));
    let (status, mode) = routes.post(&owner, "/v1/resume", &resume(&second)).await;
    assert_eq!((status.as_u16(), &mode["mode"], &mode["stopped"]), (200, &json!("paper"), &Value::Null));
    assert_eq!((&mode["resumed"]["by"], &mode["resumed"]["reason"]), (&json!("owner (test)"), &json!("calm")));
    let events = routes.state.platform.events_after(0, 100).await.unwrap().events;
    let told = events.iter().rfind(|event| event.event.topic == "control").unwrap();
    assert!(told.event.payload.contains("owner (test)") && told.event.payload.contains("calm"));
    for _ in 0..25 {
        let seen = routes.post(&owner, "/v1/stop", &stop).await.1["stopped"]["id"].clone();
        let body = resume(&seen);
        let (resumed, stopped) =
            tokio::join!(routes.post(&owner, "/v1/resume", &body), routes.post(&owner, "/v1/stop", &stop));
        assert!(matches!(resumed.0.as_u16(), 200 | 409) && stopped.0.as_u16() == 200);
        assert!(routes.state.live.stop.is_stopped(), "the newer stop is lost: {resumed:?}");
    }
    // And stays, also where the row is looked at; and so does the resume of it.
    tokio::time::sleep(QUIET).await;
    assert!(routes.state.live.stop.is_stopped());
    assert_eq!(routes.state.platform.stop_control().await.unwrap().mark, routes.state.live.stop.mark());
    assert_eq!(routes.post(&owner, "/v1/resume", &json!({ "reason": "calm" })).await.0.as_u16(), 200);
    tokio::time::sleep(QUIET).await;
    assert!(!routes.state.live.stop.is_stopped());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_that_was_resumed_elsewhere_does_not_come_back() {
    let routes = Routes::start().await;
    let state = &routes.state;
    let mark = state.live.stop.set(&StopMark::new(String::new(), "ann".into(), "storm".into())).unwrap();
    state.platform.carry_stop(&mark, 1).await.unwrap();
    // While no server runs here, another machine resumes.
    state.platform.resume_stop(&resumed(&mark), 2).await.unwrap();
    let running = Running::over(state.clone());
    let gone = async {
        while state.live.stop.is_stopped() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.unwrap();
    // Stopped there and here one after the other, before either heard of the other: both stay stopped.
    let here = state.live.stop.set(&StopMark::new(String::new(), "ann".into(), "one".into())).unwrap();
    let there = StopMark::new(String::new(), "ben".into(), "two".into());
    state.platform.carry_stop(&there, 3).await.unwrap();
    let alike = async {
        while state.platform.stop_control().await.unwrap().mark != state.live.stop.mark() {
            assert!(state.live.stop.is_stopped());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, alike).await.unwrap();
    assert!([Some(here), Some(there)].contains(&state.live.stop.mark()));
    // A resume that the home folder asks for names the stop that it ends.
    let ask = |id: &str| ResumeRequest { id: id.to_owned(), by: "ann".into(), reason: "calm".into() };
    let taken_up = async || {
        while state.live.stop.is_resume_requested() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    state.live.stop.request_resume(&ask(&mark.id)).unwrap();
    tokio::time::timeout(PATIENCE, taken_up()).await.unwrap();
    assert!(state.live.stop.is_stopped());
    state.live.stop.request_resume(&ask(&state.live.stop.mark().unwrap().id)).unwrap();
    tokio::time::timeout(PATIENCE, taken_up()).await.unwrap();
    assert!(!state.live.stop.is_stopped());
    running.stop().await;
}
