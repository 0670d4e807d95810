//! The exported policy of a real run in ONNX Runtime, on every close of the test split.

use std::path::Path;
use std::process::Command;

use assay_features::FeatureStream;
use assay_jobs::jobs::runs::LoadedRun;
use assay_jobs::{Advance, Progress, Workspace};
use assay_sim::backtest;
use assay_types::Target;
use serde_json::{Value, json};

use crate::series::{train, with_candles};
use crate::support::{Answer, DEMO, Home, python, tell, text};

struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str) {}
    fn advance(&self, _: &Advance) {}
    fn note(&self, _: &str) {}
    fn done(&self) {}
}

/// What our own inference says at every decision of the run's test split: raw columns
/// and account in, outputs, margin and target out, in the order of the back-test.
fn decisions(home: &Home, run_id: &str) -> Value {
    let workspace = Workspace::open(home.path(), None, &Silent, 1, true).unwrap();
    let run = LoadedRun::load(&workspace, run_id).unwrap();
    let candles = run.candles(&workspace).unwrap();
    let test = run.pins.split.test();
    let mut stream = FeatureStream::new(&run.pins.features, candles.timeframe).unwrap();
    (0..test.start).for_each(|index| _ = stream.update(&candles.get(index)).unwrap());
    let (mut rows, mut outputs, mut margins, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let count = run.policy.head().outputs();
    let result = backtest(&candles, &run.pins.rules, test, |view| {
        let raw = stream.update(&candles.get(view.index())).unwrap();
        let decision = run.policy.act(raw, view.account_inputs());
        rows.push([raw, &view.account_inputs().map(f64::from)[..]].concat());
        outputs.push(decision.logits[..count].to_vec());
        margins.push(decision.margin);
        targets.push([Target::Long, Target::Flat, Target::Short].iter().position(|t| *t == decision.target));
        decision.target
    });
    let equity_hash = result.unwrap().equity_hash().to_string();
    assert_eq!(Some(&equity_hash), run.summary.equity_hash.as_ref(), "these are the back-test's own decisions");
    json!({ "rows": rows, "outputs": outputs, "margins": margins, "targets": targets })
}

fn agrees(home: &Home, run_id: &str, kinds: usize) {
    let expected = decisions(home, run_id);
    let found = |kind: usize| expected["targets"].as_array().unwrap().iter().any(|target| *target == json!(kind));
    assert!((0..3).filter(|kind| found(*kind)).count() >= kinds, "too few kinds of decision to compare");
    let file = home.file("decisions.json");
    std::fs::write(&file, expected.to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_test_split.py");
    let mut command = Command::new(python("numpy, onnx, onnxruntime"));
    let output = command.arg(script).arg(home.run(run_id)).arg(file).output().unwrap();
    let said = Answer::of(&output).expect(0, &[]).json();
    assert_eq!(said["rows"].as_u64(), Some(expected["rows"].as_array().unwrap().len() as u64));
    assert!(said["difference"].as_f64().unwrap() <= 1e-5, "{said}");
    assert_eq!(said["disagreements"], json!([]), "{said}");
    // Ties are listed.
    tell(&format!("ONNX Runtime on the test split of run {run_id}: {said}"));
}

#[test]
fn the_demos_policy_decides_the_same_in_another_runtime() {
    let home = DEMO.0.copy();
    agrees(&home, text(&DEMO.1["run_id"]), 3);
}

#[test]
fn a_scalar_policy_decides_the_same_in_another_runtime() {
    let home = with_candles(1_500);
    let keys = ["algorithm=sac", "total_timesteps=600", "batch_size=32", "learning_rate=0.01", "net_arch=[32,16]"];
    let trained = home.json(&train(&keys));
    agrees(&home, text(&trained["run_id"]), 2);
}
