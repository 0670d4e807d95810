//! Scheduled jobs: killed, cancelled, stuck, and done once all the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use assay_store::database::{DatabaseLocation, JobFilter, JobStatus, NewJob, PlatformDatabase, ScheduledJob};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::series::{DATASET, csv, hours, train, with_candles};
use crate::support::{Home, Running, tell, text};

/// The longest that a test waits for a job.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(5);
const CANDLES: usize = 1_500;
const OWNER: &str = "tester";
/// Kills in the test of kills.
const KILLS: usize = 20;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// The platform database of a home, as a server would use it.
pub struct Platform(PlatformDatabase);

impl Platform {
    pub fn of(home: &Home) -> Self {
        let location = DatabaseLocation::Sqlite(home.file("platform.db"));
        Self(RUNTIME.block_on(PlatformDatabase::open(&location)).unwrap())
    }

    pub fn database(&self) -> &PlatformDatabase {
        &self.0
    }

    pub fn submit(&self, request: &Value) -> String {
        let (kind, owner) = (text(&request["kind"]).to_owned(), OWNER.to_owned());
        let job = NewJob { kind, request: request.to_string(), owner };
        RUNTIME.block_on(self.0.submit_job(&job, 100, assay_server::now_ms())).unwrap().job_id
    }

    pub fn job(&self, job_id: &str) -> ScheduledJob {
        RUNTIME.block_on(self.0.job(job_id)).unwrap().unwrap()
    }

    pub fn all(&self) -> Vec<ScheduledJob> {
        RUNTIME.block_on(self.0.jobs(&JobFilter::default(), None, 1_000)).unwrap()
    }

    /// Waits until `reached` holds of a job.
    #[track_caller]
    pub fn until(&self, job_id: &str, reached: impl Fn(&ScheduledJob) -> bool) -> ScheduledJob {
        let started = Instant::now();
        loop {
            let job = self.job(job_id);
            if reached(&job) {
                return job;
            }
            assert!(started.elapsed() < PATIENCE, "nothing came of {job:?}");
            std::thread::sleep(POLL);
        }
    }

    #[track_caller]
    pub fn done(&self, job_id: &str) -> Value {
        let job = self.until(job_id, |job| job.status.is_over());
        assert_eq!(job.status, JobStatus::Done, "{job:?}");
        serde_json::from_str(&job.result.unwrap()).unwrap()
    }

    /// How often events say `done` of a job.
    pub fn times_done(&self, job_id: &str) -> usize {
        let (mut after, mut count) = (0, 0);
        loop {
            let page = RUNTIME.block_on(self.0.events_after(after, 1_000)).unwrap();
            let Some(last) = page.events.last() else { return count };
            after = last.seq;
            let of_job = page.events.iter().filter(|event| event.event.subject == job_id);
            let is_done = |payload: &str| serde_json::from_str::<Value>(payload).unwrap()["status"] == "done";
            count += of_job.filter(|event| is_done(&event.event.payload)).count();
        }
    }
}

/// A small training job.
pub fn training(seed: u64, steps: u64) -> Value {
    json!({ "kind": "train", "config": {
        "dataset": DATASET, "tick": "0.01", "net_arch": [8], "features": ["return_1", "rsi_14", "gap"],
        "algorithm": "ppo", "n_envs": 2, "n_steps": 64, "learning_rate": 0.002, "total_timesteps": steps, "seed": seed,
    }})
}

/// The weights of the same training without a scheduler.
pub fn calm_weights(home: &Home, seed: u64, steps: u64) -> Value {
    let (seed, steps) = (format!("seed={seed}"), format!("total_timesteps={steps}"));
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "learning_rate=0.002", &steps, &seed];
    home.json(&train(&keys))["weights_hash"].clone()
}

/// Numbers from a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn worker(home: &Home) -> Running {
    Running::of(home.command(&["worker", "--slots", "2", "--threads", "1", "--quiet"]).spawn().unwrap())
}

/// The processes that `parent` started and that still run.
pub fn children(parent: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().filter_map(Result::ok) {
        let Some(id) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(entry.path().join("stat")) else { continue };
        // The name in brackets may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        if fields.get(1).and_then(|field| field.parse().ok()) == Some(parent) && fields.first() != Some(&"Z") {
            children.push(id);
        }
    }
    children
}

pub fn signal(name: &str, process: u32) {
    // The process may have ended meanwhile, which is as good.
    let _ = Command::new("kill").args([name, &process.to_string()]).output().unwrap();
}

/// The process that trains the run of a job, told by its lock.
fn process_of(home: &Home, run_id: &str) -> u32 {
    let lock = home.path().join(format!("locks/run-{run_id}.lock"));
    std::fs::read_to_string(lock).unwrap().trim().parse().unwrap()
}

