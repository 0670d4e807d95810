//! What the five algorithms learn on the planted-signal task, beside what
//! Stable-Baselines3 learns on it (`benches/peers/sb3_learning.json`): the same steps,
//! networks and number of seeds. Prints a table and, last, one JSON line.
//!
//! An algorithm passes when the 95 % interval of (ours − peer's) mean final test
//! return reaches zero or better and ours is above half of the oracle's.
//!
//! `cargo bench -p assay-train --bench learning -- sac td3` runs only those.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads a file and prints results")]

mod common;

use assay_model::Isa;
use assay_train::{TrainConfig, Trainer};
use common::Planted;
use serde_json::{Value, json};

const SEEDS: [u64; 5] = [1, 2, 3, 4, 5];
const PEER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/peers/sb3_learning.json");

/// Quantiles 0.975 of Student's t for 1 to 8 degrees of freedom.
const STUDENT: [f64; 8] = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306];

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let text = std::fs::read_to_string(PEER).expect("benches/peers/sb3_learning.json: made by sb3_learning.py");
    let peer: Value = serde_json::from_str(&text).expect("benches/peers/sb3_learning.json is JSON");
    let planted = Planted::new();
    assert_eq!(peer["task"], planted.checksum(), "the peer ran on another task: run sb3_learning.py again");
    let oracle = planted.oracle();
    println!("sum of returns over the test bars; the oracle earns {oracle:.3}");
    println!("algorithm    steps   ours    sb3   ours-sb3 [95 % interval]   verdict");
    let mut rows = Vec::new();
    for (algorithm, runs) in peer["runs"].as_object().expect("runs by algorithm") {
        if !chosen.is_empty() && !chosen.contains(algorithm) {
            continue;
        }
        let steps = runs["steps"].as_u64().expect("a number of steps");
        let theirs: Vec<f64> = runs["curves"].as_object().expect("curves by seed").values().map(last).collect();
        let ours: Vec<f64> = SEEDS.iter().map(|seed| learn(&planted, algorithm, steps, *seed)).collect();
        rows.push(compare(algorithm, steps, &ours, &theirs, oracle));
    }
    println!("{}", json!({"name": "learning", "oracle": oracle, "peer": peer["versions"], "rows": rows}));
}

/// The final test return of a peer's curve.
fn last(curve: &Value) -> f64 {
    curve.as_array().and_then(|points| points.last()?[1].as_f64()).expect("points of (steps, return)")
}

fn learn(planted: &Planted, algorithm: &str, steps: u64, seed: u64) -> f64 {
    let mut keys = json!({
        "dataset": "synthetic/PLANTED-SIGNAL/1h", "algorithm": algorithm, "net_arch": [64, 64],
        "fee_ppm": 100, "slippage_ticks": 0, "episode_steps": Planted::EPISODE_STEPS,
        "reward_scale": Planted::REWARD_SCALE, "total_timesteps": steps,
    });
    if matches!(algorithm, "ppo" | "a2c") {
        keys["n_envs"] = 8.into();
    }
    let config = TrainConfig::from_value(&keys).expect("a config");
    let mut trainer =
        Trainer::new(&planted.set(), &config, seed, 1, Isa::detect()).expect("config and set fit together");
    while !trainer.is_done() {
        trainer.update().expect("training does not diverge");
    }
    common::test_return(planted, &trainer)
}

/// Prints a row of the table and gives it as JSON. The interval is Welch's with the
/// smaller group's degrees of freedom, which is the wider one.
fn compare(algorithm: &str, steps: u64, ours: &[f64], theirs: &[f64], oracle: f64) -> Value {
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let error = |values: &[f64]| {
        let center = mean(values);
        let squares: f64 = values.iter().map(|value| (value - center) * (value - center)).sum();
        squares / (values.len() as f64 - 1.0) / values.len() as f64
    };
    let (our_mean, their_mean) = (mean(ours), mean(theirs));
    let difference = our_mean - their_mean;
    let freedom = ours.len().min(theirs.len()) - 1;
    let half = STUDENT[freedom - 1] * (error(ours) + error(theirs)).sqrt();
    let passes = difference + half >= 0.0 && our_mean > oracle / 2.0;
    let verdict = if passes { "holds" } else { "FAILS" };
    println!(
        "{algorithm:<9} {steps:>8} {our_mean:>6.3} {their_mean:>6.3}   {difference:>+6.3} [{:+.3}, {:+.3}]   {verdict}",
        difference - half,
        difference + half
    );
    json!({
        "algorithm": algorithm, "steps": steps, "ours": ours, "sb3": theirs, "difference": difference,
        "interval": [difference - half, difference + half], "holds": passes,
    })
}
