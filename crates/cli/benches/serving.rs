//! `assay up` as its users meet it: `cargo bench -p assay-cli --bench serving`. Seconds from the
//! start to a good health, memory and CPU when idle, on that home and on one of a stranger whose
//! demo streams a signal each second, then reads at 500 requests a second on a home
//! of 250 runs. Requests are sent on a fixed schedule, and latency counts from the moment a
//! request was due, so a server that stalls is charged for every request that had to wait.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark")]

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_store::database::{DatabaseLocation, PlatformDatabase, RunRow};
use serde_json::{Value, json};

const RUNS: u64 = 250;
const REQUESTS_PER_SECOND: u32 = 500;
const SECONDS: u32 = 30;
const IDLE: Duration = Duration::from_secs(20);

struct Server {
    child: Child,
    url: String,
    key: String,
    health_seconds: f64,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let home = tempfile::tempdir().unwrap();
        fill(home.path()).await;
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let stranger = tempfile::tempdir().unwrap();
        let streaming = start(stranger.path(), &[]).await;
        until_it_speaks(&streaming, &client).await;
        tell_idle("idle with the demo's stream", &streaming);
        drop(streaming);
        let server = start(home.path(), &["--without-demo"]).await;
        tell_idle("idle", &server);
        let latencies = reads(&server, client).await;
        let at = |share: f64| latencies[((latencies.len() - 1) as f64 * share) as usize] * 1e3;
        println!(
            "{}",
            json!({"case": "reads", "per_second": REQUESTS_PER_SECOND, "requests": latencies.len(),
                   "p50_ms": at(0.5), "p99_ms": at(0.99), "worst_ms": at(1.0), "peak_kb": status(server.child.id(), "VmHWM:")})
        );
    });
}

/// Runs in the catalogue, each with the folder that its page is read from.
async fn fill(home: &Path) {
    let row = |number: u64| {
        let run_id = format!("{number:032x}");
        let folder = home.join("runs").join(&run_id);
        std::fs::create_dir_all(&folder).unwrap();
        let hash = format!("{number:064x}");
        let summary = json!({
            "run_id": run_id, "status": "done", "attempts": 1, "algorithm": "ppo", "dataset": "synthetic/BTC-USD/1h",
            "seed": number, "created_at_ms": 1_700_000_000_000_u64 + number, "timesteps": 200_704,
            "weights_hash": hash, "equity_hash": hash, "final_equity": "10000", "artefacts_hash": hash,
        });
        std::fs::write(folder.join("run.json"), summary.to_string()).unwrap();
        RunRow::new(run_id, "home".to_owned(), None, summary.to_string(), 1)
    };
    let rows: Vec<RunRow> = (0..RUNS).map(row).collect();
    let platform = PlatformDatabase::open(&DatabaseLocation::Sqlite(home.join("platform.db"))).await.unwrap();
    platform.put_runs(&rows, 1).await.unwrap();
    platform.close().await;
}

/// Waits until the demo has run and its policy speaks.
async fn until_it_speaks(server: &Server, client: &reqwest::Client) {
    let begun = Instant::now();
    loop {
        let answer = client.get(format!("{}/v1/streams", server.url)).bearer_auth(&server.key).send().await.unwrap();
        let streams: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        if streams["items"][0]["next_seq"].as_u64() >= Some(2) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(180), "the demo's policy does not speak: {streams}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn tell_idle(case: &str, server: &Server) {
    let (cpu, memory) = idle(server.child.id());
    println!(
        "{}",
        json!({"case": case, "health_seconds": server.health_seconds, "cpu_percent": cpu, "peak_kb": memory,
               "kb": status(server.child.id(), "VmRSS:")})
    );
}

async fn start(home: &Path, more: &[&str]) -> Server {
    let started = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.arg("--home").arg(home).args(["up", "--listen", "127.0.0.1:0", "--json", "--quiet"]).args(more);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let text = |name: &str| ready[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_owned();
    let (url, key) = (text("url"), text("owner_key"));
    let health = reqwest::get(format!("{url}/v1/health")).await.unwrap();
    assert!(health.status().is_success(), "{health:?}");
    Server { child, url, key, health_seconds: started.elapsed().as_secs_f64() }
}

/// CPU in percent of one core and peak memory of a server that nobody calls.
fn idle(pid: u32) -> (f64, u64) {
    std::thread::sleep(Duration::from_secs(3));
    let before = cpu_seconds(pid);
    std::thread::sleep(IDLE);
    (100.0 * (cpu_seconds(pid) - before) / IDLE.as_secs_f64(), status(pid, "VmHWM:"))
}

async fn reads(server: &Server, client: reqwest::Client) -> Vec<f64> {
    let run = format!("/v1/runs/{:032x}", RUNS / 2);
    let paths =
        Arc::new(["/v1/runs?limit=50".to_owned(), run, "/v1/jobs".into(), "/v1/me".into(), "/v1/streams".into()]);
    // The first request with a key pays for its password hash.
    assert_eq!(get(&client, server, &paths[0]).await, 200);
    let begin = Instant::now() + Duration::from_millis(200);
    let mut sent = Vec::new();
    for number in 0..REQUESTS_PER_SECOND * SECONDS {
        let due = begin + Duration::from_secs(1) * number / REQUESTS_PER_SECOND;
        tokio::time::sleep_until(due.into()).await;
        let (client, url, key, paths) = (client.clone(), server.url.clone(), server.key.clone(), paths.clone());
        sent.push(tokio::spawn(async move {
            let path = &paths[number as usize % paths.len()];
            let answer = client.get(format!("{url}{path}")).bearer_auth(key).send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            answer.bytes().await.unwrap();
            due.elapsed().as_secs_f64()
        }));
    }
    let mut latencies = Vec::new();
    for request in sent {
        latencies.push(request.await.unwrap());
    }
    latencies.sort_by(f64::total_cmp);
    latencies
}

async fn get(client: &reqwest::Client, server: &Server, path: &str) -> u16 {
    client.get(format!("{}{path}", server.url)).bearer_auth(&server.key).send().await.unwrap().status().as_u16()
}

/// A line of the kernel's account of a process, in kilobytes.
fn status(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// User and system time of a process and the children it waited for.
fn cpu_seconds(pid: u32) -> f64 {
    const TICKS_PER_SECOND: f64 = 100.0;
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, rest) = stat.rsplit_once(") ").unwrap();
    let fields: Vec<f64> = rest.split(' ').filter_map(|field| field.parse().ok()).collect();
    // After the state (a letter, left out here) utime is field 10 and stime field 11 of proc(5)'s remainder.
    (fields[10] + fields[11]) / TICKS_PER_SECOND
}
