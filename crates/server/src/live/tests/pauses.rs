//! Streams of an exchange that are stopped or halted, across restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use assay_engine::Limits;
use assay_store::Home;
use assay_store::database::{StoredSignal, Stream, StreamStatus};
use assay_testkit::FakeExchange;
use assay_types::{Action, Money, Signal};
use serde_json::json;
use tempfile::TempDir;

use super::exchange::{close, exchange, from_binance, joined, options};
use super::support::*;
use crate::access::Role;
use crate::live::{Cause, NewStreamRequest, compare, start_stream};
use crate::state::ServerState;
use crate::testing::{Routes, caller};

fn action(signal: &StoredSignal) -> Action {
    serde_json::from_str::<Signal>(&signal.signal).unwrap().action
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_stream_holds_at_what_it_missed_and_audits() {
    let routes = Routes::start().await;
    let home = routes.home.path().to_owned();
    let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
    let (exchange, clock) = exchange(40).await;
    routes.state.live.configure(options(&exchange, &clock));
    let running = Running::over(routes.state.clone());
    let stream = begin(&routes.state, &runs[0], from_binance()).await;
    let owner = caller("owner", Role::Owner);
    joined(&exchange, 1).await;
    for said in 0..6 {
        close(&running, &exchange, &stream.model_id, said, 1_000).await;
    }
    let path = |verb: &str| format!("/v1/streams/{}/{verb}", stream.stream_id);
    let (status, _) = routes.post(&owner, &path("stop"), &json!({ "reason": "a look" })).await;
    assert_eq!(status.as_u16(), 200);
    // The feed ends with its last stream, at the latest when streams are looked at again.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    // Four closes come meanwhile.
    exchange.advance_to(clock.load(Ordering::SeqCst) + 4 * STEP);
    assert_eq!(all_signals(&routes.state, &stream.model_id).await.len(), 6);
    let connections = exchange.socket_connections();
    assert_eq!(routes.post(&owner, &path("resume"), &json!({ "reason": "fine" })).await.0.as_u16(), 200);
    running.said(&stream.model_id, 10).await;
    joined(&exchange, connections + 1).await;
    for said in 10..14 {
        close(&running, &exchange, &stream.model_id, said, 1_000).await;
    }
    let said = all_signals(&routes.state, &stream.model_id).await;
    let held: Vec<u64> = said.iter().filter(|row| action(row) == Action::Hold).map(|row| row.seq).collect();
    // The last of the four closed a second ago.
    assert_eq!(held, [6, 7, 8]);
    let audit = audited(&routes.state, &stream).await;
    assert!(audit.is_clean(), "{:?}", audit.forged);
    assert_eq!(audit.final_equity.to_string(), said[13].equity);
    // All that differs is what was late.
    let comparison = compare(&routes.state, &stream, routes.state.live.reading().unwrap()).await.unwrap();
    assert!(comparison.differences.iter().all(|difference| difference.cause == Cause::LateCandle));
    assert_eq!(comparison.differences.iter().map(|difference| difference.seq).collect::<Vec<_>>(), held);
    running.stop().await;
}

/// A home with one trained run, its streams on a fake exchange of its own.
struct Place {
    state: ServerState,
    exchange: FakeExchange,
    clock: Arc<AtomicI64>,
    run_id: String,
    _folder: TempDir,
}

impl Place {
    /// All places sign with the key of `key`, so that what they say can be compared.
    async fn new(key: &Home) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_owned();
        let runs = tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap();
        std::fs::create_dir_all(folder.path().join("keys")).unwrap();
        key.signing_key().unwrap();
        std::fs::copy(key.path().join("keys/signing.key"), folder.path().join("keys/signing.key")).unwrap();
        let state = ServerState::open(settings(folder.path())).await.unwrap();
        let (exchange, clock) = exchange(60).await;
        state.live.configure(options(&exchange, &clock));
        Self { state, exchange, clock, run_id: runs[0].clone(), _folder: folder }
    }

    /// A stream under `limits` until `closes` were said or it halts, restarted before the closes
    /// `restarts`; what it said.
    async fn speak(&self, limits: &Limits, closes: u64, restarts: &[u64]) -> (Stream, Vec<StoredSignal>) {
        let mut running = Running::over(self.state.clone());
        let request = NewStreamRequest {
            run_id: self.run_id.clone(),
            owner: "owner".to_owned(),
            source: from_binance(),
            limits: Some(limits.clone()),
            phrase: None,
        };
        let stream = start_stream(&self.state, request).await.unwrap();
        joined(&self.exchange, 1).await;
        for said in 0..closes {
            if restarts.contains(&said) {
                // As a killed process ends: nothing is noted.
                let connections = self.exchange.socket_connections();
                running.kill().await;
                running = Running::over(self.state.clone());
                joined(&self.exchange, connections + 1).await;
            }
            close(&running, &self.exchange, &stream.model_id, said, 1_000).await;
            if running.stream(&stream.stream_id).await.status == StreamStatus::Halted {
                break;
            }
        }
        let stream = running.stream(&stream.stream_id).await;
        running.stop().await;
        let said = all_signals(&self.state, &stream.model_id).await;
        (stream, said)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_count_across_restarts_and_a_restart_does_not_resume_what_halted() {
    let folder = tempfile::tempdir().unwrap();
    let key = Home::open(folder.path()).unwrap();
    let calm = Place::new(&key).await;
    let (_, free) = calm.speak(&Limits::default(), 40, &[]).await;
    let money = |signal: &StoredSignal| signal.equity.parse::<Money>().unwrap();
    // A loss that is reached first after the closes before which the server is restarted.
    let cash = money(&free[0]);
    let losses: Vec<i128> = free.iter().map(|signal| cash.0 - money(signal).0).collect();
    let worst = *losses[..12].iter().max().unwrap();
    let breach = (12..40).find(|&close| losses[close] > worst.max(0)).expect("a loss beyond the first closes'");
    let limits = Limits { daily_loss: Some(Money(worst.max(0) + 1)), ..Limits::default() };
    let mut stories = Vec::new();
    for restarts in [&[][..], &[5, 9, 12]] {
        let place = Place::new(&key).await;
        let (stream, said) = place.speak(&limits, 40, restarts).await;
        assert_eq!((stream.status, said.len()), (StreamStatus::Halted, breach + 1), "restarts {restarts:?}");
        assert!(stream.reason.as_deref().unwrap().contains("daily_loss"), "{stream:?}");
        assert_eq!(action(&said[breach]), Action::Flat0);
        stories.push((place, stream, said.into_iter().map(|row| (row.signal, row.equity)).collect::<Vec<_>>()));
    }
    assert!(stories[0].2 == stories[1].2, "restarts change what is said");
    assert!(stories[0].2[..breach].iter().zip(&free).all(|(said, free)| said.0 == free.signal));
    // Halted is halted: a restart says nothing, however much closes.
    let (place, stream, said) = stories.pop().unwrap();
    let running = Running::over(place.state.clone());
    place.exchange.advance_to(place.clock.load(Ordering::SeqCst) + 3 * STEP);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let after = running.stream(&stream.stream_id).await;
    assert_eq!((after.status, &after.reason, &after.limits), (StreamStatus::Halted, &stream.reason, &stream.limits));
    assert_eq!(all_signals(&place.state, &stream.model_id).await.len(), said.len());
    assert!(audited(&place.state, &stream).await.is_clean());
    running.stop().await;
}
