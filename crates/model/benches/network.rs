//! Speed of the kernels: GFLOP/s of a forward and a backward pass for the shapes that
//! training uses, and the time of one decision. One line of JSON each.
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock")]

use std::time::Instant;

use assay_model::{Activation, Gradients, Head, Isa, Mlp, Policy, Want, Workspace};
use assay_types::InputScaling;

fn network(sizes: &[usize], activation: Activation) -> Mlp {
    let mut network = Mlp::new(sizes, activation).expect("sizes");
    for index in 0..network.depth() {
        let (inputs, outputs) = (sizes[index], sizes[index + 1]);
        let wave = |i: usize| ((i * 7919) % 1009) as f32 / 504.5 - 1.0;
        let weight: Vec<f32> = (0..inputs * outputs).map(|i| wave(i) / (inputs as f32).sqrt()).collect();
        network.set_layer(index, &weight, &vec![0.1; outputs]).expect("shapes");
    }
    network
}

/// The least seconds of `repeats` runs of `work`.
fn best(repeats: usize, mut work: impl FnMut()) -> f64 {
    let mut least = f64::MAX;
    for _ in 0..repeats {
        let start = Instant::now();
        work();
        least = least.min(start.elapsed().as_secs_f64());
    }
    least
}

fn passes(isa: Isa, sizes: &[usize], rows: usize, activation: Activation) {
    let network = network(sizes, activation);
    let inputs: Vec<f32> = (0..rows * sizes[0]).map(|i| ((i * 31) % 101) as f32 / 50.5 - 1.0).collect();
    let mut space = Workspace::new(&network, rows);
    let mut gradients = Gradients::new(&network);
    let multiplications: usize = sizes.windows(2).map(|pair| pair[0] * pair[1]).sum();
    let first = sizes[0] * sizes[1];
    let forward = best(2_000, || network.forward(isa, &inputs, rows, &mut space));
    space.output_gradient_mut()[0] = 1.0;
    let backward = best(2_000, || network.backward(isa, &inputs, rows, &mut space, &mut gradients, Want::Weights));
    let giga = |count: usize, seconds: f64| 2e-9 * (count * rows) as f64 / seconds;
    println!(
        "{}",
        serde_json::json!({
            "name": "network", "isa": isa.name(), "sizes": sizes, "rows": rows,
            "forward_gflops": giga(multiplications, forward), "forward_us": forward * 1e6,
            "backward_gflops": giga(2 * multiplications - first, backward), "backward_us": backward * 1e6,
        })
    );
}

fn main() {
    for isa in Isa::available().into_iter().filter(|isa| *isa != Isa::PORTABLE) {
        passes(isa, &[21, 64, 64, 3], 64, Activation::Tanh);
        passes(isa, &[21, 64, 64, 1], 64, Activation::Tanh);
        passes(isa, &[22, 64, 64, 1], 256, Activation::Relu);
        passes(isa, &[22, 256, 256, 1], 256, Activation::Relu);
        passes(isa, &[22, 400, 300, 1], 256, Activation::Relu);
        let names = (0..26).map(|i| format!("feature_{i}")).collect();
        let network = network(&[28, 64, 64, 3], Activation::Tanh);
        let policy = Policy::new(names, InputScaling::identity(26), network, Head::Discrete).expect("a policy");
        let policy = policy.with_isa(isa);
        let raw = [0.3; 26];
        let mut sum = 0.0;
        let seconds = best(200, || (0..100).for_each(|_| sum += policy.act(&raw, [0.0, sum * 1e-9]).margin)) / 100.0;
        println!("{}", serde_json::json!({"name": "decision", "isa": isa.name(), "us": seconds * 1e6}));
    }
}
