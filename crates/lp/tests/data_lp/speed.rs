//! How long a large round takes, printed; the bounds are far above what is measured.

use std::time::Instant;

use super::history::{busiest, history, job_at, random_round};

#[test]
fn two_hundred_and_fifty_six_miners_on_the_busiest_blocks() {
    let (from, swaps) = busiest(450);
    let job = job_at(from);
    // The market is brought there first, which is not part of the round.
    random_round(from, 1, 0, &job);
    let alone = Instant::now();
    random_round(from, 1, 0, &job);
    let alone = alone.elapsed();
    let started = Instant::now();
    let record = random_round(from, 256, 1, &job);
    let simulation = started.elapsed().saturating_sub(alone);
    let rebalances: u32 = record.miners.iter().map(|miner| miner.measured.executions).sum();
    println!("{swaps} swaps, 256 miners, 10 checkpoints, {rebalances} rebalances: {simulation:?} (market {alone:?})");
    assert!(simulation.as_secs_f64() < 5.0);
}

/// The same miners over twenty thousand events in a row.
#[test]
fn two_hundred_and_fifty_six_miners_on_twenty_thousand_events() {
    let events = history();
    let from = events[60_000].place.block;
    let blocks = events[80_000].place.block - from;
    let mut job = job_at(from);
    (job.round_duration_seconds, job.evaluation_interval_blocks) = (2 * blocks, blocks / 10);
    random_round(from, 1, 0, &job);
    let alone = Instant::now();
    random_round(from, 1, 0, &job);
    let alone = alone.elapsed();
    let started = Instant::now();
    let record = random_round(from, 256, 1, &job);
    let simulation = started.elapsed().saturating_sub(alone);
    println!("{} requests, 256 miners, 10 checkpoints: {simulation:?} (market {alone:?})", record.requests);
    println!("peak memory of the process: {}", peak_memory());
    assert!(simulation.as_secs_f64() < 120.0);
}

/// The line of the kernel's account of this process.
fn peak_memory() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("unknown").to_owned()
}
