//! Environment steps per second, learning included, of SAC, TD3 and DDPG on one
//! thread: one JSON line for each configuration. The first steps are not counted.
#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

mod common;

use assay_model::Isa;
use assay_sim::{Reward, Rules};
use assay_train::{TrainConfig, Trainer, TrainingSet};
use assay_types::Price;

/// Steps before the measured ones; learning starts after 100.
const WARM_UP: u64 = 200;
const STRETCHES: usize = 5;

fn main() {
    let (candles, features) = common::random_walk(200_000, 19);
    let set = TrainingSet {
        candles: &candles,
        features: &features,
        columns: 19,
        train: 0..candles.len(),
        validation: 0..0,
        rules: Rules::new(Price(10_000_000_000)),
        reward: Reward::ReturnMinusCost,
    };
    for (algorithm, net_arch, steps) in
        [("sac", [256, 256], 300), ("sac", [64, 64], 3_000), ("td3", [400, 300], 300), ("ddpg", [64, 64], 5_000)]
    {
        for threads in [1, 2] {
            measure(&set, algorithm, net_arch, steps, threads);
        }
    }
}

fn measure(set: &TrainingSet, algorithm: &str, net_arch: [usize; 2], steps: u64, threads: usize) {
    let keys = serde_json::json!({
        "dataset": "synthetic/RANDOM-WALK/1m", "algorithm": algorithm, "net_arch": net_arch, "episode_steps": 4096,
    });
    let config = TrainConfig::from_value(&keys).expect("a config");
    let mut trainer = Trainer::new(set, &config, 1, threads, Isa::detect()).expect("config and set fit together");
    let mut advance = |steps: u64| {
        for _ in 0..steps {
            trainer.update().expect("training does not diverge");
        }
    };
    advance(WARM_UP);
    let (mut wall, mut cpu) = (0.0_f64, 0.0_f64);
    for _ in 0..STRETCHES {
        let watch = common::Stopwatch::start();
        advance(steps);
        let seconds = watch.seconds();
        wall = wall.max(steps as f64 / seconds.0);
        cpu = cpu.max(steps as f64 / seconds.1);
    }
    let row = serde_json::json!({
        "name": "offpolicy",
        "algorithm": algorithm,
        "net": net_arch,
        "batch_size": config.batch_size,
        "steps_per_second": wall.round(),
        "steps_per_cpu_second": cpu.round(),
        "isa": Isa::detect().name(),
        "threads": threads,
    });
    println!("{row}");
}
