//! Kill -9 at any point: after a restart the stream goes on with the next number.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use assay_store::database::StreamStatus;
use assay_testkit::postgres::Postgres;

use super::support::{PATIENCE, Running, all_signals, audited, begin, replay, replayed, settings, trained};
use crate::state::{ServerState, Settings};

/// Tells the child which home to serve.
const HOME: &str = "ASSAY_TEST_LIVE_HOME";
/// And where its platform database is.
const DATABASE: &str = "ASSAY_TEST_LIVE_DATABASE";

/// Not a test: the process that is killed.
#[test]
#[ignore = "run by the kill test in a process of its own"]
fn child() {
    let (Ok(home), Ok(database)) = (std::env::var(HOME), std::env::var(DATABASE)) else { return };
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let state = open(home.as_ref(), &database).await;
        let _running = Running::over(state);
        // A parent that dies closes the pipe.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await.unwrap().unwrap();
    });
}

async fn open(home: &Path, database: &str) -> ServerState {
    ServerState::open(Settings { platform: database.parse().unwrap(), ..settings(home) }).await.unwrap()
}

fn spawn(home: &Path, database: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "live::tests::kill::child", "--ignored", "--nocapture"])
        .env(HOME, home)
        .env(DATABASE, database)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_stream_goes_on_without_hole_or_double() {
    let folder = tempfile::tempdir().unwrap();
    speak_through_kills(folder.path(), folder.path().join("platform.db").to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_on_postgres_a_stream_goes_on_without_hole_or_double() {
    let (folder, postgres) = (tempfile::tempdir().unwrap(), Postgres::start());
    speak_through_kills(folder.path(), &postgres.database()).await;
}

async fn speak_through_kills(home: &Path, database: &str) {
    let home = home.to_owned();
    let runs = {
        let home = home.clone();
        tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap()
    };
    let state = open(&home, database).await;
    let stream = begin(&state, &runs[0], replay(2)).await;
    let mut waits = 0x9e37_79b9_u64;
    for round in 0..8 {
        let before = state.platform.next_seq(&stream.model_id).await.unwrap();
        let mut child = spawn(&home, database);
        let began = Instant::now();
        // Killed somewhere between two signals, some milliseconds after it spoke again.
        while state.platform.next_seq(&stream.model_id).await.unwrap() <= before + round {
            assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "the child says nothing");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        waits = waits.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_micros((waits >> 33) % 9_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let running = Running::over(state.clone());
    running.until(&stream.stream_id, StreamStatus::Ended).await;
    let said = all_signals(&state, &stream.model_id).await;
    let (lines, equity_hash) = replayed(&state, &runs[0]).await;
    assert_eq!(said.iter().map(|signal| signal.signal.as_str()).collect::<Vec<_>>(), lines);
    let audit = audited(&state, &stream).await;
    assert!(audit.is_clean() && audit.equity_hash.to_string() == equity_hash);
    running.stop().await;
}
