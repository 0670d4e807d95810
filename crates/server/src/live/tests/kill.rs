//! Kill -9 at any point: after a restart the stream goes on with the next number.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use assay_lake::{Clock, LiveSettings};
use assay_store::database::StreamStatus;
use assay_testkit::postgres::Postgres;

use super::exchange::{exchange, from_binance, joined, options};
use super::support::{
    FIRST_MS, PATIENCE, Running, STEP, STORED, all_signals, audited, begin, replay, replayed, settings, trained,
};
use crate::access::AccessOptions;
use crate::live::{Cause, LiveOptions, compare};
use crate::serve::{ServeSettings, Server};
use crate::state::{ServerState, Settings};

/// Tells the child which home to serve.
const HOME: &str = "ASSAY_TEST_LIVE_HOME";
/// And where its platform database is.
const DATABASE: &str = "ASSAY_TEST_LIVE_DATABASE";
/// And which exchange to follow.
const EXCHANGE: &str = "ASSAY_TEST_LIVE_EXCHANGE";

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

/// Not a test: the server on an exchange that is killed; it is told the time line by line.
#[test]
#[ignore = "run by the kill test in a process of its own"]
fn served() {
    let (Ok(home), Ok(exchange)) = (std::env::var(HOME), std::env::var(EXCHANGE)) else { return };
    let mut first = String::new();
    std::io::stdin().read_line(&mut first).unwrap();
    let clock = Arc::new(AtomicI64::new(first.trim().parse().unwrap()));
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let address = format!("binance={exchange}").parse().unwrap();
        let feed = LiveSettings {
            grace_ms: 50,
            retry_ms: 20,
            backoff_ms: 10,
            overdue_ms: STEP / 2,
            ..LiveSettings::default()
        };
        let live = LiveOptions { addresses: vec![address], feed, clock: Clock::Simulated(clock.clone()) };
        let (state, listen) = (settings(home.as_ref()), "127.0.0.1:0".parse().unwrap());
        let server = Server::start(ServeSettings { state, listen, tls: None, access: AccessOptions::default(), live });
        let _server = server.await.unwrap();
        // A parent that dies closes the pipe.
        let told = move || {
            for line in std::io::stdin().lines() {
                let line = line.unwrap();
                clock.store(line.parse().unwrap(), Ordering::SeqCst);
                std::io::stdout().write_all(format!("{line}\n").as_bytes()).unwrap();
            }
        };
        tokio::task::spawn_blocking(told).await.unwrap();
    });
}

fn spawn(home: &Path, database: &str) -> Child {
    spawn_as("child", home, &[(DATABASE, database)])
}

fn spawn_as(test: &str, home: &Path, more: &[(&str, &str)]) -> Child {
    let is_told = more.iter().any(|(name, _)| *name == EXCHANGE);
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("live::tests::kill::{test}"), "--ignored", "--nocapture"])
        .env(HOME, home)
        .envs(more.iter().copied())
        .stdin(Stdio::piped())
        .stdout(if is_told { Stdio::piped() } else { Stdio::null() })
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

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_server_goes_on_with_the_stream_of_an_exchange() {
    const CLOSES: u64 = 30;
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_owned();
    let runs = {
        let home = home.clone();
        tokio::task::spawn_blocking(move || trained(&home, 1)).await.unwrap()
    };
    let state = ServerState::open(settings(&home)).await.unwrap();
    let (exchange, clock) = exchange(CLOSES as usize + 5).await;
    state.live.configure(options(&exchange, &clock));
    let stream = begin(&state, &runs[0], from_binance()).await;
    // The clock of the server first: it would take a candle of the future for the exchange's skew.
    let tell = |child: &mut Child, now_ms: i64| {
        writeln!(child.stdin.as_mut().unwrap(), "{now_ms}").unwrap();
        let mut heard = BufReader::with_capacity(1, child.stdout.as_mut().unwrap()).lines();
        while heard.next().unwrap().unwrap() != now_ms.to_string() {}
        exchange.advance_to(now_ms);
    };
    let (mut random, mut kept) = (0x9e37_79b9_u64, Vec::new());
    let mut next = 0;
    while next < CLOSES {
        let connections = exchange.socket_connections();
        let mut child = spawn_as("served", &home, &[(EXCHANGE, &exchange.base_url())]);
        writeln!(child.stdin.as_mut().unwrap(), "{}", clock.load(Ordering::SeqCst)).unwrap();
        joined(&exchange, connections + 1).await;
        for _ in 0..4 {
            next += 1;
            tell(&mut child, FIRST_MS + (STORED as i64 + next as i64) * STEP + 1_000);
            let began = Instant::now();
            while state.platform.next_seq(&stream.model_id).await.unwrap() < next {
                assert!(began.elapsed() < PATIENCE && child.try_wait().unwrap().is_none(), "{next} was not said");
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        // Killed somewhere on the way of a close: before it is decided, stored or told.
        next += 1;
        tell(&mut child, FIRST_MS + (STORED as i64 + next as i64) * STEP + 1_000);
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        tokio::time::sleep(Duration::from_micros((random >> 33) % 12_000)).await;
        child.kill().unwrap();
        child.wait().unwrap();
        let said = all_signals(&state, &stream.model_id).await;
        assert!(said.iter().zip(&kept).all(|(now, then)| now == then), "what was said has changed");
        kept = said;
    }
    // Those that were killed on the way are said after the restart, as they would have been or as HOLD.
    let connections = exchange.socket_connections();
    let mut child = spawn_as("served", &home, &[(EXCHANGE, &exchange.base_url())]);
    writeln!(child.stdin.as_mut().unwrap(), "{}", clock.load(Ordering::SeqCst)).unwrap();
    joined(&exchange, connections + 1).await;
    tell(&mut child, FIRST_MS + (STORED as i64 + CLOSES as i64 + 1) * STEP + 1_000);
    let began = Instant::now();
    while state.platform.next_seq(&stream.model_id).await.unwrap() <= CLOSES {
        assert!(began.elapsed() < PATIENCE, "the last close was not said");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let said = all_signals(&state, &stream.model_id).await;
    let closes = said.iter().map(|signal| (signal.seq, signal.closed_at));
    let expected = (0..=CLOSES).map(|seq| (seq, FIRST_MS + (STORED as i64 + seq as i64 + 1) * STEP));
    assert!(closes.eq(expected), "holes or doubles: {:?}", said.iter().map(|signal| signal.seq).collect::<Vec<_>>());
    let audit = audited(&state, &stream).await;
    assert!(audit.is_clean(), "{:?}", audit.forged);
    assert_eq!(audit.final_equity.to_string(), said[CLOSES as usize].equity);
    let comparison = compare(&state, &stream, state.live.reading().unwrap()).await.unwrap();
    assert!(comparison.differences.iter().all(|difference| difference.cause == Cause::LateCandle), "{comparison:?}");
}
