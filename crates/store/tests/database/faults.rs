//! Killed processes, and a server that goes away.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use assay_amm::event::RawLog;
use assay_store::database::{JobsDatabase, PoolEventsReader, PoolEventsWriter};
use assay_testkit::postgres::Postgres;

use crate::both::{both, postgres};
use crate::events::{open, pool};
use crate::samples::{CHAIN, POOL, headers, swap};

const LOCATION: &str = "ASSAY_TEST_DATABASE";
const BLOCKS: u64 = 20;
const LOGS_OF_A_BLOCK: u64 = 40;

#[tokio::test]
async fn a_killed_writer_leaves_whole_ranges() {
    for empty in both() {
        let (_, reader) = open(&empty).await;
        let mut last = 0;
        for kill_after in [0, 1, 0, 3, 2] {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["--ignored", "--exact", "faults::writes_until_killed", "--nocapture"])
                .env(LOCATION, &empty.url)
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
            let mut seen = 0;
            while seen <= kill_after {
                let line = lines.next().expect("it writes until it is killed").unwrap();
                seen += u64::from(line.ends_with("begins"));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            // The range that was begun last is there as a whole or not at all.
            let Some(cursor) = reader.cursor(CHAIN, POOL).await.unwrap() else { continue };
            assert_eq!(cursor.last_block % BLOCKS, 0);
            assert!(cursor.last_block >= last + kill_after * BLOCKS);
            last = cursor.last_block;
            let events = reader.events(CHAIN, POOL, 1..=last).await.unwrap();
            assert_eq!(events.len() as u64, last * LOGS_OF_A_BLOCK);
            assert_eq!(reader.headers(CHAIN, 0..=u64::MAX / 2).await.unwrap(), headers(0, 1..=last));
        }
        assert!(last > 0);
    }
}

#[tokio::test]
#[ignore = "is run, and killed, by a_killed_writer_leaves_whole_ranges"]
async fn writes_until_killed() {
    let location = std::env::var(LOCATION).unwrap().parse().unwrap();
    let writer = PoolEventsWriter::open(&location).await.unwrap();
    let mut from = writer.cursor(CHAIN, POOL).await.unwrap().map_or(1, |cursor| cursor.last_block + 1);
    loop {
        let to = from + BLOCKS - 1;
        let logs: Vec<RawLog> =
            (from..=to).flat_map(|block| (0..LOGS_OF_A_BLOCK).map(move |index| swap(block, index))).collect();
        println!("\n{from} begins");
        writer.ingest(CHAIN, POOL, from..=to, &headers(0, from..=to), &logs).await.unwrap();
        from = to + 1;
    }
}

#[tokio::test]
async fn a_dropped_ingest_leaves_nothing() {
    for empty in both() {
        let (writer, reader) = open(&empty).await;
        let logs: Vec<RawLog> = (1..=50).flat_map(|block| (0..40).map(move |index| swap(block, index))).collect();
        let headers = headers(0, 1..=50);
        let mut polls = 0;
        loop {
            // Dropped after one more step each time, until it gets through.
            let mut ingest = Box::pin(writer.ingest(CHAIN, POOL, 1..=50, &headers, &logs));
            let mut steps = 0;
            let done = std::future::poll_fn(|context| {
                steps += 1;
                match ingest.as_mut().poll(context) {
                    std::task::Poll::Ready(done) => std::task::Poll::Ready(Some(done)),
                    std::task::Poll::Pending if steps > polls => std::task::Poll::Ready(None),
                    std::task::Poll::Pending => std::task::Poll::Pending,
                }
            })
            .await;
            drop(ingest);
            // Waits for a commit that was under way, which a drop does not stop.
            writer.put_pool(&pool()).await.unwrap();
            match done {
                Some(done) => {
                    // A step that was dropped in its commit may have been made.
                    assert_eq!(done.unwrap().events, 2000);
                    break;
                }
                None => match reader.cursor(CHAIN, POOL).await.unwrap() {
                    None => assert_eq!(reader.headers(CHAIN, 1..=50).await.unwrap(), []),
                    Some(_) => assert_eq!(reader.events(CHAIN, POOL, 1..=50).await.unwrap().len(), 2000),
                },
            }
            polls += 1;
        }
        // How many steps there are depends on how often the database is slower than the test.
        assert!(polls > 0, "it was never dropped");
        assert_eq!(reader.events(CHAIN, POOL, 1..=50).await.unwrap().len(), 2000);
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_found_again() {
    let server = Postgres::start();
    let empty = postgres(&server);
    let jobs = JobsDatabase::open(&empty.location).await.unwrap();
    let (writer, reader) = open(&postgres(&server)).await;
    writer.ingest(CHAIN, POOL, 1..=1, &headers(0, 1..=1), &[swap(1, 0)]).await.unwrap();
    server.stop();
    let errors = [
        jobs.jobs().await.unwrap_err(),
        writer.ingest(CHAIN, POOL, 2..=2, &headers(0, 2..=2), &[swap(2, 0)]).await.unwrap_err(),
        reader.cursor(CHAIN, POOL).await.unwrap_err(),
        PoolEventsReader::open(&empty.location).await.unwrap_err(),
    ];
    for error in errors {
        assert!(error.is_retryable(), "{error:?}");
    }
    server.resume();
    assert_eq!(jobs.jobs().await.unwrap(), []);
    writer.put_pool(&pool()).await.unwrap();
    writer.ingest(CHAIN, POOL, 2..=2, &headers(0, 2..=2), &[swap(2, 0)]).await.unwrap();
    assert_eq!(reader.events(CHAIN, POOL, 1..=2).await.unwrap().len(), 2);
}
