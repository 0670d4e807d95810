//! `assay work`: the process of one scheduled job. Its worker speaks with it over standard
//! input and output.

use std::io::{BufRead as _, Write as _, stdin, stdout};
use std::path::Path;
use std::process::exit;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use assay_jobs::time_text::format_utc;
use assay_jobs::{Advance, ErrorKind, JobDone, JobError, JobRequest, Progress, Workspace};
use assay_worker::protocol::{Done, DoneDataset, DoneRun, Order, Told};
use clap::Args;
use serde_json::{Map, Value, json};

use crate::Global;

/// Exit code of a process whose worker is gone.
const EXIT_ORPHANED: i32 = 1;
/// Time between two signs of life.
const ALIVE_INTERVAL: Duration = Duration::from_secs(1);
/// Progress of one stage is told at most this often.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(200);
/// Last notes that progress carries.
const KEPT_NOTES: usize = 10;

#[derive(Args)]
pub struct Work {}

impl Work {
    /// Reads the request, does it and tells how it ended.
    pub fn run(self, global: &Global, home: &Path, threads: usize) {
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let request = listen(is_cancelled.clone());
        let Ok(request) = request.recv() else { exit(EXIT_ORPHANED) };
        std::thread::spawn(|| {
            loop {
                tell(&Told::Alive);
                std::thread::sleep(ALIVE_INTERVAL);
            }
        });
        let teller = Teller { is_cancelled, state: Mutex::new(State::default()) };
        let done = serde_json::from_value::<JobRequest>(request)
            .map_err(|error| JobError::Input(format!("the request: {error}")))
            .and_then(|request| {
                let mut workspace = Workspace::open(home, global.lake.as_deref(), &teller, threads, false)?;
                workspace.exchange_url = std::env::var("ASSAY_EXCHANGE_URL").ok().filter(|url| !url.is_empty());
                request.run(&workspace)
            });
        tell(&match done {
            Ok(done) => Told::Done(plain(done, home)),
            Err(JobError::Cancelled) => Told::Cancelled,
            Err(error) if error.is_in_use() => Told::InUse { message: error.to_string() },
            Err(error) => Told::Failed { code: code(&error).to_owned(), message: error.to_string() },
        });
    }
}

/// The code of a failed job.
fn code(error: &JobError) -> &'static str {
    match error.kind() {
        ErrorKind::BadInput => "bad_request",
        ErrorKind::CheckFailed => "check_failed",
        ErrorKind::Failed => "failed",
    }
}

/// Hears the worker in a thread of its own; the request comes first. The end of standard input
/// is the end of the worker, and with it of this process: nothing is written after it.
fn listen(is_cancelled: Arc<AtomicBool>) -> mpsc::Receiver<Value> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in stdin().lock().lines() {
            match line.ok().and_then(|line| serde_json::from_str::<Order>(&line).ok()) {
                Some(Order::Run(request)) => {
                    if sender.send(request).is_err() {
                        break;
                    }
                }
                Some(Order::Cancel) => is_cancelled.store(true, Ordering::Relaxed),
                None => break,
            }
        }
        exit(EXIT_ORPHANED);
    });
    receiver
}

fn tell(told: &Told) {
    let Ok(mut line) = serde_json::to_vec(told) else { return };
    line.push(b'\n');
    let mut out = stdout().lock();
    if out.write_all(&line).and_then(|()| out.flush()).is_err() {
        exit(EXIT_ORPHANED);
    }
}

fn plain(mut done: JobDone, home: &Path) -> Done {
    let run = |run: assay_jobs::request::RunEffect| DoneRun { run_id: run.run_id, summary: run.summary };
    let set = |set: assay_jobs::request::DatasetEffect| DoneDataset { dataset: set.dataset, summary: set.summary };
    make_relative(&mut done.result, home);
    Done {
        result: done.result,
        runs: done.runs.into_iter().map(run).collect(),
        datasets: done.datasets.into_iter().map(set).collect(),
    }
}

/// Makes paths within the home relative to it: the result is read on other machines, whose home
/// has the same files elsewhere.
fn make_relative(value: &mut Value, home: &Path) {
    match value {
        Value::String(text) => {
            if let Some(relative) = Path::new(text.as_str()).strip_prefix(home).ok().and_then(Path::to_str) {
                *text = relative.to_owned();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| make_relative(item, home)),
        Value::Object(fields) => fields.values_mut().for_each(|field| make_relative(field, home)),
        _ => {}
    }
}

#[derive(Default)]
struct State {
    stage: String,
    told: Option<Instant>,
    advance: Advance,
    notes: Vec<String>,
}

/// Progress as lines for the worker.
struct Teller {
    is_cancelled: Arc<AtomicBool>,
    state: Mutex<State>,
}

impl Teller {
    fn update(&self, is_urgent: bool, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        if !is_urgent && state.told.is_some_and(|told| told.elapsed() < PROGRESS_INTERVAL) {
            return;
        }
        state.told = Some(Instant::now());
        tell(&Told::Progress(state.line()));
    }
}

impl State {
    /// When it is told, stage, amounts, percent, speed, time left and figures.
    #[expect(clippy::cast_precision_loss, reason = "a percentage")]
    fn line(&self) -> Value {
        let Advance { done, total, unit, per_second, seconds_left, figures } = &self.advance;
        let percent = (*total > 0).then(|| *done as f64 * 100.0 / *total as f64);
        let figures: Map<String, Value> =
            figures.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        json!({
            "at": format_utc(assay_server::now_ms()),
            "stage": self.stage,
            "done": done,
            "total": total,
            "unit": unit,
            "percent": percent,
            "per_second": per_second,
            "seconds_left": seconds_left,
            "figures": figures,
            "notes": self.notes,
        })
    }
}

impl Progress for Teller {
    fn stage(&self, name: &str) {
        self.update(true, |state| {
            name.clone_into(&mut state.stage);
            state.advance = Advance::default();
        });
    }

    fn advance(&self, advance: &Advance) {
        let is_last = advance.total > 0 && advance.done >= advance.total;
        self.update(is_last, |state| state.advance = advance.clone());
    }

    fn note(&self, text: &str) {
        self.update(true, |state| {
            state.notes.push(text.to_owned());
            let extra = state.notes.len().saturating_sub(KEPT_NOTES);
            state.notes.drain(..extra);
        });
    }

    fn done(&self) {}

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed)
    }
}
