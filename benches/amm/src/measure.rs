//! Times contenders in turn. Machines are shared, so the minimum is what counts, and the
//! ratio is the median over batches that were timed right after each other.

use std::hint::black_box;
use std::time::{Duration, Instant};

const BATCHES: usize = 25;
/// Long against the clock's resolution, short against a time slice.
const BATCH: Duration = Duration::from_millis(3);

/// One way of doing the work of a row.
pub struct Contender<'a> {
    name: &'static str,
    /// Operations in one call of the work.
    operations: usize,
    timed: Box<dyn FnMut(u32) -> Duration + 'a>,
}

impl<'a> Contender<'a> {
    /// A contender whose `work` does as many operations.
    pub fn new<T>(name: &'static str, operations: usize, mut work: impl FnMut() -> T + 'a) -> Self {
        let timed = move |times| {
            let start = Instant::now();
            for _ in 0..times {
                black_box(work());
            }
            start.elapsed()
        };
        Self { name, operations, timed: Box::new(timed) }
    }

    /// Calls that fill a batch.
    fn calls(&mut self) -> u32 {
        let mut calls = 1;
        loop {
            let elapsed = (self.timed)(calls);
            if elapsed >= BATCH / 2 {
                let factor = BATCH.as_secs_f64() / elapsed.as_secs_f64();
                return ((f64::from(calls) * factor) as u32).max(1);
            }
            calls *= 4;
        }
    }
}

/// Times the contenders, ours first, and prints a JSON line with nanoseconds per operation.
pub fn race(row: &str, mut contenders: Vec<Contender<'_>>) {
    let calls: Vec<u32> = contenders.iter_mut().map(Contender::calls).collect();
    let mut times = vec![Vec::with_capacity(BATCHES); contenders.len()];
    for _ in 0..BATCHES {
        for (index, contender) in contenders.iter_mut().enumerate() {
            let elapsed = (contender.timed)(calls[index]).as_secs_f64();
            times[index].push(elapsed * 1e9 / f64::from(calls[index]) / contender.operations as f64);
        }
    }
    let results: Vec<serde_json::Value> = contenders
        .iter()
        .zip(&times)
        .map(|(contender, own)| {
            serde_json::json!({
                "name": contender.name,
                "min_ns": sorted(own.clone())[0],
                "median_ns": median(own.clone()),
                "ratio": median(own.iter().zip(&times[0]).map(|(theirs, ours)| theirs / ours).collect()),
            })
        })
        .collect();
    println!("{}", serde_json::json!({ "case": row, "contenders": results }));
}

/// Seconds that this thread has spent on a processor, for work that is long against the
/// scheduler's accounting.
pub fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux accounts threads");
    let nanoseconds = text.split(' ').next().and_then(|word| word.parse::<f64>().ok());
    nanoseconds.expect("the first word is a number") / 1e9
}

fn sorted(mut values: Vec<f64>) -> Vec<f64> {
    values.sort_by(f64::total_cmp);
    values
}

fn median(values: Vec<f64>) -> f64 {
    let middle = values.len() / 2;
    sorted(values)[middle]
}
