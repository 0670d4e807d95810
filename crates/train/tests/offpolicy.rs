//! SAC, TD3 and DDPG as a whole: the same weights whatever the processor, the threads
//! and the interruptions, and a planted signal that they find.

#![allow(clippy::unwrap_used, reason = "a test stops where something is missing")]

#[path = "../benches/common/mod.rs"]
mod common;

use assay_model::{Isa, Mlp};
use assay_train::{TrainConfig, TrainError, Trainer};
use common::Planted;
use serde_json::{Value, json};

const ALGORITHMS: [&str; 3] = ["sac", "td3", "ddpg"];

fn config(algorithm: &str, more: &Value) -> TrainConfig {
    let mut keys = json!({
        "dataset": "synthetic/PLANTED-SIGNAL/1h", "algorithm": algorithm, "fee_ppm": 100, "slippage_ticks": 0,
        "episode_steps": 50, "learning_starts": 40, "net_arch": [20, 17], "batch_size": 24, "buffer_size": 100,
    });
    keys.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    TrainConfig::from_value(&keys).unwrap()
}

fn bits(network: &Mlp) -> Vec<u32> {
    network.values().iter().map(|value| value.to_bits()).collect()
}

fn advance(trainer: &mut Trainer, updates: usize) {
    for _ in 0..updates {
        trainer.update().unwrap();
    }
}

fn trained(planted: &Planted, config: &TrainConfig, updates: usize, threads: usize, isa: Isa) -> Vec<u32> {
    let mut trainer = Trainer::new(&planted.set(), config, 7, threads, isa).unwrap();
    advance(&mut trainer, updates);
    bits(&trainer.network())
}

/// Both definitions of the task, this one and the peer's in Python, print this number.
#[test]
fn the_peer_learnt_on_the_same_task() {
    let planted = Planted::new();
    let peer: Value = serde_json::from_str(include_str!("../../../benches/peers/sb3_learning.json")).unwrap();
    assert_eq!(peer["task"], planted.checksum());
    assert!((peer["oracle"].as_f64().unwrap() - planted.oracle()).abs() < 1e-5);
}

#[test]
fn every_instruction_set_gives_the_same_weights() {
    let planted = Planted::new();
    for algorithm in ALGORITHMS {
        let config = config(algorithm, &json!({}));
        let expected = trained(&planted, &config, 150, 1, Isa::PORTABLE);
        for isa in Isa::available() {
            assert_eq!(trained(&planted, &config, 150, 1, isa), expected, "{algorithm} on {}", isa.name());
        }
        assert_ne!(trained(&planted, &config, 149, 1, Isa::detect()), expected, "{algorithm} learns at each step");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_weights() {
    let planted = Planted::new();
    // Wide enough for the critics to be given threads of their own.
    for algorithm in ["sac", "td3"] {
        let config = config(algorithm, &json!({"net_arch": [128, 128], "batch_size": 256, "buffer_size": 1000}));
        let expected = trained(&planted, &config, 70, 1, Isa::detect());
        for threads in [2, 5] {
            assert_eq!(trained(&planted, &config, 70, threads, Isa::detect()), expected, "{algorithm} on {threads}");
        }
    }
}

#[test]
fn a_resumed_run_ends_with_the_weights_of_an_undisturbed_one() {
    let planted = Planted::new();
    let variants = [
        json!({}),
        json!({"n_envs": 2, "train_freq": 3, "gradient_steps": -1}),
        json!({"gradient_steps": 2, "activation": "tanh"}),
    ];
    for algorithm in ALGORITHMS {
        for variant in &variants {
            let mut config = config(algorithm, variant);
            if algorithm == "sac" {
                config.target_update_interval = Some(3);
            } else {
                config.action_noise = Some(0.2);
            }
            let expected = trained(&planted, &config, 170, 1, Isa::detect());
            // Before learning, in the middle, with a buffer that has wrapped around.
            for stop in [7, 61, 133] {
                let set = planted.set();
                let mut trainer = Trainer::new(&set, &config, 7, 1, Isa::detect()).unwrap();
                advance(&mut trainer, stop);
                let bytes = trainer.checkpoint();
                drop(trainer);
                let mut trainer = Trainer::resume(&bytes, &set, &config, 7, 1, Isa::detect()).unwrap();
                assert_eq!(trainer.checkpoint(), bytes, "{algorithm} at {stop}");
                advance(&mut trainer, 170 - stop);
                assert_eq!(bits(&trainer.network()), expected, "{algorithm} resumed at {stop}");
            }
        }
    }
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let planted = Planted::new();
    let set = planted.set();
    let small = config("sac", &json!({}));
    let trainer = Trainer::new(&set, &small, 7, 1, Isa::detect()).unwrap();
    let bytes = trainer.checkpoint();
    for (other, seed) in [(config("td3", &json!({})), 7), (config("sac", &json!({"tau": 0.01})), 7), (small, 8)] {
        let result = Trainer::resume(&bytes, &set, &other, seed, 1, Isa::detect());
        assert!(matches!(result, Err(TrainError::Checkpoint(_))));
    }
}

#[test]
fn a_planted_signal_is_found() {
    let planted = Planted::new();
    for (algorithm, steps) in [("sac", 4_000), ("td3", 4_000), ("ddpg", 4_000)] {
        let more = json!({
            "net_arch": [32, 32], "batch_size": 64, "buffer_size": 10_000, "learning_starts": 100,
            "learning_rate": 1e-3, "episode_steps": 1_000,
        });
        let mut trainer = Trainer::new(&planted.set(), &config(algorithm, &more), 1, 1, Isa::detect()).unwrap();
        advance(&mut trainer, steps);
        let (found, oracle) = (common::test_return(&planted, &trainer), planted.oracle());
        assert!(found > oracle / 2.0, "{algorithm} earns {found}, the oracle {oracle}");
    }
}
