//! Training that is killed, damaged or shared.

use std::path::Path;

use serde_json::Value;

use crate::series::{train, with_candles};
use crate::support::{Home, text};

/// A run of 200 updates, each of them a checkpoint.
const PPO: [&str; 5] = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=25600", "learning_rate=0.002"];
/// Off-policy runs keep their replay buffer in the checkpoint.
const SAC: [&str; 6] = [
    "algorithm=sac",
    "total_timesteps=6000",
    "learning_starts=200",
    "batch_size=32",
    "buffer_size=4000",
    "checkpoint_every=100",
];
const TD3: [&str; 6] = [
    "algorithm=td3",
    "total_timesteps=6000",
    "learning_starts=200",
    "batch_size=32",
    "buffer_size=4000",
    "checkpoint_every=100",
];
const CANDLES: usize = 1_500;

fn arguments<'a>(keys: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [&train(keys)[..], more].concat()
}

/// Steps that the run's last checkpoint reached; none before the first.
fn steps(run: &Path) -> u64 {
    let read = || serde_json::from_slice::<Value>(&std::fs::read(run.join("run.json")).ok()?).ok();
    read().and_then(|summary| summary["timesteps"].as_u64()).unwrap_or(0)
}

/// The id that a run of `keys` has.
fn run_id(home: &Home, keys: &[&str]) -> String {
    text(&home.json(&arguments(keys, &["--dry-run"]))["run_id"]).to_owned()
}

/// Starts training and kills it once it reached `timesteps`.
fn kill_at(home: &Home, keys: &[&str], more: &[&str], timesteps: u64) {
    let run = home.run(&run_id(home, keys));
    let mut training = home.start(&arguments(keys, more));
    let running = training.until(|| steps(&run) >= timesteps && run.join("checkpoint.bin").exists());
    assert!(running, "it ended before it could be killed at {timesteps}");
    training.kill();
    assert!(run.join("checkpoint.bin").exists() && !run.join("weights.safetensors").exists());
}

fn killed_and_resumed_is_the_same_as_undisturbed(keys: &[&str], points: &[u64]) {
    let (calm, rough) = (with_candles(CANDLES), with_candles(CANDLES));
    let expected = calm.json(&arguments(keys, &[]));
    let run = text(&expected["run_id"]);
    for (index, point) in points.iter().enumerate() {
        let more: &[&str] = if index == 0 { &[] } else { &["--resume"] };
        kill_at(&rough, keys, more, *point);
        rough.assay(&arguments(keys, &[])).expect(2, &["was interrupted after", "--resume", "--again"]);
        let line = &rough.json(&["run", "list"])[0];
        assert_eq!((text(&line["run_id"]), text(&line["state"])), (run, "interrupted"));
        rough.assay(&["backtest", run]).expect(2, &["was interrupted", "--resume"]);
    }
    let resumed = rough.json(&arguments(keys, &["--resume", "--threads", "1"]));
    for name in ["run_id", "config_hash", "data_hash", "feature_hash", "weights_hash", "timesteps", "chosen_at"] {
        assert_eq!(resumed[name], expected[name], "{name}");
    }
    assert_eq!(resumed["evaluation"]["equity_hash"], expected["evaluation"]["equity_hash"]);
    for name in ["weights.safetensors", "policy.onnx", "curves.csv", "equity.csv", "stream.json"] {
        let read = |home: &Home| std::fs::read(home.run(run).join(name)).unwrap();
        assert!(read(&rough) == read(&calm), "{name} differs");
    }
    let shown = rough.json(&["run", "show", run]);
    assert_eq!((text(&shown["state"]), shown["attempts"].as_u64()), ("done", Some(points.len() as u64 + 1)));
    assert!(!rough.run(run).join("checkpoint.bin").exists(), "a finished run keeps no checkpoint");
}

#[test]
fn ppo_goes_on_to_the_same_weights_after_three_kills() {
    killed_and_resumed_is_the_same_as_undisturbed(&PPO, &[1, 6_400, 14_000]);
}

#[test]
fn sac_goes_on_to_the_same_weights_after_a_kill() {
    killed_and_resumed_is_the_same_as_undisturbed(&SAC, &[1_500]);
}

#[test]
fn td3_goes_on_to_the_same_weights_after_a_kill() {
    killed_and_resumed_is_the_same_as_undisturbed(&TD3, &[2_000]);
}

#[test]
fn a_damaged_checkpoint_is_refused_and_nothing_else_is_lost() {
    let home = with_candles(CANDLES);
    let id = run_id(&home, &PPO);
    kill_at(&home, &PPO, &[], 3_000);
    let checkpoint = home.run(&id).join("checkpoint.bin");
    let mut bytes = std::fs::read(&checkpoint).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&checkpoint, &bytes).unwrap();
    let before = home.tree();
    home.assay(&arguments(&PPO, &["--resume"])).expect(3, &["checkpoint.bin", "damaged", "--again"]);
    let kept = |tree: Vec<(std::path::PathBuf, Vec<u8>)>| -> Vec<_> {
        tree.into_iter().filter(|(path, _)| path.extension().is_none_or(|ending| ending != "lock")).collect()
    };
    assert!(kept(home.tree()) == kept(before), "a refused resume changed files");
    let again = home.json(&arguments(&PPO, &["--again"]));
    let expected = with_candles(CANDLES).json(&arguments(&PPO, &[]));
    assert_eq!(again["weights_hash"], expected["weights_hash"]);
}

#[test]
fn a_finished_run_is_read_back_and_trained_again_on_demand() {
    let home = with_candles(CANDLES);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=1280", "seed=5"];
    let first = home.json(&arguments(&keys, &[]));
    let read_back = home.json(&arguments(&keys, &[]));
    assert_eq!((&first["already_done"], &read_back["already_done"]), (&Value::Bool(false), &Value::Bool(true)));
    assert_eq!(read_back["weights_hash"], first["weights_hash"]);
    let again = home.command(&arguments(&keys, &["--again", "--json"])).output().unwrap();
    let again = crate::support::Answer::of(&again).expect(0, &["the weights are the same to the bit"]);
    assert_eq!(again.json()["weights_hash"], first["weights_hash"]);
    let other = home.json(&arguments(&keys, &["--seed", "6"]));
    assert_ne!((&other["run_id"], &other["weights_hash"]), (&first["run_id"], &first["weights_hash"]));
}

#[test]
fn progress_is_json_lines_with_speed_losses_and_time_left() {
    let home = with_candles(CANDLES);
    let keys = ["algorithm=ppo", "n_envs=2", "n_steps=64", "total_timesteps=12800", "seed=8"];
    let output = home.command(&arguments(&keys, &["--json"])).output().unwrap();
    let answer = crate::support::Answer::of(&output).expect(0, &[]);
    let lines: Vec<Value> = answer.err.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.iter().rfind(|line| line["unit"] == "steps").expect("a line about training");
    assert_eq!((text(&last["stage"]), &last["done"], &last["total"]), ("train", &last["total"], &12_800.into()));
    for figure in ["per_second", "seconds_left", "reward", "policy_loss", "value_loss", "explained_variance"] {
        assert!(last[figure].is_f64(), "{figure} is not in {last}");
    }
    let curves = std::fs::read_to_string(Path::new(text(&answer.json()["path"])).join("curves.csv")).unwrap();
    let head = "timesteps,updates,mean_reward,policy_loss,value_loss,entropy,explained_variance,";
    assert!(curves.starts_with(head) && curves.lines().count() > 50, "{curves}");
}
