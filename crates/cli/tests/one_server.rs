//! Two servers that want one platform database.

use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use assay_testkit::postgres::Postgres;

use crate::served::Up;
use crate::support::Home;

/// A server that is expected to give up.
fn refused(home: &Home, database: &str) -> std::process::Child {
    let mut command = home.command(&["up", "--listen", "127.0.0.1:0", "--without-demo", "--database", database]);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_second_server_takes_over_only_from_one_that_is_gone() {
    let postgres = Postgres::start();
    let database = postgres.database();
    let given = ["--database", database.as_str()];
    let (home, stranger) = (Home::new(), Home::new());
    let mut first = Up::start(&home, &given);
    let key = first.key().to_owned();
    let copied = home.copy();

    let other = refused(&stranger, &database).wait_with_output().unwrap();
    assert!(!other.status.success() && words(&other).contains("belongs to another home"), "{}", words(&other));
    // The same home on what might be another machine: it waits for the lease, which goes on.
    let began = Instant::now();
    let second = refused(&copied, &database).wait_with_output().unwrap();
    assert!(!second.status.success() && words(&second).contains("held by the server at"), "{}", words(&second));
    assert!(words(&second).contains(&home.path().display().to_string()), "{}", words(&second));
    assert!(began.elapsed() > Duration::from_secs(15), "{:?}", began.elapsed());
    assert!(first.is_alive());

    first.signal("STOP");
    let second = Up::start(&copied, &given);
    second.read(&key, "/v1/me");
    // The one that slept through its lease writes nothing more and ends.
    first.signal("CONT");
    let began = Instant::now();
    while first.is_alive() {
        assert!(began.elapsed() < Duration::from_secs(20), "the replaced server goes on");
        std::thread::sleep(Duration::from_millis(50));
    }
    // A killed server's folder goes on at once: its lock says that nobody else has it.
    second.kill();
    let began = Instant::now();
    let again = Up::start(&copied, &given);
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    again.read(&key, "/v1/me");
    again.terminate();
    // One that ended by itself has given the database back.
    let began = Instant::now();
    Up::start(&home, &given).terminate();
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
}
