//! Closing positions before an end.

use assay_store::database::StreamStatus;
use assay_types::{Action, Signal};
use serde_json::json;

use super::support::{Running, all_signals, audited, begin, replay, replayed, trained};
use crate::access::Role;
use crate::testing::{Routes, caller};

#[tokio::test(flavor = "multi_thread")]
async fn flattened_streams_close_at_their_next_close_and_halt() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap();
    let (owner, viewer) = (caller("owner", Role::Owner), caller("vic", Role::Viewer));
    let running = Running::over(routes.state.clone());
    let quick = begin(&routes.state, &runs[0], replay(5)).await;
    let slow = begin(&routes.state, &runs[1], replay(60_000)).await;
    running.said(&quick.model_id, 20).await;
    let before = running.said(&slow.model_id, 1).await.len();
    let body = json!({ "flatten": true, "reason": "the weekend" });
    assert_eq!(routes.post(&viewer, "/v1/stop", &body).await.0.as_u16(), 403);
    let (status, mode) = routes.post(&owner, "/v1/stop", &body).await;
    assert_eq!((status.as_u16(), &mode["mode"], &mode["stopped"]), (200, &json!("paper"), &json!(null)), "{mode}");
    assert_eq!(mode["closing_streams"], 2);
    let halted = running.until(&quick.stream_id, StreamStatus::Halted).await;
    assert!(halted.reason.as_deref().unwrap().contains("the weekend") && halted.closing.is_none());
    let said = all_signals(&routes.state, &quick.model_id).await;
    let (lines, _) = replayed(&routes.state, &runs[0]).await;
    let (last, earlier) = said.split_last().unwrap();
    assert_eq!(serde_json::from_str::<Signal>(&last.signal).unwrap().action, Action::Flat0);
    assert_eq!(earlier.iter().map(|row| row.signal.as_str()).collect::<Vec<_>>(), lines[..earlier.len()]);
    assert!(audited(&routes.state, &quick).await.is_clean());
    // The one whose close is far off still waits for it after a restart.
    running.kill().await;
    let asked = routes.state.platform.stream(&slow.stream_id).await.unwrap().unwrap();
    assert_eq!((asked.status, asked.closing.is_some()), (StreamStatus::Running, true));
    let running = Running::over(routes.state.clone());
    running.until(&slow.stream_id, StreamStatus::Halted).await;
    let said = all_signals(&routes.state, &slow.model_id).await;
    assert_eq!(said.len(), before + 1);
    assert_eq!(serde_json::from_str::<Signal>(&said[before].signal).unwrap().action, Action::Flat0);
    // It needs an explicit resume, and goes on as any other then.
    let path = |id: &str, rest: &str| format!("/v1/streams/{id}/{rest}");
    assert_eq!(routes.post(&owner, &path(&quick.stream_id, "resume"), &json!({})).await.0.as_u16(), 200);
    running.said(&quick.model_id, last.seq + 10).await;
    let (status, closing) = routes.post(&owner, &path(&quick.stream_id, "stop"), &body).await;
    assert_eq!((status.as_u16(), closing["closing"].is_string()), (200, true), "{closing}");
    running.until(&quick.stream_id, StreamStatus::Halted).await;
    assert_eq!(routes.post(&owner, &path(&quick.stream_id, "stop"), &body).await.0.as_u16(), 409);
    // Nothing can be said while sending is stopped.
    assert_eq!(routes.post(&owner, "/v1/stop", &json!({})).await.0.as_u16(), 200);
    let (status, refused) = routes.post(&owner, "/v1/stop", &body).await;
    assert_eq!((status.as_u16(), &refused["code"]), (409, &json!("conflict")));
    running.stop().await;
}
