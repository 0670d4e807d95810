//! Secrets of every kind, given to a server and a worker at work: none is in a log, a reply, an
//! argument, the environment of a job, or, in clear, a file.

use std::path::Path;
use std::time::{Duration, Instant};

use assay_store::database::{Destination, PlatformDatabase};
use assay_testkit::postgres::Postgres;
use serde_json::{Value, json};

use crate::jobs::children;
use crate::served::Up;
use crate::support::{DEMO, Home, Running, text};

const PATIENCE: Duration = Duration::from_secs(60);
/// What only a test would write, by kind.
const DATABASE: &str = "canary-database-4f1c";
const NATS: &str = "canary-nats-82d0";
const KAFKA: &str = "canary-kafka-77b3";
const NODE: &str = "canary-node-19aa";
const JOB: &str = "canary-of-the-environment-c0de";

/// Where something was found or said, and what.
struct Told(Vec<(String, Vec<u8>)>);

impl Told {
    fn add(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((place.into(), bytes.into()));
    }

    /// Every file of a home but its keys.
    fn add_home(&mut self, home: &Home) {
        for (path, bytes) in home.tree() {
            if !path.parent().is_some_and(|folder| folder.ends_with("keys")) {
                self.add(path.display().to_string(), bytes);
            }
        }
    }

    #[track_caller]
    fn lacks(&self, name: &str, secret: &[u8]) {
        assert!(secret.len() >= 16, "{name} is too short to be looked for");
        for (place, bytes) in &self.0 {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret), "the {name} is in {place}");
        }
    }
}

/// An answer of the API: its status and body, kept among what was told.
fn ask(up: &Up, told: &mut Told, method: &str, path: &str, body: &Value) -> Value {
    let bearer = format!("authorization: Bearer {}\r\n", up.key());
    let answer = up.ask(method, path, &bearer, &if body.is_null() { String::new() } else { body.to_string() });
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 2"), "{method} {path}: {answer}");
    let value = serde_json::from_str(body).unwrap_or(Value::Null);
    told.add(format!("the answer to {method} {path}"), answer);
    value
}

