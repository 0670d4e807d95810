//! The AMM engine beside its peers: every contender computes the same thing, the results
//! are compared, then all are timed in turn, batch by batch, in one process.
//!
//! usage: assay-amm-bench [ROW ...]; each row prints one JSON line per case.

#![allow(clippy::disallowed_methods, reason = "a benchmark reads files, the environment and clocks")]

mod alone;
mod balancer;
mod curve;
mod data;
mod hop;
mod measure;
mod memory;
mod quote;
mod real_pool;
mod replay;
mod ticks;

fn main() {
    let rows: [(&str, fn()); 8] = [
        ("hop", hop::run),
        ("quote", quote::run),
        ("ticks", ticks::run),
        ("replay", replay::run),
        ("memory", memory::run),
        ("curve", curve::run),
        ("balancer", balancer::run),
        ("alone", alone::run),
    ];
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    for name in &wanted {
        assert!(rows.iter().any(|(row, _)| row == name), "no row {name}; there are {:?}", rows.map(|(row, _)| row));
    }
    for (name, run) in rows {
        if wanted.is_empty() || wanted.iter().any(|row| row == name) {
            run();
        }
    }
}
