//! Streams on recorded candles.

use assay_store::database::StreamStatus;

use super::support::{Running, all_signals, audited, begin, replay, replayed, trained};
use crate::live::compare;
use crate::testing::Routes;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_says_what_the_replay_driver_says() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 2)).await.unwrap();
    let running = Running::over(routes.state.clone());
    for run_id in &runs {
        let mut told = Vec::new();
        let stream = begin(&routes.state, run_id, replay(0)).await;
        let mut heard = routes.state.live.hub.subscribe(&stream.model_id);
        running.until(&stream.stream_id, StreamStatus::Ended).await;
        let said = all_signals(&routes.state, &stream.model_id).await;
        let (lines, equity_hash) = replayed(&routes.state, run_id).await;
        assert_eq!(said.iter().map(|signal| signal.signal.as_str()).collect::<Vec<_>>(), lines);
        assert!(said.iter().zip(0..).all(|(signal, seq)| signal.seq == seq));
        let audit = audited(&routes.state, &stream).await;
        assert!(audit.is_clean());
        assert_eq!(audit.equity_hash.to_string(), equity_hash);
        assert_eq!(audit.final_equity.to_string(), said.last().unwrap().equity);
        let comparison = compare(&routes.state, &stream, routes.state.live.reading().unwrap()).await.unwrap();
        assert_eq!((comparison.closes, &comparison.differences[..]), (lines.len() as u64, &[][..]));
        assert_eq!(comparison.replay_equity_hash, equity_hash);
        while let Ok(notice) = tokio::time::timeout(std::time::Duration::from_millis(50), heard.next()).await {
            told.push(notice);
        }
        assert!(!told.is_empty(), "listeners are told");
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_later_stream_of_the_model_is_numbered_on_and_audits() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let running = Running::over(routes.state.clone());
    let first = begin(&routes.state, &runs[0], replay(0)).await;
    running.until(&first.stream_id, StreamStatus::Ended).await;
    let count = all_signals(&routes.state, &first.model_id).await.len() as u64;
    let second = begin(&routes.state, &runs[0], replay(0)).await;
    assert_eq!(second.first_seq, count);
    running.until(&second.stream_id, StreamStatus::Ended).await;
    let (one, two) = (audited(&routes.state, &first).await, audited(&routes.state, &second).await);
    assert!(one.is_clean() && two.is_clean());
    assert_eq!((one.equity_hash, one.accepted), (two.equity_hash, two.accepted));
    running.stop().await;
}
