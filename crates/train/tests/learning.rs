//! On a market with a planted signal, the learned policy has more than half of what
//! knowing the signal would have earned, on candles it was not trained on.
#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod common;

use assay_model::Isa;
use assay_train::{Trainer, evaluate};
use common::{Planted, config};
use serde_json::{Value, json};

fn learned(market: &Planted, algorithm: &str, keys: &Value) -> f64 {
    let (set, config) = (market.set(), config(algorithm, keys));
    let mut trainer = Trainer::new(&set, &config, 1, 2, Isa::detect()).unwrap();
    while !trainer.is_done() {
        trainer.update().unwrap();
    }
    evaluate(&trainer.network(), trainer.head(), &set, set.validation.clone(), Isa::detect()).unwrap().final_return
}

#[test]
fn ppo_and_a2c_find_a_planted_signal() {
    let market = Planted::new(6_000, 3);
    let oracle = market.oracle();
    assert!(oracle > 0.5, "the signal is worth something: {oracle}");
    let ppo =
        json!({"total_timesteps": 60_000, "n_steps": 256, "learning_rate": 1e-3, "net_arch": [32, 32], "gamma": 0.9});
    let a2c = json!({"total_timesteps": 200_000, "n_envs": 16, "net_arch": [32, 32], "gamma": 0.9});
    for (algorithm, keys) in [("ppo", ppo), ("a2c", a2c)] {
        let found = learned(&market, algorithm, &keys);

        assert!(found > 0.5 * oracle, "{algorithm} reached {found} of {oracle}");
    }
}
