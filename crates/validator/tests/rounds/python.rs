//! A third party's miner in Python, in rounds of the real validator.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assay_lp::record::Outcome;
use assay_types::public_key_text;
use tempfile::TempDir;

use crate::market::job;
use crate::miners::{Miner, holds, honest, key};
use crate::world::{World, source, stepped};

/// The key that [`World`] asks with.
const VALIDATOR: u16 = 900;
const PYTHON: u16 = 77;

struct Process {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Drop for Process {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// `examples/miner.py` on a port of its own choice.
fn start() -> Process {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let python = std::env::var_os("ASSAY_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("miner.key");
    std::fs::write(&key_file, key(PYTHON).to_bytes()).unwrap();
    let mut command = Command::new(&python);
    command.arg(root.join("examples/miner.py")).arg(key_file);
    command.args(["127.0.0.1:0", &public_key_text(&key(VALIDATOR))]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap_or_else(|error| {
        panic!("{}: {error}: run `make test`, which sets up .venv, or set ASSAY_PYTHON", python.display())
    });
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let url = line.trim().rsplit(' ').next().unwrap_or_default().to_owned();
    assert!(url.starts_with("http://"), "{line}: does {} have the package cryptography?", python.display());
    Process { child, url, _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_miner_in_python_is_asked_sealed_and_ranked() {
    let job = job("python");
    let process = start();
    let listed = honest(1, holds()).await;
    let mut python = honest(PYTHON, holds()).await;
    // The same key, at the address of the Python program.
    python.url.clone_from(&process.url);
    let world = World::new(std::slice::from_ref(&job), &[&listed, &python]).await;
    assert_eq!(world.validator, VALIDATOR);
    world.run(source(stepped(&job), &job, 1)).await;
    let record = world.record("python_evaluation_0").await;
    let Miner { key, .. } = &python;
    let miner = record.miners.iter().find(|miner| &miner.miner == key).unwrap();
    assert!(miner.authenticated && miner.judgement.rank.is_some(), "{:?}", miner.judgement);
    assert_eq!(miner.answers[0].outcome, Outcome::Rebalanced);
    assert!(miner.answers[1..].iter().all(|answer| answer.outcome == Outcome::Kept), "{:?}", miner.answers);
    assert!(miner.measured.blocks_in_range > 0);
}