/// Waits for the process of a job; its arguments and environment.
fn job_process(worker: u32) -> (Vec<u8>, Vec<u8>) {
    let begun = Instant::now();
    loop {
        for id in children(worker) {
            let read = |name: &str| std::fs::read(format!("/proc/{id}/{name}")).unwrap_or_default();
            let (arguments, environment) = (read("cmdline"), read("environ"));
            if arguments.ends_with(b"\0work\0") && !environment.is_empty() {
                return (arguments, environment);
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no job began");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn training(seed: u64) -> Value {
    json!({ "kind": "train", "config": {
        "dataset": "synthetic/BTC-USD/1h", "net_arch": [8], "features": ["return_1", "gap"], "algorithm": "ppo",
        "n_envs": 2, "n_steps": 64, "total_timesteps": 2_000_000, "seed": seed, "allow_gaps": true,
    }})
}

fn until(what: &str, reached: impl Fn() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn says(log: &Path, words: &str) -> bool {
    String::from_utf8_lossy(&std::fs::read(log).unwrap_or_default()).contains(words)
}

/// A private model with a destination of each kind, none of which takes anything; the secret of
/// the webhook.
fn destinations(up: &Up, told: &mut Told, run_id: &str) -> String {
    let published = json!({ "run_id": run_id, "name": "canary", "private": true });
    let model = ask(up, told, "POST", "/v1/models", &published);
    let model_id = text(&model["model_id"]);
    let mut ids = Vec::new();
    let mut secret = String::new();
    for (kind, url) in [("nats", None), ("kafka", None), ("webhook", Some("http://127.0.0.1:1/hook"))] {
        let body = json!({ "model_id": model_id, "kind": kind, "url": url });
        let bearer = format!("authorization: Bearer {}\r\n", up.key());
        // The one answer that shows the secret.
        let answer = up.ask("POST", "/v1/destinations", &bearer, &body.to_string());
        let added: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        ids.push(text(&added["destination"]["destination_id"]).to_owned());
        if kind == "webhook" {
            text(&added["secret"]).clone_into(&mut secret);
        }
    }
    let source = json!({ "kind": "replay", "pace_ms": 100 });
    ask(up, told, "POST", "/v1/streams", &json!({ "run_id": run_id, "source": source }));
    for id in &ids {
        let path = format!("/v1/destinations/{id}");
        ask(up, told, "POST", &format!("{path}/test"), &Value::Null);
        until("an attempt", || {
            let attempts = up.read(up.key(), &format!("{path}/deliveries"));
            attempts["items"].as_array().unwrap().iter().any(|attempt| attempt["outcome"] == "failed")
        });
        ask(up, told, "GET", &path, &Value::Null);
        ask(up, told, "GET", &format!("{path}/deliveries"), &Value::Null);
    }
    secret
}

/// A job of the server's own, and one of a worker that joins with the key in a file.
fn jobs(up: &Up, told: &mut Told, elsewhere: &Home, logs: &Home) {
    let job = ask(up, told, "POST", "/v1/jobs", &training(1));
    let (arguments, environment) = job_process(up.id());
    told.add("the arguments of a job", arguments);
    told.add("the environment of a job", environment);
    ask(up, told, "POST", &format!("/v1/jobs/{}/cancel", text(&job["job_id"])), &Value::Null);
    let key_file = logs.file("key");
    std::fs::write(&key_file, up.key()).unwrap();
    let worker = elsewhere
        .command(&["worker", "--join", up.url(), "--threads", "1", "--key-file"])
        .arg(&key_file)
        .env("ASSAY_KAFKA_PASSWORD", KAFKA)
        .stderr(std::fs::File::create(logs.file("worker")).unwrap())
        .spawn()
        .unwrap();
    let worker = Running::of(worker);
    for seed in 2..5 {
        ask(up, told, "POST", "/v1/jobs", &training(seed));
    }
    let (arguments, environment) = job_process(worker.id());
    told.add("the arguments of a job elsewhere", arguments);
    told.add("the environment of a job elsewhere", environment);
    told.add("the arguments of a worker", std::fs::read(format!("/proc/{}/cmdline", worker.id())).unwrap());
    worker.kill();
}

/// What the database holds of destinations.
fn stored(database: &str) -> Vec<Destination> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let database = PlatformDatabase::open(&database.parse().unwrap()).await.unwrap();
        database.destinations(None, None, 0, 10).await.unwrap()
    })
}

#[test]
fn secrets_of_every_kind_stay_where_they_belong() {
    let (home, logs, elsewhere) = (DEMO.0.copy(), Home::new(), Home::new());
    let (log, worker_log) = (logs.file("log"), logs.file("worker"));
    let postgres = Postgres::start();
    let plain = postgres.database();
    let database = plain.replacen("assay@", &format!("assay:{DATABASE}@"), 1);
    let nats = format!("nats://ann:{NATS}@127.0.0.1:1");
    let node = format!("http://127.0.0.1:1/{NODE}");
    let variables = [
        ("ASSAY_DATABASE", database.as_str()),
        ("ASSAY_NATS_URL", &nats),
        ("ASSAY_KAFKA_BROKERS", "127.0.0.1:1"),
        ("ASSAY_KAFKA_USER", "ann"),
        ("ASSAY_KAFKA_PASSWORD", KAFKA),
        ("ASSAY_RPC_URL", &node),
        ("ASSAY_API_KEY", JOB),
        ("PGPASSWORD", JOB),
    ];
    let options = ["--log", "json", "--log-level", "trace", "--allow-private-webhooks"];
    let up = Up::within(&home, &log, &options, &variables);
    let mut told = Told(Vec::new());
    assert!(text(&up.ready["database"]).starts_with("postgres://"), "{}", up.ready);
    let mut ready = up.ready.clone();
    ready["owner_key"] = Value::Null;
    told.add("its first line", ready.to_string());

    let run_id = text(&DEMO.1["run_id"]);
    let secret = destinations(&up, &mut told, run_id);
    jobs(&up, &mut told, &elsewhere, &logs);
    for path in ["/v1/destinations", "/v1/audit-log", "/v1/events?after=0", "/v1/jobs", "/metrics", "/v1/models"] {
        ask(&up, &mut told, "GET", path, &Value::Null);
    }
    told.add("its arguments", up.command_line());
    let key = up.key().to_owned();
    told.add("what it said later", up.terminate());
    assert!(says(&log, "/v1/destinations") && says(&worker_log, "job"), "nothing was logged");
    told.add("the log", std::fs::read(&log).unwrap());
    told.add("the worker's log", std::fs::read(&worker_log).unwrap());
    told.add_home(&home);
    told.add_home(&elsewhere);
    let rows = stored(&plain);
    for row in &rows {
        let sealed = row.secret.clone().unwrap_or_default();
        told.add("a row of destinations", sealed.clone());
    }
    assert_eq!(rows.iter().filter(|row| row.secret.is_some()).count(), 1);

    for (name, secret) in [
        ("database's password", DATABASE),
        ("password of NATS", NATS),
        ("password of Kafka", KAFKA),
        ("key of the node", NODE),
        ("environment", JOB),
        ("webhook's secret", &secret),
        ("webhook's secret", secret.strip_prefix("whsec_").unwrap()),
        ("owner's key", key.rsplit('_').next().unwrap()),
    ] {
        told.lacks(name, secret.as_bytes());
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        told.lacks(name, hex.as_bytes());
    }
    for name in ["vault.key", "signing.key"] {
        let bytes = std::fs::read(home.file("keys").join(name)).unwrap();
        told.lacks(name, &bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        told.lacks(name, hex.as_bytes());
    }
    // What a private model was trained to is sealed, too.
    let weights = std::fs::read(home.run(run_id).join("weights.safetensors")).unwrap();
    assert!(weights.starts_with(b"assay/sealed/1\n"), "the weights are in clear");
}
