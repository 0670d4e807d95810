//! A real chain node of its own for a test: anvil, on a free port of loopback.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::PoisonError;

use serde_json::{Value, json};

use crate::loopback::read_message;

/// Runs the node until our end of its pipe closes, which it does even when this process is killed.
const KEEPER: &str = "\"$@\" & node=$!; exec >/dev/null; cat >/dev/null; kill -9 $node";

const BINARY: &str = "node_modules/@foundry-rs/anvil-linux-amd64/bin/anvil";

/// A running node with ten unlocked accounts; it is killed when dropped. Every transaction
/// is mined at once in a block of its own, unless the node is told otherwise.
pub struct Anvil {
    keeper: Child,
    address: SocketAddr,
    connection: Mutex<Option<TcpStream>>,
}

impl Anvil {
    /// Starts a node with an empty chain.
    ///
    /// # Panics
    /// `ASSAY_NODE_TOOLS` is not set or has no node: a test of the indexer without one proves
    /// nothing, so it fails instead of skipping.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts a node with further options of its command line.
    ///
    /// # Panics
    /// As [`Anvil::start`].
    #[must_use]
    pub fn start_with(options: &[&str]) -> Self {
        let folder = std::env::var_os("ASSAY_NODE_TOOLS").map(PathBuf::from);
        let folder =
            folder.expect("ASSAY_NODE_TOOLS is not set: run the tests by `make test`, which installs the node");
        let binary = folder.join(BINARY);
        assert!(binary.is_file(), "ASSAY_NODE_TOOLS: no {}; `make node-tools` installs it", binary.display());
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(&binary)
            .args(["--host", "127.0.0.1", "--port", "0", "--disable-block-gas-limit", "--color", "never"])
            .args(options)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
        let mut lines = BufReader::new(keeper.stdout.take().expect("the output is piped")).lines();
        let address = lines.by_ref().find_map(|line| line.ok()?.strip_prefix("Listening on ")?.trim().parse().ok());
        let Some(address) = address else { panic!("{} ended without a port", binary.display()) };
        // The node stops when nobody reads what it logs.
        std::thread::spawn(move || lines.for_each(drop));
        Self { keeper, address, connection: Mutex::new(None) }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address for clients.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks the node one thing.
    ///
    /// # Panics
    /// The node answers with an error, or not at all.
    pub fn rpc(&self, method: &str, params: Value) -> Value {
        let mut answer = self.exchange(&json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }));
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].take()
    }

    /// Asks the node many things at once.
    ///
    /// # Panics
    /// As [`Anvil::rpc`].
    pub fn rpc_batch(&self, calls: &[(&str, Value)]) -> Vec<Value> {
        let call = |(id, (method, params)): (usize, &(&str, Value))| json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let Value::Array(answers) = self.exchange(&calls.iter().enumerate().map(call).collect()) else {
            panic!("no list of answers");
        };
        let result = |mut answer: Value| {
            assert!(answer.get("error").is_none(), "{}", answer["error"]);
            answer["result"].take()
        };
        answers.into_iter().map(result).collect()
    }

    fn exchange(&self, question: &Value) -> Value {
        let body = question.to_string();
        let mut connection = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        let stream = connection.get_or_insert_with(|| TcpStream::connect(self.address).expect("the node listens"));
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).expect("the node reads");
        let answer = read_message(stream).expect("the node answers").expect("the node stays");
        serde_json::from_slice(&answer.body).expect("the node answers in JSON")
    }
}

impl Drop for Anvil {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}
