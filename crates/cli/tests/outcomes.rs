//! Writes under an `Idempotency-Key` whose server is killed, or whose caller hangs up, before the reply.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use assay_testkit::postgres::Postgres;

use crate::served::Up;
use crate::support::Home;

const ADA: &str = r#"{"name":"ada","role":"viewer"}"#;
const PATIENCE: Duration = Duration::from_secs(30);

/// Has the database take so many seconds to keep a reply: what comes before it is done by then.
fn slow_replies(postgres: &Postgres, url: &str, seconds: u32) {
    let sql = format!(
        "CREATE OR REPLACE FUNCTION slow() RETURNS trigger AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN NEW; END $$ \
         LANGUAGE plpgsql; DROP TRIGGER IF EXISTS slow ON idempotent_replies; \
         CREATE TRIGGER slow BEFORE UPDATE ON idempotent_replies FOR EACH ROW EXECUTE FUNCTION slow()"
    );
    let _ = postgres.run(url, &sql);
}

/// Sends a write; the connection on which its reply would come.
fn send(up: &Up, key: &str, repeat: &str) -> TcpStream {
    let address = up.url().strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = ADA.len();
    let request = format!(
        "POST /v1/users HTTP/1.1\r\nhost: {address}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         authorization: Bearer {key}\r\nidempotency-key: {repeat}\r\n\r\n{ADA}"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

fn repeat(up: &Up, key: &str, repeat: &str) -> String {
    up.ask("POST", "/v1/users", &format!("authorization: Bearer {key}\r\nidempotency-key: {repeat}\r\n"), ADA)
}

/// Waits until so many are there.
fn until_users(postgres: &Postgres, url: &str, count: &str) {
    let began = Instant::now();
    while postgres.run(url, "SELECT count(*) FROM users WHERE name = 'ada'") != count {
        assert!(began.elapsed() < PATIENCE, "there are not {count} users");
    }
}

#[test]
fn a_server_that_is_killed_before_its_reply_does_nothing_twice() {
    let (home, postgres) = (Home::new(), Postgres::start());
    let url = postgres.database();
    let up = Up::start(&home, &["--database", &url]);
    let key = up.key().to_owned();
    // A caller that hangs up finds the reply when it comes back.
    slow_replies(&postgres, &url, 1);
    let caller = send(&up, &key, "one");
    until_users(&postgres, &url, "1");
    drop(caller);
    let began = Instant::now();
    let answer = loop {
        let answer = repeat(&up, &key, "one");
        if !answer.starts_with("HTTP/1.1 409") {
            break answer;
        }
        assert!(began.elapsed() < PATIENCE, "{answer}");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(answer.starts_with("HTTP/1.1 201") && answer.contains("idempotent-replayed: true"), "{answer}");
    // Killed between what was done and the note of it.
    slow_replies(&postgres, &url, 600);
    let _caller = send(&up, &key, "two");
    until_users(&postgres, &url, "2");
    up.kill();
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = \
                  current_database()";
    let _ = postgres.run(&url, others);
    let _ = postgres.run(&url, "DROP TRIGGER slow ON idempotent_replies");
    let up = Up::start(&home, &["--database", &url]);
    let answer = repeat(&up, &key, "two");
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("under way"), "{answer}");
    // A minute later.
    let _ = postgres.run(&url, "UPDATE idempotent_replies SET claimed_until = claimed_until - 60000");
    for _ in 0..2 {
        let answer = repeat(&up, &key, "two");
        assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("\"outcome_unknown\""), "{answer}");
    }
    assert_eq!(postgres.run(&url, "SELECT count(*) FROM users WHERE name = 'ada'"), "2");
    assert!(repeat(&up, &key, "three").starts_with("HTTP/1.1 201"));
    // Failed here: who knows how far it came.
    let refuse = "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql; \
                  CREATE TRIGGER refuse BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION refuse()";
    let _ = postgres.run(&url, refuse);
    assert!(repeat(&up, &key, "four").starts_with("HTTP/1.1 5"));
    let _ = postgres.run(&url, "DROP TRIGGER refuse ON users");
    let answer = repeat(&up, &key, "four");
    assert!(answer.starts_with("HTTP/1.1 409") && answer.contains("\"outcome_unknown\""), "{answer}");
    assert!(repeat(&up, &key, "five").starts_with("HTTP/1.1 201"));
}