fn wait_for(what: &str, reached: impl Fn() -> bool) {
    let started = Instant::now();
    while !reached() {
        assert!(started.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(POLL);
    }
}

#[test]
fn killed_workers_and_processes_leave_every_job_done_once() {
    const STEPS: u64 = 25_600;
    let home = with_candles(CANDLES);
    let platform = Platform::of(&home);
    std::fs::create_dir_all(home.file("files")).unwrap();
    std::fs::write(home.file("files/more.csv"), csv(&hours(20_000))).unwrap();
    let import = |symbol: &str| {
        json!({ "kind": "ingest", "source": { "import": {
            "file": "more.csv", "exchange": "binance", "symbol": symbol, "timeframe": "1h",
        }}})
    };
    let mut trainings: BTreeMap<String, u64> = BTreeMap::new();
    let mut imports = Vec::new();
    for seed in 1..=3 {
        trainings.insert(platform.submit(&training(seed, STEPS)), seed);
        imports.push(platform.submit(&import(&format!("AB{}-CD", ["X", "Y", "Z"][seed as usize - 1]))));
    }
    let mut random = Random(5);
    let (mut kills, mut worker_kills, mut resumed) = (0, 0, 0);
    let mut running = worker(&home);
    loop {
        let jobs = platform.all();
        for job in jobs.iter().filter(|job| job.status == JobStatus::Failed) {
            assert!(job.error.as_deref().unwrap().contains("interrupted: resume"), "{job:?}");
            home.assay(&["job", "resume", &job.job_id[..16]]).expect(0, &["queued"]);
            resumed += 1;
        }
        let is_over = jobs.iter().all(|job| job.status == JobStatus::Done);
        if is_over && kills >= KILLS {
            break;
        }
        if kills >= KILLS {
            std::thread::sleep(POLL);
            continue;
        }
        if is_over {
            let seed = trainings.len() as u64 + 1;
            trainings.insert(platform.submit(&training(seed, STEPS)), seed);
        }
        if children(running.id()).is_empty() {
            std::thread::sleep(POLL);
            continue;
        }
        std::thread::sleep(Duration::from_millis(random.next() % 600));
        if kills % 4 == 3 {
            running.kill();
            worker_kills += 1;
            kills += 1;
            running = worker(&home);
        } else if let Some(child) = children(running.id()).first() {
            signal("-9", *child);
            kills += 1;
        }
    }
    tell(&format!("{kills} kills, {worker_kills} of them of the worker; {resumed} jobs resumed by hand"));
    let calm = with_candles(CANDLES);
    for (job_id, seed) in &trainings {
        let result = platform.done(job_id);
        assert_eq!(result["weights_hash"], calm_weights(&calm, *seed, STEPS), "seed {seed}");
        assert_eq!(platform.times_done(job_id), 1, "seed {seed}");
        let run = RUNTIME.block_on(platform.database().run(text(&result["run_id"]))).unwrap().unwrap();
        assert_eq!((run.owner.as_str(), run.job_id.as_deref()), (OWNER, Some(job_id.as_str())));
        assert!(run.summary.contains(text(&result["weights_hash"])), "{}", run.summary);
    }
    let runs = RUNTIME.block_on(platform.database().runs(None, None, 200)).unwrap();
    assert_eq!(runs.len(), trainings.len());
    for job_id in &imports {
        let result = platform.done(job_id);
        // A partition may have been stored by an attempt before the last one.
        assert_eq!((&result["rows"], platform.times_done(job_id)), (&json!(20_000), 1));
        let dataset = RUNTIME.block_on(platform.database().dataset(text(&result["dataset"]))).unwrap().unwrap();
        assert_eq!(serde_json::from_str::<Value>(&dataset.summary).unwrap()["rows"], 20_000);
    }
    home.assay(&["data", "check"]).expect(0, &["sound"]);
    let hashes: Vec<Value> = imports.iter().map(|job| platform.done(job)["data_hash"].clone()).collect();
    assert!(hashes.iter().all(Value::is_string), "{hashes:?}");
}

#[test]
fn a_cancelled_job_keeps_its_checkpoint_and_goes_on_to_the_same_weights() {
    const STEPS: u64 = 51_200;
    let home = with_candles(CANDLES);
    let platform = Platform::of(&home);
    let job_id = platform.submit(&training(1, STEPS));
    let waiting = platform.submit(&training(2, STEPS));
    let worker = Running::of(home.command(&["worker", "--slots", "1", "--quiet"]).spawn().unwrap());
    let is_training = |job: &ScheduledJob| job.progress.as_deref().is_some_and(|told| told.contains("\"reward\""));
    platform.until(&job_id, is_training);
    home.assay(&["job", "cancel", &waiting]).expect(0, &["cancelled"]);
    let asked = Instant::now();
    home.assay(&["job", "cancel", &job_id]).expect(0, &["cancelling"]);
    platform.until(&job_id, |job| job.status == JobStatus::Cancelled);
    let took = asked.elapsed();
    tell(&format!("cancelled in {took:?}"));
    assert!(took < Duration::from_secs(5), "{took:?}");
    let run = home.json(&["run", "list"])[0].clone();
    assert_eq!(text(&run["state"]), "interrupted");
    let folder = home.run(text(&run["run_id"]));
    assert!(folder.join("checkpoint.bin").exists() && run["timesteps"].as_u64().unwrap() > 0);
    home.assay(&["job", "resume", &job_id]).expect(0, &["queued"]);
    let result = platform.done(&job_id);
    assert_eq!(home.json(&["run", "show", text(&run["run_id"])])["attempts"], 2);
    let calm = with_candles(CANDLES);
    assert_eq!(result["weights_hash"], calm_weights(&calm, 1, STEPS));
    home.assay(&["job", "resume", &job_id]).expect(2, &["is done"]);
    worker.kill();
}

#[test]
fn a_stuck_job_delays_no_other() {
    let home = with_candles(CANDLES);
    let platform = Platform::of(&home);
    let worker = worker(&home);
    let stuck = platform.submit(&training(1, 51_200));
    platform.until(&stuck, |job| job.progress.as_deref().is_some_and(|told| told.contains("\"reward\"")));
    let run_id = text(&home.json(&["run", "list"])[0]["run_id"]).to_owned();
    let process = process_of(&home, &run_id);
    signal("-STOP", process);
    let asked = Instant::now();
    let others = [platform.submit(&training(2, 1_280)), platform.submit(&json!({ "kind": "check" }))];
    others.iter().for_each(|job| drop(platform.done(job)));
    tell(&format!("beside a stuck job, two others took {:?}", asked.elapsed()));
    assert_eq!(platform.job(&stuck).status, JobStatus::Running);
    signal("-CONT", process);
    platform.done(&stuck);
    worker.kill();
}

#[test]
fn the_process_of_a_job_ends_with_its_worker() {
    let home = with_candles(CANDLES);
    let platform = Platform::of(&home);
    let running = worker(&home);
    let job = platform.submit(&training(1, 2_560_000));
    platform.until(&job, |job| job.progress.as_deref().is_some_and(|told| told.contains("\"reward\"")));
    let process = children(running.id())[0];
    running.kill();
    let killed = Instant::now();
    let is_gone = || {
        let stat = std::fs::read_to_string(Path::new("/proc").join(process.to_string()).join("stat"));
        stat.is_err() || stat.is_ok_and(|stat| stat.contains(") Z "))
    };
    wait_for("the end of the process", is_gone);
    assert!(killed.elapsed() < Duration::from_secs(1), "{:?}", killed.elapsed());
    let stopped = worker(&home);
    platform.until(&job, |job| job.attempts == 2);
    // Asked to end, a worker gives its jobs back at once, with a checkpoint.
    platform.until(&job, |job| job.progress.as_deref().is_some_and(|told| told.contains("\"reward\"")));
    signal("-TERM", stopped.id());
    let ended = stopped.wait();
    assert!(ended.success(), "{ended:?}");
    let given_back = platform.job(&job);
    assert_eq!((given_back.status, given_back.attempts), (JobStatus::Queued, 1));
}

#[test]
fn a_request_that_cannot_work_says_what_is_wrong() {
    let home = with_candles(CANDLES);
    let platform = Platform::of(&home);
    let worker = worker(&home);
    let import = |file: &str| {
        json!({ "kind": "ingest", "source": { "import": {
            "file": file, "exchange": "binance", "symbol": "A-B", "timeframe": "1h",
        }}})
    };
    for (request, word) in [
        (json!({ "kind": "train", "config": { "dataset": "binance/NO-SUCH/1h" } }), "NO-SUCH"),
        (import("../platform.db"), "files"),
        (import("nothing.csv"), "nothing.csv"),
        (json!({ "kind": "check", "more": 1 }), "more"),
    ] {
        let job = platform.until(&platform.submit(&request), |job| job.status.is_over());
        let error: Value = serde_json::from_str(&job.error.unwrap()).unwrap();
        assert_eq!((job.status, text(&error["code"]), job.attempts), (JobStatus::Failed, "bad_request", 1));
        assert!(text(&error["message"]).contains(word), "{error}");
    }
    worker.kill();
}
