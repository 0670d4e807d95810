//! What one stream may cost the others.

use assay_store::database::{CommittedClose, NewStream, StoredSignal, StreamMode, StreamStatus};
use axum::http::StatusCode;
use serde_json::json;

use super::super::file::Pages;
use super::support::{PATIENCE, Running, begin, replay, trained};
use crate::access::Role;
use crate::state::ServerState;
use crate::testing::{Routes, caller};

async fn insert(state: &ServerState, stream_id: &str, after: Option<&str>) -> assay_store::database::Stream {
    let new = NewStream {
        stream_id: stream_id.to_owned(),
        model_id: "m".to_owned(),
        run_id: "run".to_owned(),
        owner: "owner".to_owned(),
        source: "{}".to_owned(),
        feed: "feed".to_owned(),
        limits: "{}".to_owned(),
        after: after.map(|last| (last.to_owned(), "{}".to_owned())),
    };
    state.platform.insert_stream(&new, 10, 1).await.unwrap()
}

async fn say(state: &ServerState, stream_id: &str, seqs: std::ops::Range<u64>) {
    let signals = seqs.map(|seq| StoredSignal {
        model_id: "m".to_owned(),
        seq,
        stream_id: stream_id.to_owned(),
        mode: StreamMode::Paper,
        closed_at: 1,
        received_at: 1,
        due_at: 1,
        stored_at: 1,
        signal: "{}".to_owned(),
        equity: "1".to_owned(),
    });
    let signals = signals.collect();
    let close = CommittedClose {
        feed: "feed".to_owned(),
        candle: None,
        signals,
        halted: Vec::new(),
        speakers: [].into(),
        changes: None,
    };
    state.platform.commit_close(&close, 1).await.unwrap();
}

#[tokio::test]
async fn a_stream_is_read_in_pages_that_end_where_it_does() {
    let routes = Routes::start().await;
    let state = &routes.state;
    let count = async |stream: &assay_store::database::Stream| {
        let (mut pages, mut counts) = (Pages::of(state, stream), Vec::new());
        while let Some(page) = tokio::time::timeout(PATIENCE, pages.next()).await.unwrap().unwrap() {
            assert!(page.iter().all(|signal| signal.stream_id == stream.stream_id));
            counts.push(page.len());
        }
        counts
    };
    let first = insert(state, "first", None).await;
    assert!(count(&first).await.is_empty());
    say(state, "first", 0..170).await;
    assert_eq!(count(&first).await, [170]);
    state.platform.set_stream_status("first", StreamStatus::Stopped, None, 2).await.unwrap();
    // Another stream of the model says more than a page after it.
    let second = insert(state, "second", Some("first")).await;
    say(state, "second", 170..2_670).await;
    assert_eq!(count(&first).await, [170]);
    assert_eq!(count(&second).await, [1_000, 1_000, 500]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_of_whole_streams_have_so_many_places() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let state = &routes.state;
    let stream = begin(state, &runs[0], replay(0)).await;
    let running = Running::over(state.clone());
    running.said(&stream.model_id, 2).await;
    let owner = caller("owner", Role::Owner);
    let path = |what: &str| format!("/v1/streams/{}/{what}", stream.stream_id);
    let places = [state.live.reading().unwrap(), state.live.reading().unwrap()];
    for what in ["signal-file", "comparison"] {
        let (status, problem) = routes.get(&owner, &path(what)).await;
        assert_eq!((status, &problem["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("busy")), "{problem}");
    }
    drop(places);
    for what in ["signal-file", "comparison", "signal-file", "comparison"] {
        assert_eq!(routes.get(&owner, &path(what)).await.0, StatusCode::OK, "{what}");
    }
    running.stop().await;
}
