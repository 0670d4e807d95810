//! The exported graph in ONNX Runtime against our own inference.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, reason = "the test runs Python and writes files for it")]

use std::path::{Path, PathBuf};
use std::process::Command;

use assay_model::{Activation, Head, Mlp, Policy, TARGETS, to_safetensors};
use assay_types::InputScaling;

/// `ASSAY_PYTHON`, else the virtual environment that `make test` creates.
fn python() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("the repository");
    let python = std::env::var_os("ASSAY_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
    let found = Command::new(&python).args(["-c", "import onnx, onnxruntime, safetensors"]).status();
    assert!(
        found.is_ok_and(|status| status.success()),
        "{} cannot import onnx, onnxruntime and safetensors: run `make test`, which sets up .venv, or point ASSAY_PYTHON at a Python that can",
        python.display()
    );
    python
}

/// Pseudo-random numbers in [−1, 1).
fn wave(seed: usize) -> f64 {
    let bits = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xd6e8_feb8_6659_fd93);
    (bits >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
}

fn policy(columns: usize, hidden: &[usize], activation: Activation, head: Head) -> Policy {
    let sizes: Vec<usize> = [columns + 2].into_iter().chain(hidden.iter().copied()).chain([head.outputs()]).collect();
    let mut network = Mlp::new(&sizes, activation).unwrap();
    for index in 0..network.depth() {
        let (inputs, outputs) = (sizes[index], sizes[index + 1]);
        let scale = (3.0 / inputs as f64).sqrt();
        let weight: Vec<f32> = (0..inputs * outputs).map(|i| (wave(i + index * 99_991) * scale) as f32).collect();
        let bias: Vec<f32> = (0..outputs).map(|i| (wave(i + 7_777) * 0.1) as f32).collect();
        network.set_layer(index, &weight, &bias).unwrap();
    }
    let scaling = InputScaling {
        offset: (0..columns).map(|i| wave(i) * 50.0).collect(),
        factor: (0..columns).map(|i| 0.02 + wave(i + 31).abs()).collect(),
    };
    let names = (0..columns).map(|i| format!("feature {i}")).collect();
    Policy::new(names, scaling, network, head).unwrap()
}

#[test]
fn another_runtime_gives_the_same_decisions() {
    let python = python();
    for (columns, hidden, activation, head) in [
        (21, [64, 64], Activation::Tanh, Head::Discrete),
        (28, [64, 32], Activation::Relu, Head::Discrete),
        (5, [256, 256], Activation::Relu, Head::Scalar),
        (12, [40, 30], Activation::Tanh, Head::Scalar),
    ] {
        let policy = policy(columns, &hidden, activation, head);
        let mut names = policy.columns().to_vec();
        names.extend(["position".to_owned(), "unrealised_return".to_owned()]);
        let (mut rows, mut outputs, mut margins, mut targets) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for row in 0..500 {
            let mut raw: Vec<f64> = (0..columns).map(|i| wave(row * 131 + i * 17) * 80.0).collect();
            let account = [(row % 3) as f32 - 1.0, wave(row + 5) as f32 * 0.2];
            let decision = policy.act(&raw, account);
            raw.extend(account.map(f64::from));
            rows.push(raw);
            outputs.push(decision.logits[..head.outputs()].to_vec());
            margins.push(decision.margin);
            targets.push(TARGETS.iter().position(|target| *target == decision.target));
        }
        assert!((0..3).all(|target| targets.contains(&Some(target))), "every decision occurs");
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| std::fs::write(folder.path().join(name), bytes).unwrap();
        let expected = serde_json::json!({
            "inputs": names, "rows": rows, "outputs": outputs, "margins": margins, "targets": targets,
        });
        write("policy.onnx", &policy.to_onnx(&[("assay.scaler".into(), "standard".into())]));
        write("expected.json", expected.to_string().as_bytes());
        write("weights.safetensors", &to_safetensors(&policy.network().tensors("actor")));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx_check.py");
        let output = Command::new(&python).arg(script).arg(folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{columns} {hidden:?} {activation:?} {head:?}: {text}");
    }
}
