//! Steps per second of PPO including learning, in the peers' setting: 19 features and
//! the account (21 inputs), 8 environments, [64, 64] tanh, 10 epochs.
//!
//! `cargo bench -p assay-train --bench ppo -- [n_steps] [batch_size] [threads] [updates] [isa]`
//! prints one line of JSON.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and its arguments")]

use std::time::Instant;

use assay_model::Isa;
use assay_sim::{Reward, Rules};
use assay_train::{Rng, TrainConfig, Trainer, TrainingSet};
use assay_types::{Candle, Candles, Market, Price, Qty, Timeframe};

const BARS: usize = 200_000;
const FEATURES: usize = 19;

fn candles() -> Candles {
    let mut rng = Rng::new(1);
    let mut candles = Candles::new(Market::new("synthetic", "BTC-USD").expect("a market"), Timeframe::M1);
    let mut close = 30_000.0;
    for index in 0..BARS {
        let open = close;
        close *= 1.0 + 0.001 * rng.normal();
        let price = |value: f64| Price::from_f64((value * 100.0).round() / 100.0).expect("finite");
        candles.push(Candle {
            open_time_ms: index as i64 * Timeframe::M1.ms(),
            open: price(open),
            high: price(open.max(close)),
            low: price(open.min(close)),
            close: price(close),
            volume: Qty(1),
        });
    }
    candles
}

/// Processor seconds of all threads of this process, in steps of 10 ms.
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or("").split_whitespace().collect();
    fields.iter().skip(11).take(2).map(|ticks| ticks.parse::<f64>().unwrap_or(f64::NAN) / 100.0).sum()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let number = |index: usize, default: usize| arguments.get(index).and_then(|a| a.parse().ok()).unwrap_or(default);
    let (n_steps, batch_size, threads, updates) = (number(0, 2048), number(1, 64), number(2, 1), number(3, 10));
    let isa = Isa::available().into_iter().find(|isa| Some(isa.name()) == arguments.get(4).map(String::as_str));
    let isa = isa.unwrap_or_else(Isa::detect);
    let candles = candles();
    let mut rng = Rng::new(2);
    let features: Vec<f32> = (0..BARS * FEATURES).map(|_| rng.normal() as f32).collect();
    let set = TrainingSet {
        candles: &candles,
        features: &features,
        columns: FEATURES,
        train: 0..BARS,
        validation: 0..0,
        rules: Rules::new(Price::from_f64(0.01).expect("finite")),
        reward: Reward::ReturnMinusCost,
    };
    let config = serde_json::json!({
        "dataset": "synthetic/BTC-USD/1m", "algorithm": "ppo", "n_envs": 8, "n_steps": n_steps,
        "batch_size": batch_size, "episode_steps": 4096,
    });
    let config = TrainConfig::from_value(&config).expect("a config");
    let mut trainer = Trainer::new(&set, &config, 0, threads, isa).expect("a trainer");
    trainer.update().expect("an update");
    let (before, start) = (processor_seconds(), Instant::now());
    let mut best = f64::MAX;
    for _ in 0..updates {
        let start = Instant::now();
        trainer.update().expect("an update");
        best = best.min(start.elapsed().as_secs_f64());
    }
    let wall = start.elapsed().as_secs_f64();
    let processor = processor_seconds() - before;
    let steps = (updates * n_steps * 8) as f64;
    println!(
        "{}",
        serde_json::json!({
            "name": "ppo", "n_steps": n_steps, "batch_size": batch_size, "threads": threads, "isa": isa.name(),
            "steps_per_second": steps / wall,
            "steps_per_second_best": (n_steps * 8) as f64 / best,
            "steps_per_cpu_second": steps / processor,
        })
    );
}
