//! A third party's miner in Python, asked by the real client.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use assay_lp::RebalanceQuery;
use assay_lp::protocol::QUERY_PATH;
use assay_lp::protocol::auth::{Headers, sign_request};
use assay_miner::{Ask, Fault, MinerEndpoint, Outcome, Wire, system_clock};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{SECOND, ask, committed, key, key_text, query, reveal, send, validator, validator_of, within};

struct Python {
    endpoint: MinerEndpoint,
    url: String,
    child: Child,
    _folder: TempDir,
}

impl Drop for Python {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Python {
    /// `examples/miner.py` with the key of seed 5, for the validator of seed 1.
    fn start() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
        let python = std::env::var_os("ASSAY_PYTHON").map_or_else(|| root.join(".venv/bin/python"), PathBuf::from);
        let folder = tempfile::tempdir().unwrap();
        let key_file = folder.path().join("miner.key");
        std::fs::write(&key_file, key(5).to_bytes()).unwrap();
        let mut command = Command::new(&python);
        command.arg(root.join("examples/miner.py")).arg(key_file).args(["127.0.0.1:0", &key_text(1)]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap_or_else(|error| {
            let python = python.display();
            panic!("{python}: {error}: run `make test`, which sets up .venv, or set ASSAY_PYTHON to a Python with cryptography")
        });
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix(&format!("miner {} on ", key_text(5)));
        let url = url.unwrap_or_else(|| panic!("{} has no package cryptography: run `make test`", python.display()));
        let endpoint = MinerEndpoint::new(&key_text(5), url, Wire::Native).unwrap();
        Self { endpoint, url: url.to_owned(), child, _folder: folder }
    }
}

/// The position that the miner answers a query with.
async fn position(python: &Python, query: RebalanceQuery) -> Value {
    let checkpoint = query.block_number;
    let asked = validator().ask(&Ask { endpoint: python.endpoint.clone(), query }, within(10_000)).await;
    assert!(asked.authenticated, "{:?}", asked.outcome);
    let revealed = validator().reveal(&reveal(&python.endpoint, checkpoint, committed(&asked)), within(10_000)).await;
    let answer = serde_json::to_value(revealed.outcome.unwrap().answer).unwrap();
    assert_eq!(answer["accepted"], true);
    assert_eq!(answer["desired_positions"].as_array().unwrap().len(), 1);
    answer["desired_positions"][0].clone()
}

#[tokio::test]
async fn a_miner_in_python_takes_part() {
    let python = Python::start();
    let first = position(&python, query(100)).await;
    assert_eq!((&first["tick_lower"], &first["tick_upper"]), (&json!(-1_000), &json!(1_200)));
    assert_eq!((&first["allocation0"], &first["allocation1"]), (&json!("100000000"), &json!("100000000")));
    // The price of tick −200,500 or a little above it, from a real pool's order of magnitude.
    let mut low: Value = serde_json::to_value(query(200)).unwrap();
    low["sqrt_price_x96"] = json!("3509937806709451873320960");
    let low = position(&python, serde_json::from_value(low).unwrap()).await;
    assert_eq!((&low["tick_lower"], &low["tick_upper"]), (&json!(-201_600), &json!(-199_400)));
    // Once placed it stays.
    let mut held: Value = serde_json::to_value(query(300)).unwrap();
    held["current_positions"] = json!([low]);
    assert_eq!(position(&python, serde_json::from_value(held).unwrap()).await["tick_lower"], -201_600);

    let again = validator().ask(&ask(&python.endpoint, 100), within(10_000)).await;
    let once_more = validator().ask(&ask(&python.endpoint, 100), within(10_000)).await;
    assert_eq!(committed(&again), committed(&once_more));
    let stranger = validator_of(9).ask(&ask(&python.endpoint, 100), within(10_000)).await;
    assert!(matches!(stranger.outcome, Outcome::Failed(Fault::Refused { status: 401, .. })));
}

#[tokio::test]
async fn a_miner_in_python_refuses_what_has_to_be_refused() {
    let python = Python::start();
    let body = serde_json::to_vec(&query(100)).unwrap();
    let url = format!("{}{QUERY_PATH}", python.url);
    let now = system_clock()();
    let signed = |nonce, receiver: &str| sign_request(&key(1), "POST", QUERY_PATH, &body, nonce, receiver).headers;
    let honest = signed(now, &key_text(5));
    for (headers, body) in [
        (Headers::default(), body.as_slice()),
        (honest.clone(), b"{}".as_slice()),
        (signed(now - 11 * SECOND, &key_text(5)), &body),
        (signed(now + 60 * SECOND, &key_text(5)), &body),
        (signed(now, &key_text(6)), &body),
    ] {
        assert_eq!(send("POST", &url, headers.pairs(), body).await.status, 401, "{headers:?}");
    }
    assert_eq!(send("POST", &url, honest.pairs(), &body).await.status, 200);
    assert_eq!(send("POST", &url, honest.pairs(), &body).await.status, 401, "a replay");
}
