//! The dispatcher is killed in the middle of its work, again and again.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use assay_store::database::DestinationKind;
use assay_testkit::postgres::Postgres;

use crate::receiver::{Answer, Receiver};
use crate::support::{MODEL, Platform, check_log, settings};

const HOME: &str = "ASSAY_TEST_GATEWAY_HOME";
const DATABASE: &str = "ASSAY_TEST_GATEWAY_DATABASE";
const SIGNALS: u64 = 5_000;
/// Signals between two writes of the cursor.
const PAGE: usize = 32;

/// The process that is killed; it works only when another test asks for it.
#[tokio::test]
#[ignore = "the other process of `killed_five_times_it_still_delivers_everything_in_order`"]
async fn child() {
    let (Some(home), Ok(database)) = (std::env::var_os(HOME), std::env::var(DATABASE)) else { return };
    let platform = Platform::on(&PathBuf::from(home), &database.parse().unwrap()).await;
    let _running = platform.run(settings());
    std::future::pending::<()>().await;
}

struct Killed(Child);

impl Killed {
    fn start(home: &std::path::Path, database: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "kill::child", "--ignored", "--nocapture"])
            .env(HOME, home)
            .env(DATABASE, database)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Killed {
    fn drop(&mut self) {
        // SIGKILL.
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

async fn deliver_through_kills(database: &str) {
    let platform = Platform::over(&database.parse().unwrap()).await;
    let receiver = Receiver::start(|_| Answer::Status(200)).await;
    platform.destination("one", DestinationKind::Webhook, &receiver.url()).await;
    let stored = platform.publish(MODEL, 0..SIGNALS).await;
    for kills in 1..=5 {
        let killed = Killed::start(platform.path(), database);
        receiver.has(kills * 700 + kills * 13).await;
        drop(killed);
    }
    let last = Killed::start(platform.path(), database);
    platform.reaches("one", SIGNALS, Duration::from_secs(120)).await;
    drop(last);
    let repeated = check_log(&receiver.bodies(), &stored);
    assert!(repeated <= 5 * PAGE, "{repeated} signals came more than once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_five_times_it_still_delivers_everything_in_order() {
    let folder = tempfile::tempdir().unwrap();
    deliver_through_kills(folder.path().join("platform.db").to_str().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_on_postgres_it_still_delivers_everything_in_order() {
    let postgres = Postgres::start();
    deliver_through_kills(&postgres.database()).await;
}
