//! The stop from the command line, and following signals without a server.

use std::time::{Duration, Instant};

use assay_testkit::postgres::Postgres;
use serde_json::{Value, json};

use crate::served::Up;
use crate::support::{DEMO, Home, text};

#[test]
fn a_stop_lasts_until_it_is_resumed_with_a_reason() {
    let home = Home::new();
    home.assay(&["stop", "--dry-run"]).expect(0, &["would stop"]);
    assert!(!home.file("stop").exists());
    let stopped = home.json(&["stop", "--reason", "storm"]);
    assert_eq!((&stopped["stopped"], &stopped["mark"]["reason"]), (&json!(true), &json!("storm")));
    // The first mark stands.
    assert_eq!(home.json(&["stop", "--reason", "again"])["mark"]["reason"], "storm");
    home.assay(&["resume"]).expect(2, &["--reason"]);
    home.assay(&["resume", "--reason", " "]).expect(2, &["--reason is empty"]);
    home.assay(&["resume", "--reason", "calm", "--dry-run"]).expect(0, &["would resume", "storm"]);
    assert!(home.file("stop").exists());
    home.assay(&["resume", "--reason", "calm"]).expect(0, &["resumed", "storm"]);
    assert!(!home.file("stop").exists());
    home.assay(&["resume", "--reason", "calm"]).expect(2, &["nothing is stopped"]);
}

#[test]
fn a_resume_reaches_the_database_that_the_server_works_on() {
    let (home, postgres) = (Home::new(), Postgres::start());
    let url = postgres.database();
    let up = Up::start(&home, &["--database", &url]);
    let key = up.key().to_owned();
    home.json(&["stop", "--reason", "storm"]);
    let row = |words: &str| {
        let began = Instant::now();
        while !postgres.run(&url, "SELECT value FROM controls WHERE name = 'stop'").contains(words) {
            assert!(began.elapsed() < Duration::from_secs(20), "the row does not say {words}");
        }
    };
    row("storm");
    // The server does it, in its own database, without a word of which that is.
    home.assay(&["resume", "--reason", "calm"]).expect(0, &["resumed", "storm"]);
    row("\"mark\":null");
    assert!(!home.file("stop").exists() && !home.file("resume").exists());
    let mode = up.read(&key, "/v1/mode");
    assert_eq!((&mode["stopped"], &mode["resumed"]["reason"]), (&Value::Null, &json!("calm")));
    // It stays resumed.
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(up.read(&key, "/v1/mode")["stopped"], Value::Null);
    // A server whose database is away says so, and stays stopped.
    home.json(&["stop", "--reason", "flood"]);
    row("flood");
    postgres.stop();
    home.assay(&["resume", "--reason", "calm"]).expect(1, &["stays stopped", "database"]);
    assert!(home.file("stop").exists() && !home.file("resume").exists());
    postgres.resume();
    up.kill();
    // Where none runs, the database must be named: the row would bring the stop back.
    home.assay(&["resume", "--reason", "calm"]).expect(2, &["--database", "start it"]);
    assert!(home.file("stop").exists());
    home.assay(&["stop", "--flatten"]).expect(2, &["resume"]);
    home.assay(&["resume", "--reason", "calm", "--database", &url]).expect(0, &["resumed", "flood"]);
    row("\"mark\":null");
    home.assay(&["stop"]).expect(0, &["go on", "--database"]);
    home.assay(&["stop", "--reason", "quake", "--database", &url]).expect(0, &["stopped"]);
    row("\"mark\":{");
    home.assay(&["resume", "--reason", "calm", "--database", &url]).expect(0, &["resumed"]);
    let up = Up::start(&home, &["--database", &url]);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(up.read(&key, "/v1/mode")["stopped"], Value::Null);
}

#[test]
fn a_flatten_from_the_command_line_closes_what_runs() {
    let home = DEMO.0.copy();
    let up = Up::start(&home, &[]);
    let key = up.key().to_owned();
    let body = json!({ "run_id": DEMO.1["run_id"], "source": { "kind": "replay", "pace_ms": 100 } }).to_string();
    let begun = up.ask("POST", "/v1/streams", &format!("authorization: Bearer {key}\r\n"), &body);
    assert!(begun.starts_with("HTTP/1.1 201"), "{begun}");
    let until = |what: &dyn Fn(&Value) -> bool| {
        let began = Instant::now();
        loop {
            let stream = up.read(&key, "/v1/streams")["items"][0].clone();
            if what(&stream) {
                return stream;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "{stream}");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let stream = until(&|stream| stream["next_seq"].as_u64() > Some(2));
    home.assay(&["stop", "--flatten", "--dry-run"]).expect(0, &["would close"]);
    let closing = home.json(&["stop", "--flatten", "--reason", "the weekend"]);
    assert_eq!(closing["closing"], json!([stream["stream_id"]]));
    let halted = until(&|stream| stream["status"] == "halted");
    assert!(text(&halted["reason"]).contains("the weekend") && halted["closing"].is_null(), "{halted}");
    let last = up.read(&key, &format!("/v1/signals/{}?last=1", text(&stream["model_id"])));
    assert_eq!(last["items"][0]["signal"]["action"], "FLAT_0", "{last}");
    assert_eq!(home.json(&["stop", "--flatten"])["closing"], json!([]));
    assert!(!home.file("stop").exists());
}

#[test]
fn following_needs_a_key_and_a_server() {
    let home = Home::new();
    let model = "ab".repeat(32);
    let mut command = home.command(&["signals", "tail", &model, "--quiet"]);
    let output = command.env_remove("ASSAY_API_KEY").output().unwrap();
    crate::support::Answer::of(&output).expect(2, &["ASSAY_API_KEY", "--key-file"]);
    let mut command = home.command(&["signals", "tail", &model, "--server", "http://127.0.0.1:9", "--quiet"]);
    let output = command.env("ASSAY_API_KEY", "canary-key").output().unwrap();
    let answer = crate::support::Answer::of(&output).expect(1, &["assay up"]);
    assert!(!answer.err.contains("canary-key") && !answer.out.contains("canary-key"));
}
