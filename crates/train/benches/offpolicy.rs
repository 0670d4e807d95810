//! Environment steps per second, learning included, of SAC, TD3 and DDPG on one
//! thread: one JSON line for each configuration. The first steps are not counted.
#![allow(clippy::print_stdout, reason = "a benchmark prints its results")]

mod common;

use assay_model::Isa;
use assay_sim::{Reward, Rules};
use assay_train::offpolicy::{Method, OffPolicy, Settings};
use assay_train::{Environments, Rng, TrainingSet};
use assay_types::Price;

fn main() {
    let (candles, features) = common::random_walk(200_000, 20);
    let set = TrainingSet {
        candles: &candles,
        features: &features,
        columns: 20,
        train: 0..candles.len(),
        validation: candles.len()..candles.len(),
        rules: Rules::new(Price(10_000_000_000)),
        reward: Reward::ReturnMinusCost,
    };
    for (name, method, net_arch, stretch) in [
        ("sac", Method::sac(), vec![256, 256], 300),
        ("sac", Method::sac(), vec![64, 64], 3_000),
        ("td3", Method::td3(), vec![400, 300], 300),
        ("ddpg", Method::ddpg(), vec![64, 64], 5_000),
    ] {
        let rng = Rng::new(1);
        let environments =
            Environments::new(&set, 1, Some(4_096), 100.0, &rng.fork(0)).expect("the set fits together");
        let settings = Settings { net_arch: net_arch.clone(), ..method.defaults() };
        let mut learner = OffPolicy::new(&set, environments, &method, settings, &rng, Isa::detect())
            .expect("the settings fit together");
        let mut advance = |steps: u64| {
            for _ in 0..steps {
                learner.advance().expect("training does not diverge");
            }
        };
        advance(200);
        let (mut wall, mut cpu) = (0.0_f64, 0.0_f64);
        for _ in 0..5 {
            let watch = common::Stopwatch::start();
            advance(stretch);
            let seconds = watch.seconds();
            wall = wall.max(stretch as f64 / seconds.0);
            cpu = cpu.max(stretch as f64 / seconds.1);
        }
        println!(
            "{}",
            serde_json::json!({
                "bench": "offpolicy",
                "algorithm": name,
                "net": net_arch,
                "batch_size": 256,
                "steps_per_second": wall.round(),
                "steps_per_cpu_second": cpu.round(),
                "isa": Isa::detect().name(),
                "threads": 1,
            })
        );
    }
}
