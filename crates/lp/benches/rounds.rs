//! An evaluation round of 256 miners with distinct positions, all re-executed, on the real
//! history: `cargo bench -p assay-lp --bench rounds`. One JSON line a case: requests of the
//! market, seconds of simulation on one core (minimum and median of the runs, bringing the
//! market there left out) and the process's peak memory so far.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::print_stdout, reason = "a benchmark")]

#[path = "../tests/data_lp/history.rs"]
#[allow(dead_code, reason = "shared with the tests on the same history")]
mod history;

use std::time::Instant;

use history::{busiest, history, job_at, random_round};

const MINERS: usize = 256;

fn main() {
    let (from, _) = busiest(450);
    let job = job_at(from);
    measure(
        "busiest 450 blocks",
        7,
        || random_round(from, MINERS, 1, &job).requests,
        || random_round(from, 1, 1, &job),
    );
    let events = history();
    let from = events[60_000].place.block;
    let blocks = events[80_000].place.block - from;
    let mut job = job_at(from);
    (job.round_duration_seconds, job.evaluation_interval_blocks) = (2 * blocks, blocks / 10);
    measure("20,000 events", 3, || random_round(from, MINERS, 1, &job).requests, || random_round(from, 1, 1, &job));
}

fn measure<T>(case: &str, runs: usize, round: impl Fn() -> u64, alone: impl Fn() -> T) {
    let mut requests = 0;
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let started = Instant::now();
            alone();
            let market = started.elapsed().as_secs_f64();
            let started = Instant::now();
            requests = round();
            started.elapsed().as_secs_f64() - market
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let (least, median) = (seconds[0], seconds[runs / 2]);
    println!(
        "{{\"case\": \"{case}\", \"miners\": {MINERS}, \"requests\": {requests}, \"seconds\": {least:.4}, \
         \"median\": {median:.4}, \"peak_kb\": {}}}",
        peak_kb()
    );
}

/// The kernel's account of this process, in kilobytes.
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
