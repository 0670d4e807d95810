//! Jobs under a real server: its own, and those of workers on other machines.

use std::process::Command;
use std::time::{Duration, Instant};

use assay_store::database::{JobStatus, ScheduledJob};
use serde_json::Value;

use crate::jobs::{Platform, calm_weights, children, signal, training};
use crate::series::with_candles;
use crate::served::Up;
use crate::support::{Answer, Home, Running, tell, text};

const CANDLES: usize = 1_500;
const STEPS: u64 = 51_200;

fn join(home: &Home, server: &Up, key: &str) -> Running {
    let mut command = home.command(&["worker", "--join", server.url(), "--slots", "2", "--threads", "1", "--quiet"]);
    Running::of(command.env("ASSAY_API_KEY", key).spawn().unwrap())
}

fn is_training(job: &ScheduledJob) -> bool {
    job.status == JobStatus::Running && job.progress.as_deref().is_some_and(|told| told.contains("\"reward\""))
}

#[test]
fn a_killed_server_goes_on_with_its_jobs() {
    let home = with_candles(CANDLES);
    let server = Up::start(&home, &[]);
    let platform = Platform::of(&home);
    let job = platform.submit(&training(1, STEPS));
    platform.until(&job, is_training);
    server.kill();
    let restarted = Up::start(&home, &[]);
    assert_eq!(restarted.ready["owner_key"], Value::Null, "the owner's key is shown once");
    let result = platform.done(&job);
    assert_eq!((platform.job(&job).attempts, platform.times_done(&job)), (2, 1));
    assert_eq!(result["weights_hash"], calm_weights(&with_candles(CANDLES), 1, STEPS));
    restarted.kill();
}

#[test]
fn a_worker_elsewhere_brings_the_same_bytes_through_kills_and_cancels() {
    let (home, elsewhere) = (with_candles(CANDLES), Home::new());
    let server = Up::start(&home, &["--job-slots", "0"]);
    let key = server.key().to_owned();
    let platform = Platform::of(&home);

    let mut refused = elsewhere.command(&["worker", "--join", server.url()]);
    let refused = refused.env("ASSAY_API_KEY", "assay_0_nonsense").output().unwrap();
    Answer::of(&refused).expect(1, &["did not join", "ASSAY_API_KEY"]);
    elsewhere.assay(&["worker", "--join", server.url()]).expect(2, &["--key-file"]);

    // Killed, the worker goes on from its checkpoint, and nothing is seen before the end.
    let job = platform.submit(&training(1, STEPS));
    let worker = join(&elsewhere, &server, &key);
    platform.until(&job, is_training);
    assert_eq!(home.json(&["run", "list"]), Value::Array(Vec::new()), "nothing is visible before the end");
    worker.kill();
    let worker = join(&elsewhere, &server, &key);
    platform.until(&job, |job| job.attempts == 2 && is_training(job));
    signal("-9", children(worker.id())[0]);
    let result = platform.done(&job);
    let calm = with_candles(CANDLES);
    assert_eq!(result["weights_hash"], calm_weights(&calm, 1, STEPS));
    assert_eq!((platform.job(&job).attempts, platform.times_done(&job)), (3, 1));
    let run = text(&result["run_id"]);
    assert_eq!(result["path"], format!("runs/{run}"), "where it lay on the other machine is nobody's business");
    assert!(!result.to_string().contains(&elsewhere.path().display().to_string()), "{result}");
    for name in ["weights.safetensors", "policy.onnx", "curves.csv", "equity.csv", "stream.json", "config.json"] {
        let read = |home: &Home| std::fs::read(home.run(run).join(name)).unwrap();
        assert!(read(&home) == read(&calm), "{name} differs");
    }
    assert_eq!(text(&home.json(&["run", "show", run])["state"]), "done");
    let judged = |home: &Home| home.json(&["backtest", run])["equity_hash"].clone();
    assert_eq!(judged(&home), judged(&calm));
    let trials = |home: &Home| std::fs::read_to_string(home.file("trials.jsonl")).unwrap().lines().count();
    assert_eq!(trials(&home), trials(&calm), "what was looked at counts here too");

    // Cancelled elsewhere, the checkpoint is here, and a worker of this home goes on from it.
    let cancelled = platform.submit(&training(2, STEPS));
    platform.until(&cancelled, is_training);
    let asked = Instant::now();
    home.assay(&["job", "cancel", &cancelled]).expect(0, &["cancelling"]);
    platform.until(&cancelled, |job| job.status == JobStatus::Cancelled);
    tell(&format!("cancelled elsewhere in {:?}", asked.elapsed()));
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    worker.kill();
    let listed = home.json(&["run", "list"]);
    let interrupted = listed.as_array().unwrap().iter().find(|run| run["state"] == "interrupted").unwrap();
    assert!(home.run(text(&interrupted["run_id"])).join("checkpoint.bin").exists());
    home.assay(&["job", "resume", &cancelled]).expect(0, &["queued"]);
    let here = Running::of(home.command(&["worker", "--threads", "1", "--quiet"]).spawn().unwrap());
    let result = platform.done(&cancelled);
    assert_eq!(result["weights_hash"], calm_weights(&calm, 2, STEPS));
    assert_eq!(home.json(&["run", "show", text(&result["run_id"])])["attempts"], 2);
    here.kill();
    server.kill();
}

/// A certificate for `localhost` by an authority that nobody knows; the authority's, the
/// server's, and its key.
fn certificate(folder: &Home) -> [String; 3] {
    let script = r#"
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 2 \
            -subj "/CN=tests" -addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out request.pem -subj "/CN=localhost"
        printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >extensions
        openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out cert.pem
    "#;
    let made = Command::new("sh").args(["-euc", script]).current_dir(folder.path()).output();
    let made = Answer::of(&made.expect("openssl is needed: on Debian, apt-get install openssl"));
    assert_eq!(made.code, 0, "{}", made.err);
    ["ca.pem", "cert.pem", "key.pem"].map(|name| folder.file(name).display().to_string())
}

#[test]
fn a_worker_joins_over_tls_and_trusts_nobody_else() {
    let (home, elsewhere, files) = (with_candles(CANDLES), Home::new(), Home::new());
    let [authority, chain, private] = certificate(&files);
    let options = ["--job-slots", "0", "--tls-cert", &chain, "--tls-key", &private];
    let server = Up::start(&home, &[&options[..], &["--public-url", "https://localhost"]].concat());
    let port = server.url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    assert!(server.url().starts_with("https://"));
    let join = |url: &str, more: &[&str]| {
        let mut command = elsewhere.command(&["worker", "--join", url, "--threads", "1", "--quiet"]);
        command.args(more).env("ASSAY_API_KEY", server.key());
        command
    };
    let url = format!("https://localhost:{port}");
    // Not without the authority, nor without TLS, nor under another name.
    for (url, more) in [
        (url.clone(), &[][..]),
        (format!("http://localhost:{port}"), &[][..]),
        (format!("https://127.0.0.1:{port}"), &["--tls-ca", &authority][..]),
    ] {
        Answer::of(&join(&url, more).output().unwrap()).expect(1, &["did not join"]);
    }
    let platform = Platform::of(&home);
    let job = platform.submit(&training(1, 2_560));
    let worker = Running::of(join(&url, &["--tls-ca", &authority]).spawn().unwrap());
    let result = platform.done(&job);
    assert_eq!(result["weights_hash"], calm_weights(&with_candles(CANDLES), 1, 2_560));
    worker.kill();
    server.kill();
}
