//! The same config and seed give the same weights on every instruction set, with any
//! number of threads, and after a resume (R5).
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use assay_model::Isa;
use assay_train::{TrainConfig, TrainError, Trainer, UpdateStats};
use assay_types::Hash;
use common::{Planted, config};
use serde_json::json;

fn configs() -> Vec<TrainConfig> {
    let ppo =
        json!({"n_envs": 3, "n_steps": 64, "batch_size": 16, "n_epochs": 2, "net_arch": [20, 12], "ent_coef": 0.01});
    let fixed = json!({"n_envs": 2, "n_steps": 96, "batch_size": 96, "n_epochs": 9, "net_arch": [16], "episode_steps": 40,
                       "activation": "relu", "reward": "sharpe_scaled"});
    let a2c = json!({"n_envs": 4, "net_arch": [20, 12]});
    vec![config("ppo", &ppo), config("ppo", &fixed), config("a2c", &a2c)]
}

fn run(
    market: &Planted,
    config: &TrainConfig,
    updates: usize,
    threads: usize,
    isa: Isa,
) -> (Vec<u32>, Vec<UpdateStats>) {
    let mut trainer = Trainer::new(&market.set(), config, 5, threads, isa).unwrap();
    let stats = (0..updates).map(|_| trainer.update().unwrap()).collect();
    (trainer.network().values().iter().map(|value| value.to_bits()).collect(), stats)
}

#[test]
fn instruction_sets_and_threads_change_nothing() {
    let market = Planted::new(300, 1);
    for config in configs() {
        let expected = run(&market, &config, 2, 1, Isa::PORTABLE);
        for isa in Isa::available() {
            for threads in [1, 2, 3] {
                let found = run(&market, &config, 2, threads, isa);
                assert_eq!(found, expected, "{} with {threads} threads", isa.name());
            }
        }
    }
}

#[test]
fn the_seed_and_every_update_matter() {
    let market = Planted::new(300, 1);
    let config = &configs()[0];
    let weights = |seed: u64, updates: usize| {
        let mut trainer = Trainer::new(&market.set(), config, seed, 1, Isa::detect()).unwrap();
        for _ in 0..updates {
            trainer.update().unwrap();
        }
        trainer.network()
    };
    assert_ne!(weights(1, 1), weights(2, 1));
    assert_ne!(weights(1, 1), weights(1, 2));
}

#[test]
fn a_resumed_run_ends_with_the_same_weights() {
    let market = Planted::new(300, 1);
    for config in configs() {
        let whole = run(&market, &config, 5, 1, Isa::detect());
        let mut first = Trainer::new(&market.set(), &config, 5, 1, Isa::detect()).unwrap();
        for _ in 0..2 {
            first.update().unwrap();
        }
        let checkpoint = first.checkpoint();
        let mut second = Trainer::resume(&checkpoint, &market.set(), &config, 5, 2, Isa::detect()).unwrap();
        assert_eq!(second.checkpoint(), checkpoint);
        let stats: Vec<UpdateStats> = (0..3).map(|_| second.update().unwrap()).collect();
        assert_eq!(stats, whole.1[2..]);
        let bits: Vec<u32> = second.network().values().iter().map(|value| value.to_bits()).collect();
        assert_eq!(bits, whole.0);
    }
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_refused() {
    let market = Planted::new(300, 1);
    let configs = configs();
    let trainer = Trainer::new(&market.set(), &configs[0], 5, 1, Isa::detect()).unwrap();
    let checkpoint = trainer.checkpoint();
    let resume = |bytes: &[u8], config: &TrainConfig, seed: u64| {
        Trainer::resume(bytes, &market.set(), config, seed, 1, Isa::detect()).map(|_| ())
    };
    assert_eq!(resume(&checkpoint, &configs[0], 5), Ok(()));
    let mut damaged = checkpoint.clone();
    damaged[checkpoint.len() / 2] ^= 4;
    for refused in [
        resume(&checkpoint, &configs[0], 6),
        resume(&checkpoint, &configs[1], 5),
        resume(&damaged, &configs[0], 5),
        resume(&checkpoint[..checkpoint.len() - 40], &configs[0], 5),
    ] {
        assert!(matches!(refused, Err(TrainError::Checkpoint(_))), "{refused:?}");
    }
    let other = Planted::new(300, 2);
    let refused = Trainer::resume(&checkpoint, &other.set(), &configs[0], 5, 1, Isa::detect());
    assert!(matches!(refused, Err(TrainError::Checkpoint(text)) if text.contains("training set")));
}

#[test]
fn a_set_that_does_not_fit_is_refused() {
    let market = Planted::new(300, 1);
    let config = &configs()[0];
    let refused = |set: assay_train::TrainingSet| {
        matches!(Trainer::new(&set, config, 5, 1, Isa::detect()), Err(TrainError::Set(_)))
    };
    let set = market.set();
    let mut holes = set.features.to_vec();
    holes[10] = f32::NAN;
    assert!(refused(assay_train::TrainingSet { features: &holes, ..set.clone() }));
    assert!(refused(assay_train::TrainingSet { columns: 3, ..set.clone() }));
    assert!(refused(assay_train::TrainingSet { train: 0..1, ..set.clone() }));
    assert!(refused(assay_train::TrainingSet { train: 0..250, ..set.clone() }));
    assert!(refused(assay_train::TrainingSet { validation: 250..301, ..set }));
}

/// What these configs gave when they were first recorded: weights never change silently.
#[test]
fn weights_are_the_recorded_ones() {
    let market = Planted::new(300, 1);
    let recorded = [
        "da2c02c6a62d309b1b3affafcb7c36a27e540869e38ac0c9d46be48e3b6feaa1",
        "ef3c5af7127d5e9328b54a0704677eec11275da5e02492637361246f8740ee3d",
        "5ed81ef60f69fd61ece9037cc2d32605fa57126305b2894d10cb08daa5c5a57c",
    ];
    for (config, expected) in configs().iter().zip(recorded) {
        let (weights, _) = run(&market, config, 3, 1, Isa::detect());
        let bytes: Vec<u8> = weights.iter().flat_map(|value| value.to_le_bytes()).collect();
        assert_eq!(Hash::of(&bytes).to_string(), expected, "{}", config.algorithm.name());
    }
}
